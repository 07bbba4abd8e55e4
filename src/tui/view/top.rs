//! The three lines at the top: the subject, the verdict and the R line. They say what is true and what `R` would do, in the
//! same places in every mode; trouble restyles them and moves nothing.

use super::way_back::{self, Form, silent};
use super::words::{self, Worst, drifts, left, share, version};
use super::{FULL, View};
use crate::cockpit::{RegionState, RolloutView};
use crate::rollout::{BackStatus, Mood, Phase, Status};
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::model::Place;
use crate::tui::pen::{Bit, Pen, Tint, columns, dim, key, shorten, sign, strong, text, width};
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts};
use crate::tui::widgets::strip::Strip;
use crate::units::{Percent, Span, count};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How many rows the lines take on a screen of this size.
pub(super) fn height(area: Rect, view: &View<'_>) -> u16 {
    if has_subject_line(area, view) { 3 } else { 2 }
}

/// Line A, where one rollout has the screen for itself and there is room; else B names it.
fn has_subject_line(area: Rect, view: &View<'_>) -> bool {
    view.of_rollout() && area.width >= FULL && area.height >= 34
}

/// Draws the lines in `area`, which has as many rows as [`height`] said.
pub(super) fn draw(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let mut rest = area;
    let form = Form { width: area.width, named: area.height < 3 };
    if let (false, Some(r)) = (form.named, view.subject()) {
        subject(r, view, form).draw(super::take(&mut rest, 1), buf, pen);
    }
    let (tint, top, mut bottom) = lines(view, form);
    match tint {
        Some(tint) => Strip { tint, top, bottom }.draw(rest, buf, pen),
        // What is being made stands where the verdict does; the line then has to say itself what it is about.
        None if view.making().is_some() => {
            super::take(&mut rest, 1);
            if let (Some(r), false) = (view.subject(), form.full()) {
                bottom.left.insert(0, Fact::new(0, [strong(shorten(&r.status.service.name, 20))]));
            }
            bottom.draw(rest, buf, pen);
        }
        None => {
            top.draw(super::take(&mut rest, 1), buf, pen);
            bottom.draw(rest, buf, pen);
        }
    }
}

/// Whether the lines are one strip: something fails, or moves.
pub(super) fn is_strip(view: &View<'_>) -> bool {
    lines(view, Form { width: FULL, named: true }).0.is_some()
}

/// What is drawn on a terminal that is too small for a screen: its size, and what `R` would do.
pub(super) fn too_small(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let form = Form { width: area.width, named: true };
    let says = Facts {
        head: vec![strong(format!("{}x{} needed,", super::LEAST.0, super::LEAST.1))],
        left: vec![Fact::new(1, [dim(format!("this is {}x{}", area.width, area.height))])],
        right: Vec::new(),
        spacing: crate::tui::widgets::facts::Spacing { gap: 1, tab: None },
    };
    let mut rest = area;
    says.draw(super::take(&mut rest, 1), buf, pen);
    let (tint, _, bottom) = lines(view, form);
    let row = super::take(&mut rest, 1);
    let pen = tint.map_or(*pen, |t| pen.on(t));
    if let Some(tint) = tint {
        pen.fill(buf, row, tint.role());
    }
    bottom.draw(row, buf, &pen);
}

/// What a terminal's title says: the rollout that fails, and how badly.
pub fn window_title(view: &View<'_>) -> String {
    let failing = view.snapshot.rollouts.iter().find(|r| matches!(r.status.mood, Mood::Failing { .. }));
    match failing.or(view.subject()) {
        Some(r) if matches!(r.status.mood, Mood::Failing { .. }) => {
            format!("✗ {} {}", r.status.service, words::errors(Worst::of(r).new).unwrap_or_default()).trim_end().to_owned()
        }
        Some(r) => format!("{} {}", words::sign_of(&r.status.mood).text(), r.status.service),
        None => format!("flightdeck {}", view.snapshot.fleet),
    }
}

