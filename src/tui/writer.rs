//! The compact terminal writer: a ratatui backend that sends as few bytes as it can, one write a frame.
//!
//! Foreground, ground and attributes are each sent only when they change, also from one frame to the next; the cursor moves by
//! the shorter of two sequences; blanks have no foreground; cells go row by row or colour by colour, whichever is shorter; a
//! frame that might be seen half drawn is wrapped in synchronized output; and a frame in which nothing changed is 0 bytes. Must never know what a cell means. Known weakness: it believes unicode-width, so where a
//! terminal draws an ambiguous character two cells wide the rest of that run is misplaced.

use crossterm::{Command, clipboard::CopyToClipboard};
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Cell, CellWidth};
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::io::{self, Write};

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// A shorter frame arrives in one piece, so it cannot be seen half drawn.
const SMALL: usize = 256;

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

/// A changed cell and its place.
type Change<'a> = (u16, u16, &'a Cell);

/// The backend.
pub struct Writer<S> {
    sink: S,
    out: Vec<u8>,
    hand: Hand,
    cursor_shown: Option<bool>,
    title: String,
    erases: bool,
}

impl<S: Sink> Writer<S> {
    /// A writer to a terminal of which nothing is known.
    pub fn new(sink: S) -> Writer<S> {
        Writer { sink, out: Vec::new(), hand: Hand::default(), cursor_shown: None, title: String::new(), erases: true }
    }

    /// Writes long blanks out, for a terminal that does not erase in the ground that is set: GNU screen.
    pub fn without_erasing(self) -> Writer<S> {
        Writer { erases: false, ..self }
    }

    /// Where the frames go.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Forgets what the terminal shows, after somebody else has written to it. `Terminal::clear` then draws it anew.
    pub fn forget(&mut self) {
        (self.hand, self.cursor_shown) = (Hand::default(), None);
        self.title.clear();
    }

    /// The title of the window, with the next frame; nothing where it is the one that the window has.
    pub fn set_title(&mut self, title: &str) {
        let title: String = title.chars().filter(|c| !c.is_control()).collect();
        if title != self.title {
            write_to(self.frame(), format_args!("\x1b]2;{title}\x1b\\"));
            self.title = title;
        }
    }

    /// The bell, with the next frame.
    pub fn bell(&mut self) {
        self.frame().push(0x07);
    }

    /// Puts text on the clipboard of the terminal's user (OSC 52), with the next frame.
    pub fn copy(&mut self, text: &str) {
        let mut sequence = String::new();
        if CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence).is_ok() {
            self.frame().extend_from_slice(sequence.as_bytes());
        }
    }

    /// The bytes of this frame, begun.
    fn frame(&mut self) -> &mut Vec<u8> {
        if self.out.is_empty() {
            self.out.extend_from_slice(BEGIN);
        }
        &mut self.out
    }
}

/// Writing to a `Vec` does not fail.
fn write_to(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(args);
}

/// Where the terminal's cursor is and what its pen is set to. What is not known (after a resize, after somebody else wrote) is `None`.
#[derive(Clone, Copy, Default)]
struct Hand {
    ink: Option<Ink>,
    at: Option<Position>,
}

