//! The compact terminal writer: a ratatui backend that sends as few bytes as it can, one write a frame.
//!
//! Foreground, ground and attributes are each sent only when they change, also from one frame to the next; the cursor moves by
//! the shorter of two sequences; blanks have no foreground; a frame is wrapped in synchronized output; and a frame in which
//! nothing changed is 0 bytes. Must never know what a cell means. Known weakness: it believes unicode-width, so where a
//! terminal draws an ambiguous character two cells wide the rest of that run is misplaced.

use crossterm::{Command, clipboard::CopyToClipboard};
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Cell, CellWidth};
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::io::{self, Write};

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Where whole frames go.
pub trait Sink {
    /// Takes the bytes of one frame.
    fn send(&mut self, frame: &[u8]) -> io::Result<()>;
    /// Columns and rows of the terminal.
    fn size(&self) -> io::Result<Size>;
}

/// A sink that keeps everything and counts, for tests and figures.
#[derive(Debug)]
pub struct Recorder {
    /// The size it claims.
    pub size: Size,
    /// All that was sent.
    pub bytes: Vec<u8>,
    /// How many frames.
    pub frames: usize,
}

impl Recorder {
    /// An empty one.
    pub fn new(columns: u16, rows: u16) -> Recorder {
        Recorder { size: Size::new(columns, rows), bytes: Vec::new(), frames: 0 }
    }
    /// What was sent since it was last taken.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Sink for Recorder {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(frame);
        self.frames += 1;
        Ok(())
    }
    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }
}

/// Attributes that are seen on a blank.
const ON_BLANKS: Modifier = Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// What the terminal's pen is set to.
#[derive(Clone, Copy, PartialEq)]
struct Ink {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Ink = Ink { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

/// The backend. What it does not know of the terminal (after a resize, after somebody else wrote) is `None`.
pub struct Writer<S> {
    sink: S,
    out: Vec<u8>,
    ink: Option<Ink>,
    at: Option<Position>,
    cursor_shown: Option<bool>,
    scratch: [Vec<u8>; 2],
}

impl<S: Sink> Writer<S> {
    /// A writer to a terminal of which nothing is known.
    pub fn new(sink: S) -> Writer<S> {
        Writer { sink, out: Vec::new(), ink: None, at: None, cursor_shown: None, scratch: Default::default() }
    }

    /// Where the frames go.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Forgets what the terminal shows, after somebody else has written to it. `Terminal::clear` then draws it anew.
    pub fn forget(&mut self) {
        (self.ink, self.at, self.cursor_shown) = (None, None, None);
    }

    /// The title of the window, with the next frame.
    pub fn set_title(&mut self, title: &str) {
        self.begin();
        self.out.extend_from_slice(b"\x1b]2;");
        self.out.extend(title.chars().filter(|c| !c.is_control()).collect::<String>().bytes());
        self.out.extend_from_slice(b"\x1b\\");
    }

    /// The bell, with the next frame.
    pub fn bell(&mut self) {
        self.begin();
        self.out.push(0x07);
    }

    /// Puts text on the clipboard of the terminal's user (OSC 52), with the next frame.
    pub fn copy(&mut self, text: &str) {
        let mut sequence = String::new();
        if CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence).is_ok() {
            self.begin();
            self.out.extend_from_slice(sequence.as_bytes());
        }
    }

    fn begin(&mut self) {
        if self.out.is_empty() {
            self.out.extend_from_slice(BEGIN);
        }
    }

    /// Writing to a `Vec` does not fail.
    fn sequence(&mut self, args: std::fmt::Arguments<'_>) {
        self.begin();
        let _ = self.out.write_fmt(args);
    }

    fn go(&mut self, to: Position) {
        let Some(at) = self.at else { return self.jump(to) };
        if at == to {
            return;
        }
        // Within a row or a column a step is never longer than naming the place.
        let (n, letter) = match (to.x.checked_sub(at.x), to.y.checked_sub(at.y)) {
            (Some(n), Some(0)) => (n, 'C'),
            (None, Some(0)) => (at.x - to.x, 'D'),
            (Some(0), Some(n)) => (n, 'B'),
            (Some(0), None) => (at.y - to.y, 'A'),
            _ => return self.jump(to),
        };
        match n {
            1 => self.sequence(format_args!("\x1b[{letter}")),
            n => self.sequence(format_args!("\x1b[{n}{letter}")),
        }
        self.at = Some(to);
    }

    fn jump(&mut self, to: Position) {
        match (to.x, to.y) {
            (0, 0) => self.sequence(format_args!("\x1b[H")),
            (0, y) => self.sequence(format_args!("\x1b[{}H", y + 1)),
            (x, y) => self.sequence(format_args!("\x1b[{};{}H", y + 1, x + 1)),
        }
        self.at = Some(to);
    }