/// B and C, and the strip that they stand on.
fn lines<'a>(view: &View<'a>, form: Form) -> (Option<Tint>, Facts<'a>, Facts<'a>) {
    let Some(r) = view.subject() else { return (None, no_subject(view, form), way_back::nothing(view, form)) };
    if let Some((_, left)) = view.grace {
        return (Some(Tint::Caution), grace(r, left, form), way_back::grace(view, form));
    }
    match (&r.status.mood, &r.status.back) {
        (Mood::Failing { .. }, _) => (Some(Tint::Alarm), failing(r, view, form), way_back::line(r, view, form)),
        (Mood::RollingBack | Mood::NotProven { .. }, Some(back)) => {
            (Some(Tint::Caution), moving(r, back, view, form), way_back::moving(r, back, view, form))
        }
        // On the fleet a result shines for a minute only.
        (Mood::Back, back) if view.place != Place::Fleet || view.snapshot.now.since(words::since(&r.status)) < Span::mins(1) => {
            (Some(Tint::Proof), proved(r, back.as_ref(), form), way_back::back(r, back.as_ref(), view, form))
        }
        _ => (None, calm(r, view, form), way_back::line(r, view, form)),
    }
}

fn facts<'a>(form: Form, mark: Sign, word: Bit<'a>) -> Facts<'a> {
    Facts { head: vec![sign(mark), text(" "), word], left: Vec::new(), right: Vec::new(), spacing: form.spacing() }
}

/// The service and the version that a line is about, where no line above says it.
fn name<'a>(r: &'a RolloutView, form: Form) -> Fact<'a> {
    let most = (form.width / 4).max(12);
    Fact::new(0, [strong(format!("{} {}", shorten(&r.status.service.name, most), version(&r.status.to)))])
}

/// Line A.
fn subject<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Facts<'a> {
    let s = &r.status;
    let strategy = if s.flown { s.strategy.name().to_owned() } else { format!("{}, watched", s.strategy.name()) };
    let since = words::ago(view, s.began);
    let by = s.by.as_ref().map_or_else(|| format!("began {since}"), |who| format!("by {}, {since}", shorten(who, 30)));
    Facts {
        head: vec![strong(shorten(&s.service.name, 24))],
        left: vec![Fact::new(0, words::versions(s)), Fact::new(2, [dim(strategy)]), Fact::new(4, [dim(by)])],
        right: progress(r, view, form),
        spacing: form.spacing(),
    }
}

/// How far it is, and what comes next.
fn progress<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Vec<Fact<'a>> {
    let s = &r.status;
    let mut facts = Vec::new();
    let seen = || s.seen.map(|p| format!("{} %", format::seen(p.points())));
    if let Some(back) = &s.back {
        let done = matches!(s.mood, Mood::Back);
        facts.extend(seen().map(|seen| Fact::new(0, [Bit::new(Role::New, seen)])));
        let was = format!("was {}, {}", share(back.was), if done { "rolled back" } else { "going to " });
        facts.push(Fact::new(3, if done { vec![dim(was)] } else { vec![dim(was), strong("0 %")] }));
        return facts;
    }
    if drifts(s.seen, s.want) && form.full() {
        let seen = seen().unwrap_or_default();
        facts.push(Fact::new(0, [Bit::new(Role::New, seen), dim(" seen, want "), text(share(s.want)), Bit::new(Role::Warn, " ≠")]));
    } else {
        facts.push(Fact::new(0, [Bit::new(Role::New, share(s.want))]));
    }
    if s.ended.is_some() {
        facts.push(Fact::new(1, [dim(if r.phase == Phase::Promoted { "promoted" } else { "ended" })]));
        return facts;
    }
    let (at, all) = ((s.step + 1).min(s.steps.len()), s.steps.len());
    facts.push(Fact::new(2, [dim(if form.full() { "step " } else { "" }), strong(at.to_string()), dim(format!("/{all}"))]));
    facts.extend(next(s, view, form).map(|bits| Fact::new(3, bits)));
    let waits = s.next.as_ref().is_some_and(|(_, at)| at.is_none());
    if let (Some(done), true, false) = (s.done, form.full(), waits) {
        facts.push(Fact::new(6, [dim(format!("done {}", format::planned(done)))]));
    }
    facts
}

