//! The pods of one revision in one region: they start slowly, sometimes fail, loop, wait for an image, and go.
//!
//! Known weakness: nodes, quotas and disruption budgets do not exist here, so a pod that is asked for always begins to start.

use super::dice::Dice;
use crate::fleet::Stuck;
use crate::units::{Span, Time};

/// Starts that fail once by chance.
const FAILED_STARTS: f64 = 0.01;
/// A ready pod dies by chance this often.
const LIFE: Span = Span::mins(1000 * 60);
/// How long requests still go to a removed pod that does not wait for them.
const HOLE: Span = Span(1000);

/// What pods of one revision are like.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Habits {
    /// Usual time from start to ready.
    pub start: Span,
    /// A pod counts as available when it has been ready for so long.
    pub min_ready: Span,
    /// Whether a removed pod waits until no more requests come.
    pub drains: bool,
    /// Why the image cannot be pulled.
    pub no_image: Option<&'static str>,
    /// Exits soon after each start.
    pub crash_loop: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Starting {
        until: Time,
        fails: bool,
    },
    /// Its image cannot be pulled.
    NoImage,
    Ready {
        since: Time,
        dies: Time,
    },
    /// Exited; starts again then.
    Down {
        until: Time,
    },
}

#[derive(Clone, Copy, Debug)]
struct Pod {
    phase: Phase,
    restarts: u32,
    ill_since: Option<Time>,
}

/// All pods of one revision in one region.
#[derive(Clone, Debug)]
pub(super) struct Pods {
    pods: Vec<Pod>,
    /// Removed pods that still get requests, and until when.
    holes: Vec<Time>,
    dice: Dice,
}

impl Pods {
    pub fn new(dice: Dice) -> Pods {
        Pods { pods: Vec::new(), holes: Vec::new(), dice }
    }
    /// Pods that exist, without those that are going.
    pub fn len(&self) -> u32 {
        self.pods.len() as u32
    }
    pub fn ready(&self) -> u32 {
        self.pods.iter().filter(|p| matches!(p.phase, Phase::Ready { .. })).count() as u32
    }
    /// Pods that have been ready for long enough.
    pub fn available(&self, now: Time, habits: &Habits) -> u32 {
        let counts = |p: &&Pod| matches!(p.phase, Phase::Ready { since, .. } if since + habits.min_ready <= now);
        self.pods.iter().filter(counts).count() as u32
    }
    /// Pods that start for the first time: nobody can say yet whether they are well.
    pub fn begin(&self) -> u32 {
        let begins = |p: &&Pod| matches!(p.phase, Phase::Starting { .. }) && p.ill_since.is_none();
        self.pods.iter().filter(begins).count() as u32
    }
    /// Removed pods that still get requests.
    pub fn holes(&self) -> u32 {
        self.holes.len() as u32
    }

    /// Pods that run already, for the start of a fleet.
    pub fn add_ready(&mut self, n: u32, since: Time) {
        for _ in 0..n {
            let dies = since + self.dice.wait(LIFE);
            self.pods.push(Pod { phase: Phase::Ready { since, dies }, restarts: 0, ill_since: None });
        }
    }
    /// Begins to start `n` more.
    pub fn start(&mut self, n: u32, now: Time, habits: &Habits) {
        for _ in 0..n {
            let phase = self.starting(now, habits);
            self.pods.push(Pod { phase, restarts: 0, ill_since: None });
        }
    }
    fn starting(&mut self, now: Time, habits: &Habits) -> Phase {
        let fails = self.dice.chance(FAILED_STARTS);
        // A pull is refused sooner than a program is up.
        let usual = if habits.no_image.is_some() { Span(1500) } else { habits.start };
        Phase::Starting { until: now + self.dice.around(usual, 0.25), fails }
    }

