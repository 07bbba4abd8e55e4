//! Bars of a share: full once on a screen, thin in tables and as progress.
//!
//! A share above 0 never draws as nothing, and one below the whole never as all. Want is marked only where it differs from
//! seen by more than 2 points: below that it is noise.

use crate::tui::glyphs::{EIGHTHS, GlyphSet};
use crate::tui::pen::Pen;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Seen and want differ visibly above this share of the whole.
pub const DRIFT: f64 = 0.02;

/// A share, as a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// What is seen, from 0 to 1; the new share grows from the left.
    pub seen: f64,
    /// What is wanted.
    pub want: Option<f64>,
    /// The role of the share: `new` in a split, others in progress.
    pub role: Role,
    /// Full height, or a line.
    pub full: bool,
}

impl Bar {
    /// A thin split bar.
    pub fn split(seen: f64, want: Option<f64>) -> Bar {
        Bar { seen, want, role: Role::New, full: false }
    }

    /// A thin bar of progress.
    pub fn progress(share: f64, role: Role) -> Bar {
        Bar { seen: share, want: None, role, full: false }
    }

    /// Draws the bar over the first row of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        if area.height == 0 || area.width == 0 {
            return;
        }
        let parts = if self.full { 8 } else { 2 };
        let filled = parts_of(self.seen, area.width, parts);
        for i in 0..area.width {
            let part = filled.saturating_sub(i * parts).min(parts);
            if self.full { self.full_cell(area.x + i, area.y, part, buf, pen) } else { self.thin_cell(area.x + i, area.y, part, buf, pen) }
        }
        if let Some(want) = self.want.filter(|want| (want - self.seen).abs() > DRIFT + 1e-9) {
            let i = ((want.clamp(0.0, 1.0) * f64::from(area.width)).round() as u16).min(area.width - 1);
            pen.put(buf, area.x + i, area.y, '│', Role::Strong);
            let under = if filled.saturating_sub(i * parts) >= parts / 2 { self.role } else { Role::OldFill };
            if let (true, Some(ground), Some(cell)) =
                (self.full && pen.set() != GlyphSet::Ascii, pen.style(under).fg, buf.cell_mut((area.x + i, area.y)))
            {
                cell.bg = ground;
            }
        }
    }

    fn thin_cell(&self, x: u16, y: u16, part: u16, buf: &mut Buffer, pen: &Pen<'_>) {
        let (c, role) = match part {
            0 => ('─', Role::Faint),
            1 => ('╾', self.role),
            _ => ('━', self.role),
        };
        pen.put(buf, x, y, c, role);
    }

    fn full_cell(&self, x: u16, y: u16, part: u16, buf: &mut Buffer, pen: &Pen<'_>) {
        let rest = pen.style(Role::OldFill).fg;
        match part {
            8.. => pen.put(buf, x, y, '█', self.role),
            // Without colours the rest is told apart by its weave.
            0 => pen.put(buf, x, y, if rest.is_some() && pen.set() != GlyphSet::Ascii { '█' } else { '░' }, Role::OldFill),
            _ => {
                let eighth = EIGHTHS.get(usize::from(part) - 1).copied().unwrap_or('▌');
                pen.put(buf, x, y, eighth, self.role);
                if let (Some(ground), Some(cell), true) = (rest, buf.cell_mut((x, y)), pen.set() != GlyphSet::Ascii) {
                    cell.bg = ground;
                }
            }
        }
    }
}

/// How many of `width` cells' parts a share fills: at least one when it is above 0, not all when it is below 1.
fn parts_of(share: f64, width: u16, parts: u16) -> u16 {
    let all = width.saturating_mul(parts);
    let share = share.clamp(0.0, 1.0);
    let filled = (share * f64::from(all)).round() as u16;
    if share > 0.0 && share < 1.0 { filled.clamp(1, all.saturating_sub(1).max(1)) } else { filled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Mode, Theme, Tier};

    fn draw(bar: Bar, width: u16, tier: Tier, set: GlyphSet) -> String {
        let theme = Theme::load(None, Mode::Dark, tier).unwrap();
        let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
        bar.draw(buf.area, &mut buf, &Pen::new(&theme, set));
        buf.content.iter().map(|c| c.symbol()).collect()
    }

    fn thin(seen: f64, want: Option<f64>) -> String {
        draw(Bar::split(seen, want), 20, Tier::True, GlyphSet::Braille)
    }

    #[test]
    fn thin_bars_show_halves_of_a_cell_and_never_hide_a_share() {
        assert_eq!(thin(0.0, None), "────────────────────");
        assert_eq!(thin(0.001, None), "╾───────────────────");
        assert_eq!(thin(0.15, None), "━━━─────────────────");
        assert_eq!(thin(0.17, None), "━━━╾────────────────");
        assert_eq!(thin(0.999, None), "━━━━━━━━━━━━━━━━━━━╾");
        assert_eq!(thin(1.0, None), "━━━━━━━━━━━━━━━━━━━━");
    }

    #[test]
    fn want_is_marked_where_it_differs_by_more_than_two_points() {
        assert_eq!(thin(0.15, Some(0.17)), "━━━─────────────────");
        assert_eq!(thin(0.214, Some(0.18)), "━━━━│───────────────");
        assert_eq!(thin(0.0, Some(1.0)), "───────────────────│");
    }

    #[test]
    fn the_full_bar_uses_eighths_and_in_mono_and_ascii_a_weave() {
        let full = |seen| Bar { seen, want: None, role: Role::New, full: true };
        assert_eq!(draw(full(0.16), 10, Tier::True, GlyphSet::Braille), "█▋████████");
        assert_eq!(draw(full(0.16), 10, Tier::Mono, GlyphSet::Braille), "█▋░░░░░░░░");
        assert_eq!(draw(full(0.16), 10, Tier::Mono, GlyphSet::Ascii), "#=........");
        assert_eq!(draw(full(0.16), 10, Tier::True, GlyphSet::Ascii), "#=........");
    }
}
