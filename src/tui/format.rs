//! Numbers and words as the screen writes them.
//!
//! Precision is earned: no decimal that one more sample would change, and what is missing is a word, never a bare 0. Must never
//! know where a number comes from. Known weakness: English only.

use crate::units::{Span, Time};

/// No traffic, on purpose.
pub const IDLE: &str = "idle";
/// Not known.
pub const UNKNOWN: &str = "?";
/// Does not apply.
pub const NONE: &str = "−";
/// No users.
pub const NOBODY: &str = "nobody";
/// With fewer requests no rate is shown, but the counts.
pub const LEAST_FOR_RATE: u64 = 30;

/// A measured share of traffic: `15.0`.
pub fn seen(percent: f64) -> String {
    format!("{percent:.1}")
}

/// A wanted share: `15`, `0.5`.
pub fn want(percent: f64) -> String {
    format!("{}", (percent * 100.0).round() / 100.0)
}

/// A rate in a table, in percent: `0.31`.
pub fn rate_in_table(percent: f64) -> String {
    format!("{percent:.2}")
}

/// A rate in a line, in percent, two significant digits: `4.8`, `0.31`, `12`.
pub fn rate(percent: f64) -> String {
    if percent >= 9.95 {
        format!("{percent:.0}")
    } else if percent >= 0.995 {
        format!("{percent:.1}")
    } else {
        format!("{percent:.2}")
    }
}

/// A limit in percent, as it was written but with a decimal below 10: `2.0`, `0.25`, `30`.
pub fn limit(percent: f64) -> String {
    if percent < 10.0 && percent.fract() == 0.0 { format!("{percent:.1}") } else { format!("{percent}") }
}

/// Failed of all requests: a rate, or with too few of them the counts: `0.31 %`, `3 of 29`, `?` without any.
pub fn failed(failed: u64, requests: u64) -> String {
    match requests {
        0 => UNKNOWN.to_owned(),
        n if n < LEAST_FOR_RATE => format!("{failed} of {n}"),
        n => format!("{} %", rate(failed as f64 / n as f64 * 100.0)),
    }
}

/// A difference of two rates, with its sign: `+0.03`, `−1.2`.
pub fn points(difference: f64) -> String {
    format!("{}{}", if difference < 0.0 { '−' } else { '+' }, rate(difference.abs()))
}

/// A difference in whole milliseconds, with its sign: `+4`, `−12`.
pub fn millis_more(difference: f64) -> String {
    format!("{}{}", if difference.round() < 0.0 { '−' } else { '+' }, thousands(difference.abs().round() as u64))
}

/// A latency and its unit: `142` `ms`, up to `9,999` `ms`, then `12.4` `s`.
pub fn latency(millis: f64) -> (String, &'static str) {
    if millis.round() < 10_000.0 { (thousands(millis.round() as u64), "ms") } else { (format!("{:.1}", millis / 1000.0), "s") }
}

/// Requests per second: `240`, `1,840`, from 10,000 on `12.4 k`.
pub fn per_second(rate: f64) -> String {
    if rate.round() < 10_000.0 { thousands(rate.round() as u64) } else { format!("{:.1} k", rate / 1000.0) }
}

/// A whole number with commas: `3,888`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Pods, aligned at the slash with `digits` at each side: ` 5/5 `, `30/30`.
pub fn pods(ready: u32, all: u32, digits: usize) -> String {
    format!("{ready:>digits$}/{all:<digits$}")
}

/// `14:03:22Z`, for the status bar.
pub fn clock(at: Time) -> String {
    at.clock() + "Z"
}

/// `14:51`.
pub fn hour_minute(at: Time) -> String {
    let mut clock = at.clock();
    clock.truncate(5);
    clock
}

/// A planned time: `≈14:51`.
pub fn planned(at: Time) -> String {
    format!("≈{}", hour_minute(at))
}

/// A measured length of time: `0.4 s`, `6.3 s`, from 10 s on `0:34`, `1:10`.
pub fn measured(span: Span) -> String {
    if span.0 < 9950 { format!("{:.1} s", span.as_secs_f64()) } else { (Span(span.0 + 500)).clock() }
}

/// What is left of a time: `3:12`, the last second in tenths (`0.4 s`). `calm` is for eyes that motion hurts: steps of 5 s.
pub fn countdown(left: Span, calm: bool) -> String {
    if calm {
        return (Span(left.0.div_ceil(5000) * 5000)).clock();
    }
    if left.0 < 1000 { format!("{:.1} s", (left.0.div_ceil(100)) as f64 / 10.0) } else { (Span(left.0.div_ceil(1000) * 1000)).clock() }
}

/// How long ago: `3 s`, `41 s`, `6 min`, `3 h 12 min`, `2 d 4 h`.
pub fn age(span: Span) -> String {
    let s = span.0 / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min", s / 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => span.clock(),
    }
}

