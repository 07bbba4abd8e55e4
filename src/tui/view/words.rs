//! Words, signs and shares that several panes say in the same way.

use super::View;
use crate::analysis::Verdict;
use crate::cockpit::{Curves, LegView, RolloutView, SideView};
use crate::rollout::{By, LegMood, Mood, Status};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, shorten};
use crate::tui::theme::Role;
use crate::units::{LegId, Percent, Span, Time, Version, count};
use std::borrow::Cow;

/// Names of versions are shortened to this many columns where they stand in a line.
const VERSION: u16 = 16;

/// A version's name as a line has room for it.
pub(super) fn version(name: &Version) -> Cow<'_, str> {
    shorten(name.as_str(), VERSION)
}

/// `v41 → v42`.
pub(super) fn versions<'a>(status: &'a Status) -> [Bit<'a>; 3] {
    [Bit::new(Role::Old, version(&status.from)), Bit::new(Role::Dim, " → "), Bit::new(Role::New, version(&status.to))]
}

/// A name as a column of names has room for it.
pub(super) fn shortened(name: &str) -> String {
    shorten(name, 20).into_owned()
}

/// A wanted share: `15 %`.
pub(super) fn share(percent: Percent) -> String {
    format!("{} %", format::want(percent.points()))
}

/// A seen share in whole percent, `15`; what is not nothing never reads as 0, what is not all never as 100.
pub(super) fn whole(percent: Percent) -> String {
    match percent.points() {
        0.0 => "0".into(),
        p if p < 0.5 => "<1".into(),
        p if (99.5..100.0).contains(&p) => ">99".into(),
        p => format!("{p:.0}"),
    }
}

/// The same with its unit: `82 %`.
pub(super) fn about(percent: Percent) -> String {
    whole(percent) + " %"
}

/// Whether two shares differ by more than noise.
pub(super) fn drifts(seen: Option<Percent>, want: Percent) -> bool {
    seen.is_some_and(|s| s.hundredths().abs_diff(want.hundredths()) > 200)
}

/// A countdown to a time.
pub(super) fn left(view: &View<'_>, at: Time) -> String {
    format::countdown(at.since(view.snapshot.now), view.reduce_motion)
}

/// The share that a rollout has as far as it is known: seen, else wanted; on the way back only what is seen.
pub(super) fn share_now(status: &Status) -> Option<Percent> {
    let moves_back = matches!(status.mood, Mood::RollingBack | Mood::NotProven { .. });
    status.seen.or((!moves_back).then_some(status.want))
}

/// How long since, in words for a line: `6 min ago`.
pub(super) fn ago(view: &View<'_>, at: Time) -> String {
    format!("{} ago", format::age(view.snapshot.now.since(at)))
}

/// `1 region`, `3 regions`.
pub(super) fn regions(n: usize) -> String {
    count(n, "region")
}

/// `by ana`, `by itself`.
pub(super) fn by(who: &By) -> String {
    if *who == By::Automatic { "by itself".to_owned() } else { format!("by {who}") }
}

/// `1 request`, `3,888 requests`.
pub(super) fn requests(n: u64) -> String {
    format!("{} request{}", format::thousands(n), if n == 1 { "" } else { "s" })
}

/// `1 pod waits`, `3 pods wait`.
pub(super) fn wait(pods: u32) -> String {
    format!("{} wait{}", count(pods, "pod"), if pods == 1 { "s" } else { "" })
}

/// The regions of a rollout: its one region by name, else how many.
pub(super) fn place(status: &Status) -> Cow<'_, str> {
    match status.legs.as_slice() {
        [one] => shorten(one.id.as_str(), 20),
        all => Cow::Owned(regions(all.len())),
    }
}

/// The numbers of one leg.
pub(super) fn measured<'a>(r: &'a RolloutView, leg: &LegId) -> Option<&'a LegView> {
    r.legs.iter().find(|l| l.id == *leg)
}

/// Whose numbers the top lines and the chart give: all legs together, or where only some fail the worst of those.
pub(super) struct Worst<'a> {
    /// The new side.
    pub new: &'a SideView,
    /// The old side.
    pub old: &'a SideView,
    /// Their curves.
    pub curves: &'a Curves,
    /// The region, where it is one alone.
    pub place: Option<Cow<'a, str>>,
    /// How many regions fail.
    pub failing: usize,
}