impl Hand {
    /// Draws cells in the order given, on a terminal of `columns`; `erases` is whether it erases in the ground that is set.
    fn draw(&mut self, changes: &[Change<'_>], columns: u16, erases: bool, out: &mut Vec<u8>) {
        let mut rest = changes;
        while let Some(((x, y, cell), more)) = rest.split_first() {
            rest = more;
            self.go(Position { x: *x, y: *y }, out);
            self.dip(cell, out);
            let blanks = if erases { blanks(x, y, cell, more) } else { 0 };
            if blanks >= LONG_BLANKS {
                // The cursor stays where it is.
                match x + blanks {
                    end if end == columns => out.extend_from_slice(b"\x1b[K"),
                    _ => write_to(out, format_args!("\x1b[{blanks}X")),
                }
                rest = more.get(usize::from(blanks) - 1..).unwrap_or_default();
                continue;
            }
            out.extend_from_slice(cell.symbol().as_bytes());
            // Where the terminal may count otherwise than we do, or is about to wrap, the next move names its place.
            let next = x + 1;
            self.at = (next < columns && is_plain(cell)).then_some(Position { x: next, y: *y });
        }
    }

    fn go(&mut self, to: Position, out: &mut Vec<u8>) {
        let Some(at) = self.at else { return self.jump(to, out) };
        if at == to {
            return;
        }
        // Within a row or a column a step is never longer than naming the place.
        let (n, letter) = match (to.x.checked_sub(at.x), to.y.checked_sub(at.y)) {
            (Some(n), Some(0)) => (n, 'C'),
            (None, Some(0)) => (at.x - to.x, 'D'),
            (Some(0), Some(n)) => (n, 'B'),
            (Some(0), None) => (at.y - to.y, 'A'),
            _ => return self.jump(to, out),
        };
        match n {
            1 => write_to(out, format_args!("\x1b[{letter}")),
            n => write_to(out, format_args!("\x1b[{n}{letter}")),
        }
        self.at = Some(to);
    }

    fn jump(&mut self, to: Position, out: &mut Vec<u8>) {
        match (to.x, to.y) {
            (0, 0) => write_to(out, format_args!("\x1b[H")),
            (0, y) => write_to(out, format_args!("\x1b[{}H", y + 1)),
            (x, y) => write_to(out, format_args!("\x1b[{};{}H", y + 1, x + 1)),
        }
        self.at = Some(to);
    }

    /// The ink that a cell needs; on a blank only the ground is seen, and of the attributes those that draw on it.
    fn needed(&self, cell: &Cell) -> Ink {
        let current = self.ink.unwrap_or(PLAIN);
        let mut want = Ink { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
        if cell.symbol() == " " {
            want.modifier = current.modifier.difference(ON_BLANKS).union(cell.modifier.intersection(ON_BLANKS));
            if !want.modifier.intersects(ON_BLANKS) {
                want.fg = current.fg;
            }
        }
        want
    }

    fn dip(&mut self, cell: &Cell, out: &mut Vec<u8>) {
        let want = self.needed(cell);
        if self.ink == Some(want) {
            return;
        }
        // From nothing: an empty parameter resets all.
        let start = out.len();
        out.extend_from_slice(b"\x1b[;");
        turn_on(out, want.modifier);
        colour(out, want.fg, PLAIN.fg, true);
        colour(out, want.bg, PLAIN.bg, false);
        if let Some(current) = self.ink {
            let middle = out.len();
            out.extend_from_slice(b"\x1b[");
            changes(out, current, want);
            // Of the two the shorter stays.
            if out.len() - middle <= middle - start {
                out.drain(start..middle);
            } else {
                out.truncate(middle);
            }
        }
        // The last `;` becomes the end.
        if let Some(last) = out.last_mut() {
            *last = b'm';
        }
        self.ink = Some(want);
    }
}

/// From how many blanks on erasing them, and going on behind them, is shorter than writing them.
const LONG_BLANKS: u16 = 10;

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && !cell.modifier.intersects(ON_BLANKS)
}

/// How many blanks of one ground start with the cell at (x, y).
fn blanks(x: &u16, y: &u16, cell: &Cell, more: &[Change<'_>]) -> u16 {
    if !is_blank(cell) {
        return 0;
    }
    let alike = more.iter().zip(x + 1..).take_while(|((bx, by, b), x)| bx == x && by == y && is_blank(b) && b.bg == cell.bg);
    1 + alike.count() as u16
}

/// Whether a cell surely takes one column.
fn is_plain(cell: &Cell) -> bool {
    cell.symbol().chars().nth(1).is_none() && cell.cell_width() == 1
}

/// The cells by ink instead of by place, each ink once, the current one first; blanks with a neighbour or any ink of their
/// ground. `None` where the order of drawing matters.
fn by_ink<'a>(changes: &[Change<'a>], hand: &Hand) -> Option<Vec<Change<'a>>> {
    let mut inks: Vec<Ink> = hand.ink.into_iter().collect();
    let mut groups: Vec<usize> = Vec::with_capacity(changes.len());
    let mut before: Option<(u16, u16, usize)> = None;
    for (x, y, cell) in changes {
        if !is_plain(cell) {
            return None;
        }
        let blank = is_blank(cell);
        let fits = |ink: &Ink| ink.bg == cell.bg && (!blank || !ink.modifier.intersects(ON_BLANKS));
        let same = |ink: &Ink| fits(ink) && (blank || ink.fg == cell.fg && ink.modifier == cell.modifier);
        let neighbour = before.filter(|(bx, by, g)| blank && bx + 1 == *x && by == y && inks.get(*g).is_some_and(fits)).map(|(.., g)| g);
        let group = neighbour.or_else(|| inks.iter().position(same)).unwrap_or(inks.len());
        if group == inks.len() {
            inks.push(Ink { fg: cell.fg, bg: cell.bg, modifier: cell.modifier });
        }
        before = Some((*x, *y, group));
        groups.push(group);
    }
    let mut sorted: Vec<(usize, Change<'a>)> = groups.into_iter().zip(changes.iter().copied()).collect();
    sorted.sort_by_key(|(group, _)| *group);
    Some(sorted.into_iter().map(|(_, change)| change).collect())
}

