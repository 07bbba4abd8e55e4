//! The terminal's loop: one wait point, then at most one frame, frames at least 10 ms apart, nothing drawn when nothing changed.
//!
//! Known weakness: it shares its thread with the world, so a fold that takes long delays a frame.

use super::glyphs::{GlyphSet, Sign};
use super::input::{Input, Inputs};
use super::keymap::Keymap;
use super::model::{Hand, Model, Speed, Story};
use super::over;
use super::pace::Pace;
use super::pen::{Pen, text};
use super::session::{Outside, Session};
use super::terminal::{Screen, ask_mode};
use super::theme::{ColorChoice, Mode, Theme, Tier};
use super::view::{self, Shown, View};
use super::widgets::toast::Toast;
use crate::cockpit::{Clock, World};
use crate::units::{Kind, Person, Place as Where, Time, Trouble};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::time::{Duration, Instant};

/// The terminal is asked for its ground for so long.
const ASKED: Duration = Duration::from_millis(100);

/// How the screen is to look and behave; read again on `:reload`.
#[derive(Clone, Debug)]
pub struct Looks {
    /// A theme's name or file.
    pub theme: Option<String>,
    /// How many colours.
    pub color: ColorChoice,
    /// Which characters.
    pub glyphs: Option<GlyphSet>,
    /// Keys.
    pub keymap: Keymap,
    /// Whether the mouse works.
    pub mouse: bool,
    /// Whether a rollout that starts to fail rings the bell.
    pub bell: bool,
    /// Countdowns in steps.
    pub reduce_motion: bool,
}

/// What the loop is started with.
pub struct Start {
    /// The world, after its first step.
    pub world: World,
    /// How fast practice runs; a real fleet has no speed.
    pub speed: Option<f64>,
    /// Who presses the keys.
    pub person: Person,
    /// The line that says what to try first.
    pub hint: Option<String>,
    /// What the exercise is about.
    pub story: Option<Story>,
    /// How it looks.
    pub looks: Looks,
    /// Reads the settings again.
    pub reread: Box<dyn Fn() -> Result<Looks, Vec<Trouble>>>,
    /// The time of a real fleet.
    pub real_now: fn() -> Time,
}

