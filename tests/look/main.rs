//! A whole screen made of the parts, beside the pictures: its text, what its colours mean, and its bytes on the wire.

mod demo;

use demo::Demo;
use flightdeck::tui::glyphs::GlyphSet;
use flightdeck::tui::pen::Pen;
use flightdeck::tui::theme::{Mode, Role, Theme, Tier};
use flightdeck::tui::writer::{Recorder, Writer};
use flightdeck::units::Span;
use ratatui::Terminal;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

fn theme(tier: Tier) -> Theme {
    Theme::load(None, Mode::Dark, tier).unwrap()
}

fn drawn(demo: &Demo, tier: Tier, set: GlyphSet, width: u16, height: u16) -> Buffer {
    let theme = theme(tier);
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    demo.draw(&mut buf, &Pen::new(&theme, set));
    buf
}

fn text(buf: &Buffer) -> String {
    let row = |cells: &[ratatui::buffer::Cell]| format!("|{}", cells.iter().map(|c| c.symbol()).collect::<String>().trim_end());
    buf.content.chunks(usize::from(buf.area.width)).map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_rollout_on_course_at_120x36_is_picture_01() {
    insta::assert_snapshot!(text(&drawn(&Demo::well(), Tier::True, GlyphSet::Braille, 120, 36)));
}

#[test]
fn a_failing_rollout_at_80x24_is_picture_05() {
    insta::assert_snapshot!(text(&drawn(&Demo::failing(), Tier::True, GlyphSet::Braille, 80, 24)));
}

#[test]
fn a_failing_rollout_in_ascii_is_picture_23() {
    let buf = drawn(&Demo::failing(), Tier::Mono, GlyphSet::Ascii, 120, 36);
    assert!(buf.content.iter().all(|c| c.symbol().is_ascii()));
    insta::assert_snapshot!(text(&buf));
}

#[test]
fn when_all_is_well_nothing_is_red_and_no_strip_is_on_the_screen() {
    let theme = theme(Tier::True);
    let buf = drawn(&Demo::well(), Tier::True, GlyphSet::Braille, 120, 36);
    let bad = theme.style(Role::Bad).fg;
    let strips = [Role::Alarm, Role::Caution, Role::Proof].map(|r| theme.style(r).bg);
    assert!(buf.content.iter().all(|c| Some(c.fg) != bad && !strips.contains(&Some(c.bg))));
}

#[test]
fn failing_is_one_strip_from_edge_to_edge_with_the_key_in_swapped_colours() {
    let theme = theme(Tier::True);
    let buf = drawn(&Demo::failing(), Tier::True, GlyphSet::Braille, 120, 36);
    let alarm = theme.style(Role::Alarm);
    for (i, cell) in buf.content.iter().enumerate() {
        let (x, y) = buf.pos_of(i);
        let (plate, strip) = (y == 4 && x < 14, y == 3 || y == 4 || y == 35 && x < 13);
        if plate {
            assert_eq!((Some(cell.fg), Some(cell.bg)), (alarm.bg, alarm.fg), "the key at {x},{y}");
        } else {
            assert_eq!(Some(cell.bg) == alarm.bg, strip, "the strip at {x},{y}");
        }
    }
}

#[test]
fn without_colours_the_key_stands_out_of_the_strip_and_the_text_is_the_same() {
    let colour = drawn(&Demo::failing(), Tier::True, GlyphSet::Braille, 120, 36);
    let mono = drawn(&Demo::failing(), Tier::Mono, GlyphSet::Braille, 120, 36);
    assert!(mono.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    let reversed = |x, y| mono[(x, y)].modifier.contains(Modifier::REVERSED);
    assert!((0..120).all(|x| reversed(x, 3) && reversed(x, 4) == (x >= 14)));
    assert!((0..14).all(|x| mono[(x, 4)].modifier.contains(Modifier::UNDERLINED)));
    // Only the rest of the full bar is woven where it cannot be coloured.
    for (a, b) in colour.content.iter().zip(&mono.content) {
        assert!(a.symbol() == b.symbol() || b.symbol() == "░");
    }
}

#[test]
fn the_layout_is_the_same_in_every_glyph_set() {
    let column = |set, word: &str| {
        let buf = drawn(&Demo::failing(), Tier::True, set, 120, 36);
        let cells: Vec<&str> = buf.content.iter().map(|c| c.symbol()).collect();
        let word: Vec<String> = word.chars().map(|c| c.to_string()).collect();
        cells.windows(word.len()).position(|w| w.iter().zip(&word).all(|(a, b)| a == b))
    };
    for word in ["order-service", "ROLL BACK", "retire", "REGIONS", "eu-west-1", "VERDICT", "EVENTS", "check 2 of 5", "help"] {
        let place = column(GlyphSet::Braille, word);
        assert!(place.is_some(), "{word}");
        assert_eq!(place, column(GlyphSet::Block, word), "{word}");
        assert_eq!(place, column(GlyphSet::Ascii, word), "{word}");
    }
}

/// A terminal of 200x50 and what each frame of a demo costs on it.
struct Wire {
    terminal: Terminal<Writer<Recorder>>,
    theme: Theme,
}

impl Wire {
    fn new(tier: Tier) -> Wire {
        Wire { terminal: Terminal::new(Writer::new(Recorder::new(200, 50))).unwrap(), theme: theme(tier) }
    }
    fn bytes(&mut self, demo: &Demo) -> usize {
        let pen = Pen::new(&self.theme, GlyphSet::Braille);
        self.terminal.draw(|frame| demo.draw(frame.buffer_mut(), &pen)).unwrap();
        self.terminal.backend_mut().sink_mut().take().len()
    }
}

#[test]
fn an_unchanged_screen_is_no_bytes_and_a_move_of_the_selection_few() {
    let mut wire = Wire::new(Tier::True);
    let mut demo = Demo { selected: Some(3), ..Demo::well() };
    wire.bytes(&demo);
    assert_eq!(wire.bytes(&demo), 0);
    demo.selected = Some(4);
    assert_eq!(wire.bytes(&demo), 231);
    demo.selected = Some(3);
    let back = wire.bytes(&demo);
    assert!(back <= 300, "{back}");
    assert_eq!(wire.bytes(&demo), 0);
}

/// The bytes of each of `seconds` in which all numbers change.
fn lively(tier: Tier, seconds: usize) -> Vec<usize> {
    let mut wire = Wire::new(tier);
    let mut demo = Demo { lively: true, ..Demo::well() };
    wire.bytes(&demo);
    let second = |_| {
        demo.now += Span::secs(1);
        wire.bytes(&demo)
    };
    (0..seconds).map(second).collect()
}

#[test]
fn a_second_with_all_numbers_changing_is_600_bytes_in_the_mean_and_4096_at_most() {
    // Long enough for both charts to be turned.
    let sizes = lively(Tier::True, 330);
    let (mean, most) = (sizes.iter().sum::<usize>() / sizes.len(), sizes.iter().copied().max().unwrap());
    assert!(mean <= 600 && most <= 4096, "mean {mean}, most {most}");
    assert!(most > 1500, "no chart was turned, so this shows nothing");
}

#[test]
fn fewer_colours_are_fewer_bytes() {
    let sums = [Tier::True, Tier::Indexed, Tier::Ansi, Tier::Mono].map(|tier| lively(tier, 30).iter().sum::<usize>());
    assert!(sums.is_sorted_by(|a, b| a > b), "{sums:?}");
}