    fn dip(&mut self, cell: &Cell) {
        let current = self.ink.unwrap_or(PLAIN);
        let mut want = Ink { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
        if cell.symbol() == " " {
            // On a blank only the ground is seen, and of the attributes those that draw on it.
            want.modifier = current.modifier.difference(ON_BLANKS).union(cell.modifier.intersection(ON_BLANKS));
            if !want.modifier.intersects(ON_BLANKS) {
                want.fg = current.fg;
            }
        }
        if self.ink == Some(want) {
            return;
        }
        let [changes, anew] = &mut self.scratch;
        changes.clear();
        anew.clear();
        // From nothing: an empty parameter resets all.
        anew.push(b';');
        turn_on(anew, want.modifier);
        colour(anew, want.fg, PLAIN.fg, true);
        colour(anew, want.bg, PLAIN.bg, false);
        let shorter = if self.ink.is_some() {
            let gone = current.modifier.difference(want.modifier);
            let weight = Modifier::BOLD.union(Modifier::DIM);
            let mut kept = current.modifier.difference(gone);
            for (modifier, off) in [
                (weight, &b"22;"[..]),
                (Modifier::ITALIC, b"23;"),
                (Modifier::UNDERLINED, b"24;"),
                (Modifier::SLOW_BLINK.union(Modifier::RAPID_BLINK), b"25;"),
                (Modifier::REVERSED, b"27;"),
                (Modifier::HIDDEN, b"28;"),
                (Modifier::CROSSED_OUT, b"29;"),
            ] {
                if gone.intersects(modifier) {
                    changes.extend_from_slice(off);
                    kept = kept.difference(modifier);
                }
            }
            turn_on(changes, want.modifier.difference(kept));
            colour(changes, want.fg, current.fg, true);
            colour(changes, want.bg, current.bg, false);
            changes.len() <= anew.len()
        } else {
            false
        };
        let [changes, anew] = &self.scratch;
        let chosen = if shorter { changes } else { anew };
        if let Some((_, codes)) = chosen.split_last() {
            if self.out.is_empty() {
                self.out.extend_from_slice(BEGIN);
            }
            self.out.extend_from_slice(b"\x1b[");
            self.out.extend_from_slice(codes);
            self.out.push(b'm');
        }
        self.ink = Some(want);
    }
}

fn turn_on(codes: &mut Vec<u8>, modifier: Modifier) {
    for (m, on) in [
        (Modifier::BOLD, &b"1;"[..]),
        (Modifier::DIM, b"2;"),
        (Modifier::ITALIC, b"3;"),
        (Modifier::UNDERLINED, b"4;"),
        (Modifier::SLOW_BLINK, b"5;"),
        (Modifier::RAPID_BLINK, b"6;"),
        (Modifier::REVERSED, b"7;"),
        (Modifier::HIDDEN, b"8;"),
        (Modifier::CROSSED_OUT, b"9;"),
    ] {
        if modifier.contains(m) {
            codes.extend_from_slice(on);
        }
    }
}

/// The code of a colour with its `;`, unless it is the current one.
fn colour(codes: &mut Vec<u8>, want: Color, current: Color, foreground: bool) {
    if want == current {
        return;
    }
    let (base, bright) = if foreground { (30, 90) } else { (40, 100) };
    let plain = match want {
        Color::Reset => base + 9,
        Color::Black => base,
        Color::Red => base + 1,
        Color::Green => base + 2,
        Color::Yellow => base + 3,
        Color::Blue => base + 4,
        Color::Magenta => base + 5,
        Color::Cyan => base + 6,
        Color::Gray => base + 7,
        Color::DarkGray => bright,
        Color::LightRed => bright + 1,
        Color::LightGreen => bright + 2,
        Color::LightYellow => bright + 3,
        Color::LightBlue => bright + 4,
        Color::LightMagenta => bright + 5,
        Color::LightCyan => bright + 6,
        Color::White => bright + 7,
        Color::Indexed(i) => return drop(write!(codes, "{};5;{i};", base + 8)),
        Color::Rgb(r, g, b) => return drop(write!(codes, "{};2;{r};{g};{b};", base + 8)),
    };
    drop(write!(codes, "{plain};"));
}

impl<S: Sink> Backend for Writer<S> {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let columns = self.sink.size()?.width;
        for (x, y, cell) in content {
            self.go(Position { x, y });
            self.dip(cell);
            let symbol = cell.symbol();
            self.begin();
            self.out.extend_from_slice(symbol.as_bytes());
            let next = x + cell.cell_width();
            // Where the terminal may count otherwise than we do, or is about to wrap, the next move names its place.
            let sure = next < columns && next == x + 1 && symbol.chars().nth(1).is_none();
            self.at = sure.then_some(Position { x: next, y });
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown != Some(false) {
            self.sequence(format_args!("\x1b[?25l"));
            self.cursor_shown = Some(false);
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown != Some(true) {
            self.sequence(format_args!("\x1b[?25h"));
            self.cursor_shown = Some(true);
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.at.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.go(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, kind: ClearType) -> io::Result<()> {
        // Erasing takes the ground that is set.
        self.sequence(format_args!("\x1b[m"));
        self.ink = Some(PLAIN);
        let erase = match kind {
            ClearType::All => "2J",
            ClearType::AfterCursor => "J",
            ClearType::BeforeCursor => "1J",
            ClearType::CurrentLine => "2K",
            ClearType::UntilNewLine => "K",
        };
        self.sequence(format_args!("\x1b[{erase}"));
        if kind == ClearType::All {
            // A resize may have moved the cursor.
            self.at = None;
        }
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        self.sink.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.sink.size()?, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.out.extend_from_slice(END);
        let sent = self.sink.send(&self.out);
        self.out.clear();
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    type Screen = Terminal<Writer<Recorder>>;

    fn screen(columns: u16, rows: u16) -> Screen {
        Terminal::new(Writer::new(Recorder::new(columns, rows))).unwrap()
    }

    fn draw(screen: &mut Screen, f: impl FnOnce(&mut Buffer)) -> String {
        screen.draw(|frame| f(frame.buffer_mut())).unwrap();
        let sent = String::from_utf8(screen.backend_mut().sink_mut().take()).unwrap();
        sent.strip_prefix("\x1b[?2026h").map_or(sent.clone(), |s| s.strip_suffix("\x1b[?2026l").unwrap().replace('\x1b', "^"))
    }

    const BLUE: Color = Color::Rgb(77, 181, 255);

    #[test]
    fn a_frame_in_which_nothing_changed_is_no_bytes_and_no_write() {
        let mut screen = screen(20, 2);
        let words = |buf: &mut Buffer| buf.set_string(0, 0, "on course", Style::new().fg(BLUE).bold());
        draw(&mut screen, words);
        assert_eq!(draw(&mut screen, words), "");
        assert_eq!(screen.backend_mut().sink_mut().frames, 1);
    }

    #[test]
    fn colours_and_attributes_are_sent_only_when_they_change_also_between_frames() {
        let mut screen = screen(20, 2);
        let first = draw(&mut screen, |buf| buf.set_string(0, 0, "ab", Style::new().fg(BLUE).bold()));
        assert_eq!(first, "^[H^[;1;38;2;77;181;255mab^[?25l");
        let second = draw(&mut screen, |buf| {
            buf.set_string(0, 0, "ab", Style::new().fg(BLUE).bold());
            buf.set_string(2, 0, "c", Style::new().fg(BLUE).bold());
            buf.set_string(3, 0, "d", Style::new().fg(BLUE));
            buf.set_string(4, 0, "e", Style::new());
        });
        assert_eq!(second, "c^[22md^[me");
    }

    #[test]
    fn the_cursor_moves_by_the_shorter_way() {
        let mut screen = screen(40, 4);
        draw(&mut screen, |_| {});
        let sent = draw(&mut screen, |buf| {
            buf.set_string(0, 1, "a", Style::new());
            buf.set_string(2, 1, "b", Style::new());
            buf.set_string(20, 1, "c", Style::new());
            buf.set_string(21, 2, "d", Style::new());
            buf.set_string(0, 3, "e", Style::new());
        });
        assert_eq!(sent, "^[2H^[ma^[Cb^[17Cc^[Bd^[4He");
    }

    #[test]
    fn blanks_have_no_foreground_but_where_they_are_reversed() {
        let mut screen = screen(20, 1);
        let sent = draw(&mut screen, |buf| {
            buf.set_style(Rect::new(0, 0, 20, 1), Style::new().bg(Color::Blue));
            buf.set_string(0, 0, "a", Style::new().fg(Color::Red));
            buf.set_string(1, 0, " ", Style::new().fg(Color::Green).bold());
            buf.set_string(2, 0, "b", Style::new().fg(Color::Red));
            buf.set_string(3, 0, " ", Style::new().fg(Color::Green).reversed());
        });
        assert!(sent.starts_with("^[H^[;31;44ma b^[7;32m ^[27m    "), "{sent}");
    }

    #[test]
    fn after_a_wide_character_and_at_the_right_edge_the_next_place_is_named() {
        let mut screen = screen(10, 2);
        draw(&mut screen, |_| {});
        let sent = draw(&mut screen, |buf| {
            buf.set_string(0, 0, "世a", Style::new());
            buf.set_string(9, 0, "z", Style::new());
            buf.set_string(0, 1, "b", Style::new());
        });
        assert_eq!(sent, "^[H^[m世^[1;3Ha^[6Cz^[2Hb");
    }

    #[test]
    fn a_shown_cursor_costs_bytes_only_when_it_moves() {
        let mut screen = screen(20, 2);
        let place = |screen: &mut Screen, x| {
            screen.draw(|frame| frame.set_cursor_position((x, 1))).unwrap();
            String::from_utf8(screen.backend_mut().sink_mut().take()).unwrap().replace('\x1b', "^")
        };
        assert_eq!(place(&mut screen, 3), "^[?2026h^[?25h^[2;4H^[?2026l");
        assert_eq!(place(&mut screen, 3), "");
        assert_eq!(place(&mut screen, 4), "^[?2026h^[C^[?2026l");
    }

    #[test]
    fn a_title_has_no_control_characters() {
        let mut screen = screen(20, 2);
        draw(&mut screen, |_| {});
        screen.backend_mut().set_title("✗ order\x07\x1b]0;evil");
        assert_eq!(draw(&mut screen, |_| {}), "^]2;✗ order]0;evil^\\");
    }

    #[test]
    fn without_colours_no_colour_code_is_written() {
        let mut screen = screen(20, 1);
        let sent = draw(&mut screen, |buf| {
            buf.set_string(0, 0, "bad", Style::new().bold().underlined());
            buf.set_string(3, 0, "old", Style::new().dim());
            buf.set_string(6, 0, "strip", Style::new().reversed());
            buf.set_string(11, 0, "plain", Style::new());
        });
        assert_eq!(sent, "^[H^[;1;4mbad^[;2mold^[;7mstrip^[mplain^[?25l");
    }

    /// A closed pipe is an error that the caller sees.
    struct Closed;
    impl Sink for Closed {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn size(&self) -> io::Result<Size> {
            Ok(Size::new(10, 1))
        }
    }

    #[test]
    fn a_closed_pipe_is_reported() {
        let mut terminal = Terminal::new(Writer::new(Closed)).unwrap();
        let result = terminal.draw(|frame| frame.buffer_mut().set_string(0, 0, "x", Style::new()));
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn what_a_terminal_shows_after_many_frames_is_what_was_drawn() {
        let mut screen = screen(30, 5);
        let mut shown = vt100::Parser::new(5, 30, 0);
        let mut seed = 1u32;
        let mut random = move |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % n
        };
        for _ in 0..200 {
            let cells: Vec<(u16, u16, &str, Style)> = (0..random(12))
                .map(|_| {
                    let mut style = Style::new();
                    for (i, m) in [Modifier::BOLD, Modifier::UNDERLINED, Modifier::REVERSED].into_iter().enumerate() {
                        style = if random(3) == i as u32 { style.add_modifier(m) } else { style };
                    }
                    style.fg = [None, Some(BLUE), Some(Color::Indexed(203)), Some(Color::Red)][random(4) as usize];
                    style.bg = [None, Some(Color::Rgb(1, 2, 3)), Some(Color::DarkGray)][random(3) as usize];
                    (random(10) as u16 * 3, random(5) as u16, ["ok", "  ", "─◆", "世", "x y"][random(5) as usize], style)
                })
                .collect();
            let mut drawn = Buffer::empty(Rect::new(0, 0, 30, 5));
            screen
                .draw(|frame| {
                    for (x, y, text, style) in &cells {
                        frame.buffer_mut().set_string(*x, *y, text, *style);
                    }
                    drawn = frame.buffer_mut().clone();
                })
                .unwrap();
            shown.process(&screen.backend_mut().sink_mut().take());
            let mut wide = 0;
            for (i, cell) in drawn.content.iter().enumerate() {
                if wide > 0 {
                    wide -= 1;
                    continue;
                }
                wide = cell.cell_width() - 1;
                let (x, y) = drawn.pos_of(i);
                let seen = shown.screen().cell(y, x).unwrap();
                let symbol = if seen.has_contents() { seen.contents() } else { " " };
                assert_eq!(symbol, cell.symbol(), "at {x},{y}");
                assert_eq!(seen.inverse(), cell.modifier.contains(Modifier::REVERSED), "at {x},{y}");
                assert_eq!(seen.underline(), cell.modifier.contains(Modifier::UNDERLINED), "at {x},{y}");
                assert_eq!(seen.bgcolor(), seen_as(cell.bg), "at {x},{y}");
                if cell.symbol() != " " {
                    assert_eq!(seen.bold(), cell.modifier.contains(Modifier::BOLD), "at {x},{y}");
                    assert_eq!(seen.fgcolor(), seen_as(cell.fg), "at {x},{y}");
                }
            }
        }
    }

    fn seen_as(colour: Color) -> vt100::Color {
        match colour {
            Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
            Color::Indexed(i) => vt100::Color::Idx(i),
            Color::Red => vt100::Color::Idx(1),
            Color::DarkGray => vt100::Color::Idx(8),
            _ => vt100::Color::Default,
        }
    }
}