/// What comes next, and when.
fn next<'a>(s: &'a Status, view: &View<'a>, form: Form) -> Option<Vec<Bit<'a>>> {
    let (label, at) = s.next.as_ref()?;
    let what = match label.as_str() {
        "done" => "done".to_owned(),
        _ if form.full() => format!("next {label}"),
        _ => "next".to_owned(),
    };
    Some(match at {
        _ if matches!(s.mood, Mood::Failing { .. }) || s.paused => vec![dim(what + " "), strong("held")],
        Some(at) => vec![dim(what + " in "), strong(left(view, *at))],
        None => vec![dim(what + " waits")],
    })
}

fn grace<'a>(r: &'a RolloutView, left: Span, form: Form) -> Facts<'a> {
    let mut line = facts(form, Sign::Back, strong("ROLLING BACK"));
    let legs = r.status.rollback.moves.len().max(1);
    line.left.push(Fact::new(0, [strong(format!("in {:.1} s", left.0.div_ceil(100) as f64 / 10.0))]));
    let service = shorten(&r.status.service.name, (form.width / 4).max(12));
    line.left.push(Fact::new(1, [strong(format!("{service}, {} to {}", words::regions(legs), version(&r.status.rollback.target)))]));
    line
}

fn failing<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Facts<'a> {
    let s = &r.status;
    let Mood::Failing { cause, since, .. } = &s.mood else { return calm(r, view, form) };
    let mut line = facts(form, Sign::Failing, strong("FAILING"));
    let worst = Worst::of(r);
    let over = view.snapshot.now.since(*since).clock();
    if form.named {
        line.left.push(name(r, form));
    }
    let place = worst.place.as_ref().map(|p| format!(" in {p}")).unwrap_or_default();
    let limit = s.limit.map(|l| format!(", limit {}", format::limit(l.points()))).unwrap_or_default();
    let measured = words::errors(worst.new).filter(|_| words::over_limit(worst.new, s.limit));
    match measured {
        Some(errors) if form.full() => {
            let old = words::errors_bare(worst.old).map(|old| format!(", {old} on {}", version(&s.from))).unwrap_or_default();
            let on = if form.named { place } else { format!(" on {}{place}", version(&s.to)) };
            line.left.push(Fact::new(0, [strong(format!("errors {errors}")), text(format!("{on}{old}{limit}"))]));
        }
        Some(errors) if form.width >= 80 => {
            let words = format!("{place}{limit}, for ");
            line.left.push(Fact::new(0, [strong(format!("{errors} errors")), text(words), strong(over.clone())]));
        }
        Some(errors) => line.left.push(Fact::new(0, [strong(format!("{errors} errors")), text(limit.to_string())])),
        None => line.left.push(Fact::new(0, [strong(cause.as_str())])),
    }
    if form.full() || !words::over_limit(worst.new, s.limit) {
        let count = if worst.failing > 1 && !form.named { format!(" in {}", words::regions(worst.failing)) } else { String::new() };
        line.left.push(Fact::new(3, [dim(if form.full() { "over for " } else { "for " }), strong(over), dim(count)]));
    }
    if let Some((_, failed)) = r.failed_since {
        let failed = strong(format::thousands(failed.round() as u64));
        let rate = words::failed_per_second(worst.new).filter(|_| form.full());
        line.right.push(Fact::new(
            4,
            match rate {
                Some(rate) => vec![failed, dim(" requests failed, "), strong(format!("+{rate:.1}")), dim("/s")],
                None => vec![failed, dim(if form.full() { " requests failed" } else { " failed" })],
            },
        ));
    }
    line
}

