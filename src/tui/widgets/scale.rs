//! The y axis of a chart: a ceiling that does not jump, and three to five labels.

use crate::tui::format;

/// What the values of a chart are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Percent.
    Percent,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// A number of things.
    Count,
}

impl Unit {
    /// A label of at most five columns; only the top one carries the unit.
    fn label(self, value: f64, top: bool) -> String {
        let (value, suffix) = match self {
            Unit::Percent => (value, " %"),
            Unit::Millis if value.abs() >= 10_000.0 => (value / 1000.0, " s"),
            Unit::Millis => (value, "ms"),
            Unit::Count | Unit::Seconds if value.abs() >= 10_000.0 => (value / 1000.0, " k"),
            Unit::Seconds => (value, " s"),
            Unit::Count => (value, ""),
        };
        // What changes the meaning of the number stays with it, the unit only at the top.
        let scaled = suffix == " k" || self == Unit::Millis && suffix == " s";
        let decimals = if scaled || value.abs() >= 100.0 { 1.0 } else { 100.0 };
        let number = format!("{}", (value * decimals).round() / decimals);
        if scaled || top && number.len() + suffix.len() <= 5 { number + suffix } else { number }
    }
}

/// The highest value on the axis: a base, doubled as often as the data needs. It grows at once and shrinks only at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    base: f64,
    doubled: i32,
}

impl Ceiling {
    /// For a chart with a limit: one and a half times the limit.
    pub fn over_limit(limit: f64) -> Ceiling {
        Ceiling { base: if limit > 0.0 { limit * 1.5 } else { 1.0 }, doubled: 0 }
    }

    /// For a chart without: twice the old version's median at launch, rounded up to 1, 2, 3 or 5 of its power of ten.
    pub fn over_median(median: f64) -> Ceiling {
        let want = if median > 0.0 { median * 2.0 } else { 1.0 };
        let ten = 10f64.powf(want.log10().floor());
        let base = [1.0, 2.0, 3.0, 5.0, 10.0].into_iter().map(|n| n * ten).find(|n| *n >= want * 0.999_999).unwrap_or(10.0 * ten);
        Ceiling { base, doubled: 0 }
    }

    /// A ceiling that never moves.
    pub fn fixed(value: f64) -> Ceiling {
        Ceiling { base: value, doubled: 0 }
    }

    /// The value.
    pub fn value(&self) -> f64 {
        self.base * 2f64.powi(self.doubled)
    }

    /// Grows when a value has passed it.
    pub fn see(&mut self, most: f64) {
        while most > self.value() && self.doubled < 40 {
            self.doubled += 1;
        }
    }

    /// At a step of the rollout: as low as `most`, the highest value still on the chart, allows.
    pub fn step(&mut self, most: f64) {
        self.doubled = 0;
        self.see(most);
    }
}

/// The y axis: from `floor` to `ceiling`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The lowest value.
    pub floor: f64,
    /// The highest value.
    pub ceiling: f64,
    /// What the values are.
    pub unit: Unit,
}

/// A label of the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The row in the plot, from the top.
    pub row: u16,
    /// At most five columns.
    pub label: String,
    /// Whether it is the limit.
    pub limit: bool,
}

impl Scale {
    /// From 0 to a ceiling.
    pub fn new(ceiling: &Ceiling, unit: Unit) -> Scale {
        Scale { floor: 0.0, ceiling: ceiling.value(), unit }
    }

    /// As far below 0 as above it.
    pub fn around_zero(ceiling: &Ceiling, unit: Unit) -> Scale {
        Scale { floor: -ceiling.value(), ..Scale::new(ceiling, unit) }
    }

    /// The dot of a value in `rows` of four, from the top; at the edge where it lies outside.
    pub fn dot(&self, value: f64, rows: u16) -> u16 {
        let dots = rows.saturating_mul(4);
        let share = ((self.ceiling - value) / (self.ceiling - self.floor)).clamp(0.0, 1.0);
        ((share * f64::from(dots)) as u16).min(dots.saturating_sub(1))
    }

    /// The labels for a plot of `rows`, one in a row; the limit before the top, the bottom and the rest.
    pub fn ticks(&self, rows: u16, limit: Option<f64>) -> Vec<Tick> {
        let between = if self.floor < 0.0 {
            vec![0.0]
        } else if limit.is_none() && rows < 6 {
            Vec::new()
        } else if is_short(self.ceiling / 3.0) {
            vec![self.ceiling / 3.0, self.ceiling * 2.0 / 3.0]
        } else {
            vec![self.ceiling / 2.0]
        };
        let mut ticks: Vec<Tick> = Vec::new();
        let mut add = |value: f64, label: String, limit: bool| {
            let row = self.dot(value, rows) / 4;
            if rows > 0 && ticks.iter().all(|t| t.row != row) {
                ticks.push(Tick { row, label, limit });
            }
        };
        if let Some(value) = limit.filter(|v| *v <= self.ceiling) {
            let label = if self.unit == Unit::Percent { format::limit(value) } else { self.unit.label(value, false) };
            add(value, label, true);
        }
        for value in [self.ceiling, self.floor].into_iter().chain(between) {
            add(value, self.unit.label(value, value == self.ceiling), false);
        }
        ticks
    }
}