/// Words as a sentence begins.
pub fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &str) -> Time {
        Time::parse(&format!("2026-11-24T{clock}Z")).unwrap()
    }

    #[test]
    fn shares_have_one_decimal_when_seen_and_none_when_wanted() {
        assert_eq!((seen(15.0), want(15.0)), ("15.0".into(), "15".into()));
        assert_eq!((seen(3.12), want(0.5)), ("3.1".into(), "0.5".into()));
        assert_eq!((seen(100.0), want(100.0)), ("100.0".into(), "100".into()));
    }

    #[test]
    fn rates_have_two_decimals_in_tables_and_two_digits_in_lines() {
        assert_eq!([0.31, 4.82, 5.0].map(rate_in_table), ["0.31", "4.82", "5.00"]);
        assert_eq!([0.31, 4.82, 1.7, 12.4, 9.96, 0.999, 100.0].map(rate), ["0.31", "4.8", "1.7", "12", "10", "1.0", "100"]);
        assert_eq!([2.0, 0.5, 0.25, 30.0].map(limit), ["2.0", "0.5", "0.25", "30"]);
    }

    #[test]
    fn with_under_30_requests_counts_are_shown_and_no_rate() {
        assert_eq!(failed(3, 29), "3 of 29");
        assert_eq!(failed(3, 1000), "0.30 %");
        assert_eq!(failed(0, 0), "?");
    }

    #[test]
    fn differences_have_a_sign() {
        assert_eq!([0.03, -0.12, 4.5].map(points), ["+0.03", "−0.12", "+4.5"]);
        assert_eq!([75.2, -12.0, -0.2].map(millis_more), ["+75", "−12", "+0"]);
    }

    #[test]
    fn latency_is_in_whole_milliseconds_up_to_9_999() {
        assert_eq!(latency(142.3), ("142".into(), "ms"));
        assert_eq!(latency(9_999.4), ("9,999".into(), "ms"));
        assert_eq!(latency(9_999.5), ("10.0".into(), "s"));
        assert_eq!(latency(12_400.0), ("12.4".into(), "s"));
    }

    #[test]
    fn rates_are_whole_and_from_10_000_on_in_thousands() {
        assert_eq!([240.4, 1840.0, 9_999.4, 12_412.0].map(per_second), ["240", "1,840", "9,999", "12.4 k"]);
        assert_eq!([7, 3_888, 1_000_000].map(thousands), ["7", "3,888", "1,000,000"]);
    }

    #[test]
    fn pods_stand_at_their_slash_in_a_field_of_five() {
        assert_eq!([(5, 5), (30, 30), (6, 30)].map(|(a, b)| pods(a, b, 2)), [" 5/5 ", "30/30", " 6/30"]);
        assert_eq!(pods(24, 612, 3), " 24/612");
    }

    #[test]
    fn clocks_have_a_z_only_in_the_bar() {
        assert_eq!(clock(at("14:03:22")), "14:03:22Z");
        assert_eq!(planned(at("14:51:07")), "≈14:51");
    }

    #[test]
    fn durations_and_ages_read_as_in_the_pictures() {
        let s = Span::secs;
        assert_eq!([s(46), s(760), s(5_501), s(187_200)].map(Span::clock), ["0:46", "12:40", "1:31:41", "2 d 4 h"]);
        assert_eq!([s(3), s(41), s(360), s(11_520), s(187_200)].map(age), ["3 s", "41 s", "6 min", "3 h 12 min", "2 d 4 h"]);
        assert_eq!([Span(400), Span(6_300), Span(9_949), Span(9_950), s(70)].map(measured), ["0.4 s", "6.3 s", "9.9 s", "0:10", "1:10"]);
    }

    #[test]
    fn a_countdown_changes_once_a_second_and_in_its_last_second_in_tenths() {
        assert_eq!(
            [12_000, 11_001, 1_000, 999, 350, 0].map(|ms| countdown(Span(ms), false)),
            ["0:12", "0:12", "0:01", "1.0 s", "0.4 s", "0.0 s"]
        );
        assert_eq!([12_000, 9_800, 400].map(|ms| countdown(Span(ms), true)), ["0:15", "0:10", "0:05"]);
    }

    #[test]
    fn every_number_stays_in_its_field() {
        let fits = |text: String, field: usize| assert!(text.chars().count() <= field, "{text} is wider than {field}");
        for n in [0.0, 0.004, 0.5, 9.99, 50.0, 99.99, 100.0] {
            fits(seen(n), 5);
            fits(rate_in_table(n), 6);
        }
        for n in [0.0, 240.0, 9_999.9, 99_000.0] {
            fits(per_second(n), 6);
            fits(latency(n).0, 5);
        }
        for ms in [0, 900, 61_000, 3_599_000] {
            fits(countdown(Span(ms), false), 5);
        }
    }
}
