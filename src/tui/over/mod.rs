//! What floats: all keys, the palette, the story of an exercise, and the line where a reason is typed.

mod help;
mod palette;
mod story;

use super::model::{Model, Over};
use super::pen::{Pen, dim, key, strong, text};
use super::view::LEAST;
use super::widgets::overlay::Overlay;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Draws what floats, below the top lines; where the cursor belongs is returned.
pub fn draw(model: &Model, over: &Over, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) -> Option<Position> {
    let top = if area.height >= 34 { 6 } else { 4 };
    let below = Rect { y: area.y + top, height: area.height.saturating_sub(top + 1), ..area };
    if area.width < LEAST.0 || below.height < 6 {
        return None;
    }
    match over {
        Over::Help(scroll) => {
            help::draw(model, *scroll, below, buf, pen);
            None
        }
        Over::Story => {
            story::draw(model, below, buf, pen);
            None
        }
        Over::Palette(palette) => Some(palette::draw(model, palette, below, buf, pen)),
        Over::Reason { verb, rollout, text: field } => {
            let place = Overlay::place(below, 80, 5);
            let inside = Overlay { title: vec![strong("why")], note: Vec::new() }.draw(below, place, buf, pen);
            let verb = format!("{verb:?} {rollout}").to_lowercase();
            pen.bits(buf, inside.x, inside.y, inside.width, &[text(verb.as_str()), dim("   the reason goes into the log")]);
            let cursor = field.draw(Rect { y: inside.y + 1, height: 1, ..inside }, buf, pen);
            pen.bits(buf, inside.x, inside.y + 2, inside.width, &[key("Enter"), dim(" do it   "), key("Esc"), dim(" leave it")]);
            Some(cursor)
        }
        Over::Filter(_) => None,
    }
}