/// The codes that lead from one ink to another, each with its `;`.
fn changes(codes: &mut Vec<u8>, current: Ink, want: Ink) {
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
            codes.extend_from_slice(off);
            kept = kept.difference(modifier);
        }
    }
    turn_on(codes, want.modifier.difference(kept));
    colour(codes, want.fg, current.fg, true);
    colour(codes, want.bg, current.bg, false);
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

    fn draw<'a, I: Iterator<Item = Change<'a>>>(&mut self, content: I) -> io::Result<()> {
        let columns = self.sink.size()?.width;
        let changes: Vec<Change<'_>> = content.collect();
        if changes.is_empty() {
            return Ok(());
        }
        let start = self.frame().len();
        let mut hand = self.hand;
        self.hand.draw(&changes, columns, self.erases, &mut self.out);
        // Few numbers in many colours are shorter colour by colour, a whole pane is shorter row by row: the shorter is sent.
        let rows = self.out.len() - start;
        if let Some(sorted) = by_ink(&changes, &hand) {
            let middle = self.out.len();
            hand.draw(&sorted, columns, self.erases, &mut self.out);
            if self.out.len() - middle < rows {
                self.out.drain(start..middle);
                self.hand = hand;
            } else {
                self.out.truncate(middle);
            }
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown != Some(false) {
            self.frame().extend_from_slice(b"\x1b[?25l");
            self.cursor_shown = Some(false);
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown != Some(true) {
            self.frame().extend_from_slice(b"\x1b[?25h");
            self.cursor_shown = Some(true);
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.hand.at.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.hand.at != Some(position) {
            self.frame();
            self.hand.go(position, &mut self.out);
        }
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, kind: ClearType) -> io::Result<()> {
        let erase = match kind {
            ClearType::All => "2J",
            ClearType::AfterCursor => "J",
            ClearType::BeforeCursor => "1J",
            ClearType::CurrentLine => "2K",
            ClearType::UntilNewLine => "K",
        };
        // Erasing takes the ground that is set.
        write_to(self.frame(), format_args!("\x1b[m\x1b[{erase}"));
        self.hand.ink = Some(PLAIN);
        if kind == ClearType::All {
            // A resize may have moved the cursor.
            self.hand.at = None;
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
        let sent = if self.out.len() < SMALL {
            self.sink.send(self.out.get(BEGIN.len()..).unwrap_or_default())
        } else {
            self.out.extend_from_slice(END);
            self.sink.send(&self.out)
        };
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
        String::from_utf8(screen.backend_mut().sink_mut().take()).unwrap().replace('\x1b', "^")
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
        assert!(sent.starts_with("^[H^[;31;44ma b^[7;32m ^[27m^[K"), "{sent}");
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
        assert_eq!(place(&mut screen, 3), "^[?25h^[2;4H");
        assert_eq!(place(&mut screen, 3), "");
        assert_eq!(place(&mut screen, 4), "^[C");
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
                    (random(10) as u16 * 3, random(5) as u16, ["ok", "                     ", "─◆", "世", "x y"][random(5) as usize], style)
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

    #[test]
    fn a_frame_that_might_be_seen_half_drawn_is_synchronized() {
        let mut screen = screen(80, 24);
        let sent = draw(&mut screen, |buf| (0..24).for_each(|y| buf.set_string(0, y, "eighty columns are not needed", Style::new())));
        assert!(sent.starts_with("^[?2026h") && sent.ends_with("^[?2026l"));
        assert_eq!(screen.backend_mut().sink_mut().frames, 1);
    }

    #[test]
    fn long_blanks_are_erased_in_their_ground_and_written_where_a_terminal_cannot() {
        let wide = |screen: &mut Screen| {
            draw(screen, |_| {});
            draw(screen, |buf| {
                buf.set_style(Rect::new(0, 0, 40, 1), Style::new().bg(Color::Blue));
                buf.set_string(20, 0, "x", Style::new());
            })
        };
        assert_eq!(wide(&mut screen(40, 1)), "^[H^[;44m^[20X^[20Cx^[K");
        let mut other = Terminal::new(Writer::new(Recorder::new(40, 1)).without_erasing()).unwrap();
        assert_eq!(wide(&mut other), format!("^[H^[;44m{}x{}", " ".repeat(20), " ".repeat(19)));
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