fn moving<'a>(r: &'a RolloutView, back: &'a BackStatus, view: &View<'a>, form: Form) -> Facts<'a> {
    let target = version(&r.status.rollback.target);
    let by = || Fact::new(4, [dim(format!("{}, {}", back.by, back.began.clock()))]);
    let silent = silent(r);
    let open = |l: &&crate::rollout::LegStatus| back.legs.iter().any(|(id, took)| *id == l.id && took.is_none());
    // All that answer are back, and some do not answer.
    if let Some(first) = silent.first()
        && r.status.legs.iter().filter(open).all(|l| l.silent_since.is_some())
    {
        let mut line = facts(form, Sign::Unknown, strong(format!("BACK ON {target}")));
        if form.named {
            line.left.push(Fact::new(1, [strong(shorten(&r.status.service.name, (form.width / 4).max(12)))]));
        }
        let (all, unheard_of) = (back.legs.len(), silent.len().min(back.legs.len()));
        let word = if form.width >= 80 { "in " } else { "" };
        line.left.push(Fact::new(0, [strong(format!("{word}{} of {}", all - unheard_of, words::regions(all)))]));
        line.left.extend(unheard(first, view, form));
        return line;
    }
    let word = match (&r.status.mood, r.status.paused) {
        (_, true) => "ROLLBACK HELD",
        (Mood::NotProven { .. }, _) => "MOVED, NOT PROVEN",
        _ => "ROLLING BACK",
    };
    let mut line = facts(form, if r.status.paused { Sign::Held } else { Sign::Back }, strong(word));
    let to = if form.named {
        format!("{} to {target}", shorten(&r.status.service.name, (form.width / 4).max(12)))
    } else {
        format!("to {target}")
    };
    line.left.push(Fact::new(0, [strong(to)]));
    line.left.push(Fact::new(2, [strong(format::measured(view.snapshot.now.since(back.began)))]));
    if let Mood::NotProven { missing } = &r.status.mood {
        line.left.push(Fact::new(0, [strong(missing.as_str())]));
        line.left.push(Fact::new(3, [dim("still watched")]));
    } else if back.can < Percent::ALL {
        let (can, rest) = (words::about(back.can), words::about(back.can.rest()));
        let words = match &back.waits {
            Some(waits) if form.full() => format!("{can} can move now, {rest} waits: {waits}"),
            _ if form.width >= 80 => format!("{can} now, {rest} waits for pods"),
            _ => format!("{can} can move now"),
        };
        line.left.push(Fact::new(0, [strong(words)]));
    } else {
        line.left.push(Fact::new(1, [strong(back.waits.as_deref().unwrap_or("all traffic moves"))]));
    }
    line.right.push(by());
    line
}