/// Runs the screen until the person leaves. A lost terminal is an end like any other: what was meant is carried out.
pub async fn run(start: Start) -> Result<(), Vec<Trouble>> {
    let env = |name: &str| std::env::var(name).ok();
    let tier = Tier::detect(start.looks.color, true, env);
    let glyphs = GlyphSet::detect(start.looks.glyphs, env);
    // Read before the terminal is taken, so that what is wrong can be read.
    let mut theme = Theme::load(start.looks.theme.as_deref(), Mode::Dark, tier)?;
    let mut screen = Screen::enter(start.looks.mouse).map_err(|t| vec![t])?;
    let mut mode = Mode::Dark;
    if start.looks.theme.is_none() && matches!(tier, Tier::True | Tier::Indexed) {
        mode = ask_mode(ASKED).await.unwrap_or(Mode::Dark);
        theme = Theme::load(None, mode, tier)?;
    }
    let trouble = |e: std::io::Error| vec![Trouble::new(Kind::Internal, Where::named("terminal"), e.to_string(), "")];
    let mut inputs = Inputs::start().map_err(trouble)?;
    let began = Instant::now();
    let hand = move || Hand(began.elapsed().as_millis() as u64);
    let Start { mut world, speed, person, hint, story, mut looks, reread, real_now, .. } = start;
    let mut clock = Clock::new(world.now(), speed.unwrap_or(1.0));
    let now = |clock: &Clock| if speed.is_some() { clock.now() } else { real_now() };
    let mut model = Model::new(world.snapshot(), looks.keymap.clone(), speed.map(|factor| Speed { factor, stopped: false }), hint);
    model.story = story;
    let mut session = Session::new(world, model, person);
    let (mut pace, mut failing) = (Pace::default(), 0);

    loop {
        if pace.must_draw(began.elapsed(), screen.ready()) {
            let now_failing = session.model.snapshot.failing();
            if now_failing > failing && looks.bell {
                screen.writer().bell();
            }
            failing = now_failing;
            let title = title(&session.model, looks.reduce_motion);
            screen.writer().set_title(&title);
            let pen = Pen::new(&theme, glyphs);
            let done = screen.draw(|frame| {
                let area = frame.area();
                if let Some(cursor) = paint(&session.model, area, frame.buffer_mut(), &pen, looks.reduce_motion) {
                    frame.set_cursor_position(cursor);
                }
            });
            if done.is_err() {
                session.lost();
                return Ok(());
            }
            pace.drew(began.elapsed());
        }
        let wait = pace.rests(began.elapsed(), screen.ready(), &session, now(&clock));
        let input = tokio::select! {
            input = inputs.next() => Some(input),
            () = session.world.ready() => None,
            () = screen.drained(), if pace.stale() && !screen.ready() => None,
            () = sleep(wait) => None,
        };
        let mut outside = session.tick(hand());
        let pressed = input.is_some();
        match input {
            Some(Input::Key(key)) => outside.extend(session.key(hand(), key)),
            Some(Input::Paste(text)) => outside.extend(session.paste(&text)),
            Some(Input::Mouse(event)) => outside.extend(session.mouse(hand(), event)),
            Some(Input::Resize) => {}
            Some(Input::Focus(_)) | None => {}
            Some(Input::Suspend) => outside.push(Outside::Suspend),
            Some(Input::Continued) => {
                if screen.retake().is_err() {
                    session.lost();
                    return Ok(());
                }
            }
            Some(Input::Quit(_)) => {
                session.lost();
                end(screen, &mut session, real_now).await;
                return Ok(());
            }
        }
        pace.happened(pressed || !outside.is_empty());
        for wish in outside {
            match wish {
                Outside::Quit => {
                    end(screen, &mut session, real_now).await;
                    return Ok(());
                }
                Outside::Pace => {
                    let speed = session.model.speed.map_or(1.0, |s| if s.stopped { 0.0 } else { s.factor });
                    clock = clock.at_speed(speed);
                }
                Outside::Copy(text) => {
                    screen.writer().copy(&text);
                    session.model.say(format!("copied  {text}"), false);
                }
                Outside::Reload => match reread() {
                    Ok(new) => {
                        match Theme::load(new.theme.as_deref(), mode, tier) {
                            Ok(new) => theme = new,
                            Err(troubles) => troubles.iter().for_each(|t| session.model.say(t.to_string(), true)),
                        }
                        session.model.rekey(new.keymap.clone());
                        looks = new;
                        session.model.say("settings read again", false);
                    }
                    Err(troubles) => troubles.iter().for_each(|t| session.model.say(t.to_string(), true)),
                },
                Outside::Suspend => {
                    inputs.pause();
                    let done = screen.suspend();
                    inputs.resume();
                    if done.is_err() {
                        session.lost();
                        return Ok(());
                    }
                }
            }
        }
        pace.happened(session.advance(now(&clock), hand()));
    }
}

/// Gives the terminal back at once, and then what is held in the clusters.
async fn end(screen: Screen, session: &mut Session, now: fn() -> Time) {
    drop(screen);
    session.world.settle();
    session.world.part(now).await;
}

/// Draws everything; where the cursor belongs while text is typed is returned.
pub fn paint(model: &Model, area: Rect, buf: &mut Buffer, pen: &Pen<'_>, reduce_motion: bool) -> Option<Position> {
    let shown = Shown::of(model);
    let view = View::of(model, &shown, reduce_motion);
    model.drawn.clear();
    let pen = &pen.noting(&model.drawn);
    let small = area.width < view::LEAST.0 || area.height < view::LEAST.1;
    let mut cursor = view::draw(area, buf, &view, pen);
    if small {
        return None;
    }
    if let Some(over) = &model.over
        && let Some(at) = over::draw(model, over, area, buf, pen)
    {
        cursor = Some(at);
    }
    if let Some(said) = model.toast() {
        let sign = if said.bad { Sign::Look } else { Sign::Done };
        let row = Rect { y: area.bottom().saturating_sub(2), height: 1, ..area };
        Toast { sign, words: vec![text(said.text.as_str())] }.draw(row, buf, pen);
    }
    cursor
}

/// What the window is called now.
pub fn title(model: &Model, reduce_motion: bool) -> String {
    let shown = Shown::of(model);
    view::window_title(&View::of(model, &shown, reduce_motion))
}

async fn sleep(length: Option<Duration>) {
    match length {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}