    /// Removes up to `n` pods that are not ready; returns how many.
    pub fn remove_unready(&mut self, n: u32) -> u32 {
        self.remove(n, |p| !matches!(p.phase, Phase::Ready { .. }))
    }
    /// Removes up to `n` ready pods, the newest first; returns how many.
    pub fn remove_ready(&mut self, n: u32, now: Time, habits: &Habits) -> u32 {
        let gone = self.remove(n, |p| matches!(p.phase, Phase::Ready { .. }));
        if !habits.drains {
            self.holes.extend((0..gone).map(|_| now + HOLE));
        }
        gone
    }
    fn remove(&mut self, n: u32, fits: impl Fn(&Pod) -> bool) -> u32 {
        let mut gone = 0;
        for i in (0..self.pods.len()).rev() {
            if gone < n && fits(&self.pods[i]) {
                self.pods.remove(i);
                gone += 1;
            }
        }
        gone
    }

    /// Lets happen what is due. Returns whether anything did.
    pub fn turn(&mut self, now: Time, habits: &Habits) -> bool {
        let holes = self.holes.len();
        self.holes.retain(|until| *until > now);
        let mut changed = self.holes.len() != holes;
        for i in 0..self.pods.len() {
            let Pod { phase, mut restarts, mut ill_since } = self.pods[i];
            let next = match phase {
                Phase::Starting { until, fails } if until <= now => {
                    if habits.no_image.is_some() {
                        ill_since.get_or_insert(now);
                        Phase::NoImage
                    } else if fails || habits.crash_loop {
                        restarts += 1;
                        ill_since.get_or_insert(now);
                        Phase::Down { until: now + backoff(restarts) }
                    } else {
                        Phase::Ready { since: now, dies: now + self.dice.wait(LIFE) }
                    }
                }
                Phase::NoImage if habits.no_image.is_none() => self.starting(now, habits),
                Phase::Ready { since, dies } if dies <= now => {
                    // As the kubelet: ten minutes of health and the past is forgotten.
                    restarts = if now.since(since) > Span::mins(10) { 1 } else { restarts + 1 };
                    ill_since = Some(now);
                    Phase::Down { until: now + backoff(restarts) }
                }
                Phase::Down { until } if until <= now => self.starting(now, habits),
                _ => continue,
            };
            self.pods[i] = Pod { phase, restarts, ill_since };
            self.pods[i].phase = next;
            changed = true;
        }
        changed
    }
    /// Lets every ready pod die within some seconds (its program has begun to crash).
    pub fn strike(&mut self, now: Time) {
        for pod in &mut self.pods {
            if let Phase::Ready { dies, .. } = &mut pod.phase {
                *dies = now + self.dice.span(Span(200), Span::secs(8));
            }
        }
    }
    /// When something is due next.
    pub fn next(&self, now: Time, habits: &Habits) -> Option<Time> {
        let pods = self.pods.iter().filter_map(|p| match p.phase {
            Phase::Starting { until, .. } | Phase::Down { until } => Some(until),
            Phase::NoImage => habits.no_image.is_none().then_some(now),
            Phase::Ready { since, dies } => {
                let available = since + habits.min_ready;
                Some(if available > now { available.min(dies) } else { dies })
            }
        });
        pods.chain(self.holes.iter().copied()).min()
    }

    /// Why some do not become ready, in words.
    pub fn stuck(&self, habits: &Habits) -> Option<Stuck> {
        let ill = |p: &&Pod| !matches!(p.phase, Phase::Ready { .. }) && (p.phase == Phase::NoImage || p.restarts > 1);
        let since = self.pods.iter().filter(ill).filter_map(|p| p.ill_since).min()?;
        let cause = habits.no_image.unwrap_or("crash loop, exit code 1");
        let pods = self.pods.iter().filter(ill).count() as u32;
        Some(Stuck { cause: cause.into(), pods, since, may_heal: habits.no_image.is_none() })
    }
}

/// The kubelet's back-off: at once, then 10 s doubling to 5 min.
fn backoff(restarts: u32) -> Span {
    match restarts {
        0 | 1 => Span(500),
        n => Span::secs((10 << (n - 2).min(5)).min(300)),
    }
}