/// What is not known of a leg whose region is silent: `us-west-2 unknown: silent for 41 s`, `asked again in 3 s`.
fn unheard(leg: &crate::rollout::LegStatus, view: &View<'_>, form: Form) -> Vec<Fact<'static>> {
    let since = leg.silent_since.map(|at| format::age(view.snapshot.now.since(at))).unwrap_or_default();
    let region = view.snapshot.regions.iter().find(|r| r.name.as_str() == leg.id.as_str());
    let again = match region.map(|r| &r.state) {
        Some(RegionState::Silent { again, .. }) => Some(format!("asked again in {}", format::age(again.since(view.snapshot.now)))),
        _ => None,
    };
    let unknown = if form.full() { " unknown:" } else { "" };
    let mut facts = vec![Fact::new(0, [strong(format!("{}{unknown} silent for {since}", shorten(leg.id.as_str(), 20)))])];
    facts.extend(again.map(|again| Fact::new(3, [strong(again)])));
    facts
}

fn proved<'a>(r: &'a RolloutView, back: Option<&'a BackStatus>, form: Form) -> Facts<'a> {
    let mut line = facts(form, Sign::Done, strong(format!("BACK ON {}", version(&r.status.rollback.target))));
    let took = back.and_then(|b| b.took).map(|took| format!("in {}", format::measured(took)));
    let service = form.named.then(|| shorten(&r.status.service.name, (form.width / 4).max(12)).into_owned());
    line.left.push(Fact::new(0, [strong([service, took].into_iter().flatten().collect::<Vec<_>>().join(" "))]));
    let Some(back) = back else { return line };
    let proof = &back.proof;
    let errors = match (proof.errors, &proof.errors_why) {
        (Some(rate), _) => format!("errors {} %", format::rate(rate * 100.0)),
        (None, Some(why)) => why.clone(),
        (None, None) => "errors ?".into(),
    };
    let traffic = proof.traffic.map(|t| format!("traffic {} %", format::seen(t.points())));
    let pods = (proof.need > 0).then(|| format!("pods {}/{}", proof.ready, proof.need));
    let word = if proof.counted { "seen: " } else { "endpoints: " };
    let word = if form.full() || !proof.counted { word } else { "" };
    let parts: Vec<&str> = traffic.iter().chain(&pods).chain([&errors]).map(String::as_str).collect();
    let together = format!("{word}{}", parts.join(", "));
    let taken = width(&line.head) + line.left.iter().map(|f| width(&f.bits) + 2).sum::<u16>() + 2 + columns(&together);
    if form.full() || taken + 2 <= form.width {
        line.left.push(Fact::new(1, [strong(together)]));
    } else {
        line.left.extend(traffic.map(|t| Fact::new(2, [strong(format!("{word}{t}"))])));
        line.left.extend(pods.map(|p| Fact::new(4, [strong(p)])));
        line.left.push(Fact::new(1, [strong(errors)]));
    }
    line.right.push(Fact::new(3, [dim(format!("{}, {}", back.by, back.began.clock()))]));
    line
}

/// B where nothing shines.
fn calm<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Facts<'a> {
    let s = &r.status;
    let (mark, word, role) = word(r);
    let mut line = facts(form, mark, Bit::new(role, word));
    // Where it is narrow the cause alone is said, and not twice whose it is.
    let narrow = |cause: &'a str| match &s.stuck {
        Some(stuck) if form.width < 80 => stuck.cause.as_str(),
        _ if !form.full() => words::bare_cause(cause, s),
        _ => cause,
    };
    let cause = match &s.mood {
        Mood::Waits { cause } | Mood::Stuck { cause, .. } => Some(narrow(cause)),
        Mood::Held { cause, .. } => Some(narrow(cause.strip_prefix("waits: ").unwrap_or(cause))),
        Mood::Unclear { .. } if !r.verdict.measured && form.full() => {
            Some("requests are not counted here, and what is not known never passes")
        }
        Mood::Unclear { .. } if !r.verdict.measured => Some("requests are not counted here"),
        Mood::Unclear { cause } if !form.full() => Some(words::unclear(r, cause).3),
        _ => None,
    };
    // Where all is well and it is narrow, the sign says so, and the name takes the place of the word.
    if s.mood == Mood::OnCourse && !form.full() {
        line.head = vec![sign(mark), text(" "), strong(shorten(&s.service.name, (form.width / 4).max(12)))];
        line.left.push(Fact::new(2, words::versions(s)));
    } else if form.named {
        line.left.push(match (&s.mood, form.full() && cause.is_none()) {
            (_, true) => Fact::new(0, titled(s)),
            // Its cause names the version.
            (Mood::Stuck { .. }, false) => Fact::new(0, [strong(shorten(&s.service.name, (form.width / 4).max(12)))]),
            _ => name(r, form),
        });
    }
    if let Some(driver) = r.record.driver.as_ref().filter(|d| d.gone.is_none() && !d.nobody) {
        line.left.push(Fact::new(2, [dim(if form.full() { "driven by " } else { "by " }), text(driver.name.as_str())]));
    }
    match (cause, &s.mood) {
        (Some(cause), _) => line.left.push(Fact::new(0, [text(cause)])),
        (None, Mood::Aborted) => {
            line.left.push(Fact::new(0, [text(format!("all traffic on {}, {} stays to be looked at", version(&s.from), version(&s.to)))]))
        }
        (None, Mood::Superseded) => line.left.push(Fact::new(0, [text("somebody else drives it, in a higher term")])),
        (None, Mood::Back) => {
            let back = s.back.as_ref().map(|b| format!(" in {}, {}", words::takes(b.took), words::by(&b.by))).unwrap_or_default();
            line.left.push(Fact::new(0, [text(format!("on {}{back}", version(&s.from)))]));
        }
        (None, Mood::Promoted) => {
            let took = s.ended.map(|end| format!(" in {}", end.since(s.began).clock())).unwrap_or_default();
            line.left.push(Fact::new(0, [text(format!("{} runs everywhere{took}", version(&s.to)))]));
        }
        (None, mood) => {
            line.left.extend(errors(r, form));
            if let Mood::Unclear { cause } = mood {
                line.left.push(Fact::new(1, [text(words::unclear(r, cause).3)]));
            }
        }
    }
    if let Some(dark) = r.dark.first().filter(|_| form.full()) {
        line.left.push(Fact::new(7, [dim(format!("changes to {} reach nobody", shorten(&dark.name, 20)))]));
    }
    line.right.extend(helps(r, view, form));
    if form.named {
        line.right.extend(progress(r, view, form));
    }
    line
}