impl<'a> Worst<'a> {
    pub fn of(r: &'a RolloutView) -> Worst<'a> {
        let failing: Vec<&LegView> =
            r.status.legs.iter().filter(|l| l.mood == LegMood::Failing).filter_map(|l| measured(r, &l.id)).collect();
        let rate = |l: &&&LegView| l.new.rate.map_or(0, |rate| (rate * 1e9) as u64);
        match failing.iter().max_by_key(rate) {
            Some(worst) if failing.len() < r.status.legs.len() => Worst {
                new: &worst.new,
                old: &worst.old,
                curves: &worst.curves,
                place: Some(shorten(worst.id.as_str(), 20)),
                failing: failing.len(),
            },
            _ => Worst { new: &r.new, old: &r.old, curves: &r.curves, place: None, failing: failing.len() },
        }
    }
}

/// Errors of a side in a line: `4.8 %`, `3 of 29`; nothing where nothing was counted.
pub(super) fn errors(side: &SideView) -> Option<String> {
    match side.rate {
        Some(rate) if side.requests >= format::LEAST_FOR_RATE as f64 => Some(format!("{} %", format::rate(rate * 100.0))),
        _ => (side.requests >= 1.0).then(|| format::failed(side.errors.round() as u64, side.requests.round() as u64)),
    }
}

/// The same without the unit, for the second number of a line: `0.28`.
pub(super) fn errors_bare(side: &SideView) -> Option<String> {
    errors(side).map(|e| e.strip_suffix(" %").map_or_else(|| e.clone(), str::to_owned))
}

/// Whether a side has too many errors.
pub(super) fn over_limit(side: &SideView, limit: Option<Percent>) -> bool {
    side.requests >= format::LEAST_FOR_RATE as f64 && side.rate.zip(limit).is_some_and(|(rate, limit)| rate > limit.share())
}

/// The p99 of a side: `142 ms`.
pub(super) fn p99(side: &SideView) -> Option<String> {
    side.latency.map(|[.., p99]| {
        let (number, unit) = format::latency(p99);
        format!("{number} {unit}")
    })
}

/// Failed requests a second of a side.
pub(super) fn failed_per_second(side: &SideView) -> Option<f64> {
    side.load.zip(side.rate).map(|(load, rate)| load * rate)
}

/// The sign of a rollout.
pub(super) fn sign_of(mood: &Mood) -> Sign {
    match mood {
        Mood::OnCourse => Sign::Ok,
        Mood::Waits { .. } | Mood::RollingBack => Sign::Now,
        Mood::Unclear { .. } | Mood::Stuck { .. } | Mood::NotProven { .. } => Sign::Look,
        Mood::Held { .. } | Mood::Aborted | Mood::Superseded => Sign::Held,
        Mood::Failing { .. } => Sign::Failing,
        Mood::Back => Sign::Back,
        Mood::Promoted => Sign::Done,
    }
}

/// Since when a rollout is as it is, as far as that is known; else since its launch.
pub(super) fn since(status: &Status) -> Time {
    match &status.mood {
        Mood::Failing { since, .. } => *since,
        Mood::Stuck { .. } => status.stuck.as_ref().map_or(status.began, |s| s.since),
        Mood::RollingBack | Mood::NotProven { .. } => status.back.as_ref().map_or(status.began, |b| b.began),
        Mood::Back => status.back.as_ref().and_then(|b| Some(b.began + b.took?)).or(status.ended).unwrap_or(status.began),
        _ => status.ended.unwrap_or(status.began),
    }
}

/// How long since, in at most 7 columns: `6:10`, `1:31:41`, `2 d 4 h`, `12 d`.
pub(super) fn since_short(span: Span) -> String {
    let full = span.clock();
    if full.len() <= 7 { full } else { format!("{} d", span.0 / 86_400_000) }
}

/// A cause without the region that it begins with, where the rollout has that region.
pub(super) fn bare_cause<'a>(cause: &'a str, status: &Status) -> &'a str {
    let region = |l: &crate::rollout::LegStatus| cause.strip_prefix(l.id.as_str()).and_then(|rest| rest.strip_prefix(": "));
    status.legs.iter().find_map(region).unwrap_or(cause)
}

/// The sign, the word and the role of a rollout that cannot be told, and its cause without them.
pub(super) fn unclear<'a>(r: &'a RolloutView, cause: &'a str) -> (Sign, &'static str, Role, &'a str) {
    let cause = bare_cause(cause, &r.status);
    let (sign, word, role) = match r.verdict.verdict {
        _ if r.verdict.missing.is_some() => (Sign::Unknown, r.verdict.missing.unwrap_or_default(), Role::Unknown),
        _ if !r.verdict.measured => (Sign::Unknown, "no metrics", Role::Unknown),
        Verdict::NoData => (Sign::Unknown, "no data", Role::Unknown),
        Verdict::TooFew => (Sign::Unknown, "too few", Role::Unknown),
        Verdict::Pass | Verdict::Fail | Verdict::Inconclusive => (Sign::Look, "unclear", Role::Warn),
    };
    let said = if word == "no metrics" && r.verdict.missing.is_none() { "no data" } else { word };
    (sign, word, role, cause.strip_prefix(said).map_or(cause, |rest| rest.trim_start_matches([':', ' '])))
}

/// A time with tenths: `14:44:19.2`.
pub(super) fn tenths(at: Time) -> String {
    format!("{}.{}", at.clock(), at.0.rem_euclid(1000) / 100)
}

/// How long something takes, or `−` for nothing to do.
pub(super) fn takes(span: Option<Span>) -> String {
    span.map_or_else(|| format::NONE.to_owned(), format::measured)
}