/// Whether a value is written with at most two digits.
fn is_short(value: f64) -> bool {
    let digits = value / 10f64.powf(value.abs().log10().floor() - 1.0);
    (digits - digits.round()).abs() < 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, rows: u16, limit: Option<f64>) -> Vec<(u16, String)> {
        let mut ticks: Vec<_> = scale.ticks(rows, limit).into_iter().map(|t| (t.row, t.label)).collect();
        ticks.sort();
        ticks
    }

    fn owned(ticks: &[(u16, &str)]) -> Vec<(u16, String)> {
        ticks.iter().map(|(row, label)| (*row, (*label).to_owned())).collect()
    }

    #[test]
    fn the_ceiling_grows_at_once_and_shrinks_only_at_a_step() {
        let mut ceiling = Ceiling::over_limit(2.0);
        assert_eq!(ceiling.value(), 3.0);
        ceiling.see(4.8);
        assert_eq!(ceiling.value(), 6.0);
        ceiling.see(0.3);
        assert_eq!(ceiling.value(), 6.0);
        ceiling.step(0.3);
        assert_eq!(ceiling.value(), 3.0);
        ceiling.see(f64::INFINITY);
        assert!(ceiling.value().is_finite());
    }

    #[test]
    fn without_a_limit_it_is_twice_the_median_rounded_up() {
        assert_eq!([138.0, 40.0, 100.0, 0.9, 260.0].map(|m| Ceiling::over_median(m).value()), [300.0, 100.0, 200.0, 2.0, 1000.0]);
        assert_eq!(Ceiling::over_median(0.0).value(), 1.0);
    }

    #[test]
    fn labels_stand_where_the_pictures_have_them() {
        let percent = |ceiling| Scale { floor: 0.0, ceiling, unit: Unit::Percent };
        assert_eq!(labels(percent(3.0), 11, Some(2.0)), owned(&[(0, "3 %"), (3, "2.0"), (7, "1"), (10, "0")]));
        assert_eq!(labels(percent(6.0), 11, Some(2.0)), owned(&[(0, "6 %"), (3, "4"), (7, "2.0"), (10, "0")]));
        assert_eq!(labels(percent(6.0), 4, Some(2.0)), owned(&[(0, "6 %"), (1, "4"), (2, "2.0"), (3, "0")]));
        assert_eq!(labels(percent(6.0), 6, Some(2.0)), owned(&[(0, "6 %"), (2, "4"), (4, "2.0"), (5, "0")]));
        assert_eq!(labels(percent(100.0), 7, None), owned(&[(0, "100 %"), (3, "50"), (6, "0")]));
        let millis = Scale { floor: 0.0, ceiling: 300.0, unit: Unit::Millis };
        assert_eq!(labels(millis, 4, None), owned(&[(0, "300ms"), (3, "0")]));
        assert_eq!(labels(millis, 9, None), owned(&[(0, "300ms"), (3, "200"), (6, "100"), (8, "0")]));
    }

    #[test]
    fn large_values_keep_their_thousands_and_no_label_is_wider_than_five() {
        let tick = |unit, ceiling| labels(Scale { floor: 0.0, ceiling, unit }, 9, None).into_iter().map(|(_, l)| l).collect::<Vec<_>>();
        assert_eq!(tick(Unit::Count, 60_000.0), ["60 k", "40 k", "20 k", "0"]);
        assert_eq!(tick(Unit::Millis, 20_000.0), ["20 s", "10 s", "0"]);
        for unit in [Unit::Percent, Unit::Millis, Unit::Seconds, Unit::Count] {
            for base in [0.07, 0.25, 1.0, 7.5, 62.0, 640.0, 9_000.0, 123_456.0].into_iter().filter(|b| unit != Unit::Percent || *b < 67.0) {
                for (_, label) in labels(Scale { floor: 0.0, ceiling: base * 1.5, unit }, 12, Some(base)) {
                    assert!(label.len() <= 5, "{label}");
                }
            }
        }
    }

    #[test]
    fn a_band_around_zero_has_zero_in_its_middle() {
        let scale = Scale::around_zero(&Ceiling::fixed(0.3), Unit::Count);
        assert_eq!(labels(scale, 13, None), owned(&[(0, "0.3"), (6, "0"), (12, "-0.3")]));
    }
}