/// `order-service v41 → v42`.
fn titled<'a>(s: &'a Status) -> Vec<Bit<'a>> {
    let mut bits = vec![strong(shorten(&s.service.name, 24)), text(" ")];
    bits.extend(words::versions(s));
    bits
}

/// The sign and the word of line B.
fn word(r: &RolloutView) -> (Sign, &'static str, Role) {
    match &r.status.mood {
        Mood::Waits { .. } => (Sign::Now, "waits", Role::Strong),
        Mood::Unclear { cause } => {
            let (sign, word, role, _) = words::unclear(r, cause);
            (sign, word, role)
        }
        Mood::Held { cause, .. } if cause.starts_with("waits: ") => (Sign::Held, "waits", Role::Warn),
        Mood::Held { .. } => (Sign::Held, "held", Role::Warn),
        Mood::Stuck { .. } => (Sign::Held, "stuck", Role::Warn),
        Mood::Aborted => (Sign::Held, "aborted", Role::Warn),
        Mood::Superseded => (Sign::Held, "superseded", Role::Warn),
        Mood::Promoted => (Sign::Done, "promoted", Role::Strong),
        Mood::Back => (Sign::Back, "rolled back", Role::Strong),
        Mood::NotProven { .. } => (Sign::Look, "not proven", Role::Warn),
        _ => (Sign::Ok, "on course", Role::Strong),
    }
}

/// Errors of both sides against the limit; p99 where one line has the room.
fn errors<'a>(r: &'a RolloutView, form: Form) -> Vec<Fact<'a>> {
    let s = &r.status;
    let limit = s.limit.map(|l| format::limit(l.points()));
    let (new, old) = (words::errors(&r.new), words::errors(&r.old));
    let role = if words::over_limit(&r.new, s.limit) { Role::Bad } else { Role::New };
    let Some(errors) = new else {
        if r.verdict.measured || old.is_some() {
            return vec![Fact::new(1, [dim(format!("no requests on {} yet", version(&s.to)))])];
        }
        return vec![Fact::new(
            1,
            [Bit::new(Role::Unknown, format!("? {}", r.verdict.missing.unwrap_or("no metrics"))), dim("   requests are not counted here")],
        )];
    };
    if !form.full() {
        let mut bits = vec![Bit::new(role, errors), dim(" errors")];
        bits.extend(limit.map(|l| [dim(", limit "), Bit::new(Role::Limit, l)]).into_iter().flatten());
        return vec![Fact::new(0, bits)];
    }
    let mut facts = vec![Fact::new(0, [dim("errors   "), Bit::new(role, format!("{} {errors}", version(&s.to)))])];
    facts.extend(old.map(|old| Fact::new(5, [Bit::new(Role::Old, format!("{} {old}", version(&s.from)))])));
    facts.extend(limit.map(|l| Fact::new(0, [Bit::new(Role::Limit, format!("limit {l} %"))])));
    if !form.named {
        facts.extend(words::p99(&r.new).map(|ms| Fact::new(7, [dim("  p99   "), Bit::new(Role::New, format!("{} {ms}", version(&s.to)))])));
        facts.extend(words::p99(&r.old).map(|ms| Fact::new(8, [Bit::new(Role::Old, format!("{} {ms}", version(&s.from)))])));
    }
    facts
}

/// The key that helps here, or the next look.
fn helps<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Vec<Fact<'a>> {
    let s = &r.status;
    let helping = match &s.mood {
        Mood::Held { key: Some(k), .. } | Mood::Stuck { key: Some(k), .. } => match k {
            'r' => Some((Action::Retry, "try again".to_owned())),
            'S' => Some((Action::Skip, "skip".to_owned())),
            'p' => Some((Action::Pause, "resume".to_owned())),
            'T' => Some((Action::Take, "take the controls".to_owned())),
            _ => None,
        },
        Mood::Aborted => Some((Action::Retry, "begin again".to_owned())),
        Mood::Back if s.back.as_ref().is_some_and(|b| b.undo_until.is_some()) => Some((Action::Undo, "undo".to_owned())),
        Mood::Superseded => Some((Action::Take, "take the controls".to_owned())),
        _ => None,
    };
    if let Some((action, words)) = helping {
        // A key that needs arming is named all the same: the line must say what helps.
        return view.bound(action).map(|b| Fact::new(0, [key(b.key.as_str()), dim(format!(" {words}"))])).into_iter().collect();
    }
    let mut facts = Vec::new();
    if !form.full() {
        return facts;
    }
    if let (Some(at), true) = (r.verdict.next_check, r.in_flight()) {
        facts.push(Fact::new(9, [dim("check in "), strong(left(view, at))]));
    }
    if let (Some((label, _)), Some(k), false) = (&s.next, view.live(Action::Promote), form.named) {
        let to = if label == "done" { "finish".to_owned() } else { format!("step to {label}") };
        facts.push(Fact::new(6, [key(k), dim(format!(" {to}"))]));
    }
    facts
}

/// B where nothing is selected: nothing is in flight, or nothing is known yet.
fn no_subject<'a>(view: &View<'a>, form: Form) -> Facts<'a> {
    let shot = view.snapshot;
    let (answer, all) = shot.clusters();
    let silent = shot.regions.iter().find_map(|r| match &r.state {
        RegionState::Silent { why, again, .. } => Some((r, why, again)),
        _ => None,
    });
    let connecting = shot.regions.iter().find_map(|r| match &r.state {
        RegionState::Connecting { since } => Some((r, since)),
        _ => None,
    });
    if let (0, Some((region, why, again))) = (answer, silent) {
        let mut line = facts(form, Sign::Unknown, Bit::new(Role::Unknown, "silent"));
        line.left.push(Fact::new(0, [text(format!("{}: {why}", shorten(region.name.as_str(), 30)))]));
        line.left.push(Fact::new(1, [dim(format!("asked again in {}", format::age(again.since(shot.now))))]));
        return line;
    }
    if let (true, Some((region, since))) = (answer < all && shot.services.is_empty(), connecting) {
        let mut line = facts(form, Sign::Later, strong("connecting"));
        line.left.push(Fact::new(0, [text(format!("{} asked {}", shorten(region.name.as_str(), 30), words::ago(view, *since)))]));
        line.left.push(Fact::new(1, [dim(format!("{answer} of {all} answer"))]));
        return line;
    }
    let mut line = facts(form, Sign::Ok, strong("quiet"));
    let services = shot.services.len();
    let last = shot.last_change.map(|at| format!(", last change {}", words::ago(view, at))).unwrap_or_default();
    let count = count(services, "service");
    line.left.push(Fact::new(0, [dim(format!("{count}, {}{last}", words::regions(shot.regions.len())))]));
    if let (Some(k), true) = (view.live(Action::Launch), view.place == Place::Fleet) {
        line.right.push(Fact::new(2, [key(k), dim(" launch one")]));
    }
    line
}
