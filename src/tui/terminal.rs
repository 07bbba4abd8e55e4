//! The terminal itself: entered, left whatever happens, suspended, and asked for its ground.
//!
//! Frames go out through a thread of their own, so that a terminal that stalls (a slow line, ctrl-s) never holds up a rollback:
//! the loop draws only while the last frame is out. Must never know what a frame shows. Known weakness: a terminal that stalls
//! for good is left without being restored, after half a second.

use super::theme::{Mode, mode_of};
use super::writer::{Sink, Writer};
use crate::units::{Kind, Place, Trouble};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

/// The title of the window, kept for later.
const KEEP_TITLE: &str = "\x1b[22;0t";
/// Alternate screen, bracketed paste, focus reports, no cursor, an empty screen.
const ENTER: &str = "\x1b[?1049h\x1b[?2004h\x1b[?1004h\x1b[?25l\x1b[m\x1b[2J";
/// Buttons and drags, in the form without a limit of columns.
const MOUSE: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
/// The end of a torn frame, then everything back, in the reverse order.
const LEAVE: &str = "\x1b[?2026l\x1b[m\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[23;0t";
/// How long a stalled terminal is waited for at the end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether the terminal is ours, so that it is given back once, by whoever comes first: guard, panic, suspension.
static OURS: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// A guard: the terminal is ours from `enter` until it is dropped.
#[must_use]
pub struct Screen {
    canvas: Terminal<Writer<Output>>,
    outbox: Arc<Outbox>,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal, and puts a hook before the panic hook that is set, which gives it back.
    pub fn enter(mouse: bool) -> Result<Screen, Trouble> {
        let trouble = |e: io::Error| Trouble::new(Kind::Internal, Place::named("terminal"), e.to_string(), "");
        if !io::stdout().is_terminal() {
            let remedy = "run it in a terminal, or use `flightdeck status` or `flightdeck deploy`";
            return Err(Trouble::new(Kind::Usage, Place::named("standard output"), "it is not a terminal", remedy));
        }
        HOOK.call_once(|| {
            let former = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                former(panic);
            }));
        });
        let tty = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(trouble)?);
        let outbox = Arc::new(Outbox::default());
        let output = Output::start(outbox.clone(), tty).map_err(trouble)?;
        let env = |name| std::env::var(name).unwrap_or_default();
        let screen = env("TERM").starts_with("screen") && env("TMUX").is_empty();
        let writer = if screen { Writer::new(output).without_erasing() } else { Writer::new(output) };
        let canvas = Terminal::new(writer).map_err(trouble)?;
        let mut screen = Screen { canvas, outbox, mouse };
        screen.take(KEEP_TITLE).map_err(trouble)?;
        Ok(screen)
    }

    fn take(&mut self, title: &str) -> io::Result<()> {
        enable_raw_mode()?;
        OURS.store(true, Ordering::SeqCst);
        self.outbox.put(title.as_bytes())?;
        self.outbox.put(ENTER.as_bytes())?;
        if self.mouse {
            self.outbox.put(MOUSE.as_bytes())?;
        }
        self.canvas.backend_mut().forget();
        self.canvas.clear()
    }

    fn leave(&mut self) {
        if OURS.swap(false, Ordering::SeqCst) {
            let _ = self.outbox.put(LEAVE.as_bytes());
            self.outbox.drain(PATIENCE);
            let _ = disable_raw_mode();
        }
    }

    /// Whether the last frame is out, so that another may be drawn.
    pub fn ready(&self) -> bool {
        self.outbox.idle()
    }

    /// Waits until the last frame is out, or the terminal is gone.
    pub async fn drained(&self) {
        while !self.outbox.idle() {
            self.outbox.news.notified().await;
        }
    }

    /// Draws one frame; nothing is written when nothing changed. An error means that the terminal is gone.
    pub fn draw(&mut self, frame: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !OURS.load(Ordering::SeqCst) {
            return Err(io::Error::other("the terminal was given back after a panic"));
        }
        self.canvas.draw(frame).map(|_| ())
    }

    /// For the title, the bell and the clipboard, which go out with the next frame.
    pub fn writer(&mut self) -> &mut Writer<Output> {
        self.canvas.backend_mut()
    }

    /// Draws everything anew with the next frame: after `SIGCONT`, when somebody else may have written.
    pub fn retake(&mut self) -> io::Result<()> {
        self.take("")
    }

    /// ctrl-z: gives the terminal back, stops this process, and takes the terminal again when it is continued.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.outside(|| signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP))?
    }

    /// Gives the terminal back while `work` uses it. Keys must not be read meanwhile.
    pub fn outside<T>(&mut self, work: impl FnOnce() -> T) -> io::Result<T> {
        self.leave();
        let done = work();
        self.take(KEEP_TITLE)?;
        Ok(done)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
        self.outbox.close();
    }
}

/// Gives the terminal back from wherever we are. The lock of a thread that panicked may be held: it is not asked for.
fn give_back() {
    if OURS.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
        let _ = disable_raw_mode();
    }
}

/// Bytes on their way to the terminal.
#[derive(Default)]
struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
    news: Notify,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    writing: bool,
    closed: bool,
    failed: Option<io::ErrorKind>,
}

impl Outbox {
    /// No code panics with the lock held, and the bytes are whole frames at any time.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        state.waiting.extend_from_slice(bytes);
        self.changed.notify_all();
        Ok(())
    }

    fn idle(&self) -> bool {
        let state = self.lock();
        state.failed.is_some() || !state.writing && state.waiting.is_empty()
    }

    fn drain(&self, most: Duration) {
        let busy = |s: &mut State| s.failed.is_none() && (s.writing || !s.waiting.is_empty());
        drop(self.changed.wait_timeout_while(self.lock(), most, busy));
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The thread: writes what waits, all of it at once, until the outbox is closed or the terminal is gone.
    fn write_out(&self, mut to: impl Write) {
        let mut frame = Vec::new();
        loop {
            let mut state = self.lock();
            state.writing = false;
            self.changed.notify_all();
            self.news.notify_one();
            let idle = |s: &mut State| s.waiting.is_empty() && !s.closed;
            let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
            if state.waiting.is_empty() {
                return;
            }
            frame.clear();
            std::mem::swap(&mut frame, &mut state.waiting);
            state.writing = true;
            drop(state);
            if let Err(e) = write_all(&mut to, &frame) {
                self.lock().failed = Some(e.kind());
                self.changed.notify_all();
                self.news.notify_one();
                return;
            }
        }
    }
}

/// As `Write::write_all`, but a terminal that somebody has set to non-blocking is waited for.
fn write_all(to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The sink that hands frames to the writing thread.
pub struct Output {
    outbox: Arc<Outbox>,
}

impl Output {
    fn start(outbox: Arc<Outbox>, tty: File) -> io::Result<Output> {
        let writer = outbox.clone();
        std::thread::Builder::new().name("screen".into()).spawn(move || writer.write_out(tty))?;
        Ok(Output { outbox })
    }
}

impl Sink for Output {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.outbox.put(frame)
    }
    fn size(&self) -> io::Result<Size> {
        crossterm::terminal::size().map(|(columns, rows)| Size::new(columns, rows))
    }
}

/// Asks the terminal whether its ground is dark or light (OSC 11), for at most `limit`. After `Screen::enter` and before keys
/// are read: what is typed meanwhile is dropped, as all keys before the first frame are. A question that every terminal answers
/// follows, so that one that does not know the first is not waited for.
pub async fn ask_mode(limit: Duration) -> Option<Mode> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return None;
    }
    let tty = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    // Deprecated for types whose descriptor may change or close; a file keeps and owns its own.
    #[allow(deprecated)]
    let tty = AsyncFd::with_interest(tty, Interest::READABLE).ok()?;
    let mut out = io::stdout();
    out.write_all(b"\x1b]11;?\x1b\\\x1b[c").and_then(|()| out.flush()).ok()?;
    let mut heard = Vec::new();
    let answer = async {
        loop {
            let mut readable = tty.readable().await.ok()?;
            let mut bytes = [0; 256];
            let mut file = tty.get_ref();
            // There is something to read, and nobody else reads: this does not wait.
            let n = file.read(&mut bytes).ok().filter(|n| *n > 0)?;
            readable.clear_ready();
            heard.extend_from_slice(bytes.get(..n).unwrap_or_default());
            if let Answer::Whole(mode) = understand(&heard) {
                return mode;
            }
            if heard.len() > 4096 {
                return None;
            }
        }
    };
    tokio::time::timeout(limit, answer).await.ok().flatten()
}

#[derive(Debug, PartialEq)]
enum Answer {
    Part,
    Whole(Option<Mode>),
}

/// Reads the answers to the two questions out of what was heard, whatever was typed between.
fn understand(heard: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(heard);
    // The second answer comes last: `ESC [ ? 62 ; 4 c`.
    let done = text.split("\x1b[?").skip(1).any(|s| s.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('c'));
    if !done {
        return Answer::Part;
    }
    let colour = text.split("\x1b]11;rgb:").nth(1).and_then(|s| {
        let mut parts = s.split(['/', '\x1b', '\x07']).map(|hex| {
            let most = 16u32.checked_pow(hex.len() as u32).filter(|_| (1..=4).contains(&hex.len()))? - 1;
            Some((u32::from_str_radix(hex, 16).ok()? * 255 / most) as u8)
        });
        Some([parts.next()??, parts.next()??, parts.next()??])
    });
    Answer::Whole(colour.map(mode_of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_ground_is_read_from_any_form_of_the_answer() {
        let dark = Answer::Whole(Some(Mode::Dark));
        assert_eq!(understand(b"\x1b]11;rgb:1414/1e1e/2828\x1b\\\x1b[?62;4c"), dark);
        assert_eq!(understand(b"\x1b]11;rgb:14/1e/28\x07\x1b[?1;2c"), dark);
        assert_eq!(understand(b"\x1b]11;rgb:ffff/fafa/f0f0\x1b\\\x1b[?6c"), Answer::Whole(Some(Mode::Light)));
    }

    #[test]
    fn an_answer_that_is_not_whole_is_waited_for_and_one_that_does_not_come_is_not() {
        assert_eq!(understand(b"\x1b]11;rgb:1414/1e"), Answer::Part);
        assert_eq!(understand(b"\x1b]11;rgb:1414/1e1e/2828\x1b\\"), Answer::Part);
        assert_eq!(understand(b"\x1b[?62;4c"), Answer::Whole(None));
        assert_eq!(understand(b"\x1b]11;rgb:zz/1e/28\x07\x1b[?1;2c"), Answer::Whole(None));
    }

    #[test]
    fn keys_typed_before_the_answer_do_not_spoil_it() {
        assert_eq!(understand(b"R\x1b[A\x1b]11;rgb:1414/1e1e/2828\x1b\\jj\x1b[?62cq"), Answer::Whole(Some(Mode::Dark)));
    }

    /// A terminal that takes bytes only when it is told to.
    struct Slow(mpsc::Receiver<io::Result<usize>>, mpsc::Sender<Vec<u8>>);
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = self.0.recv().unwrap_or(Ok(bytes.len()))?.min(bytes.len());
            let _ = self.1.send(bytes[..n].to_vec());
            Ok(n)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An outbox, its thread, and both ends of its terminal: what it may take, and what it took.
    struct Stalling {
        outbox: Arc<Outbox>,
        thread: std::thread::JoinHandle<()>,
        allow: mpsc::Sender<io::Result<usize>>,
        written: mpsc::Receiver<Vec<u8>>,
    }

    fn stalling() -> Stalling {
        let (allow, allowed) = mpsc::channel();
        let (wrote, written) = mpsc::channel();
        let outbox = Arc::new(Outbox::default());
        let writer = outbox.clone();
        let thread = std::thread::spawn(move || writer.write_out(Slow(allowed, wrote)));
        Stalling { outbox, thread, allow, written }
    }

    #[test]
    fn a_terminal_that_stalls_holds_up_nobody_and_gets_every_byte_in_order() {
        let Stalling { outbox, thread, allow, written } = stalling();
        outbox.put(b"first").unwrap();
        assert!(!outbox.idle());
        outbox.put(b"second").unwrap();
        for n in [3, 2, 99, 99] {
            allow.send(Ok(n)).unwrap();
        }
        outbox.drain(Duration::from_secs(10));
        assert!(outbox.idle());
        outbox.close();
        thread.join().unwrap();
        assert_eq!(written.try_iter().flatten().collect::<Vec<u8>>(), b"firstsecond");
    }

    #[test]
    fn a_terminal_that_is_gone_is_an_error_at_the_next_frame() {
        let Stalling { outbox, thread, allow, .. } = stalling();
        allow.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        outbox.put(b"frame").unwrap();
        thread.join().unwrap();
        assert!(outbox.idle());
        assert_eq!(outbox.put(b"next").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn what_is_entered_is_left() {
        for mode in ENTER.split("\x1b[?").chain(MOUSE.split("\x1b[?")).filter_map(|s| s.split_once('h')).map(|(mode, _)| mode) {
            assert!(LEAVE.contains(&format!("\x1b[?{mode}l")), "{mode} is not left");
        }
        assert!(KEEP_TITLE == "\x1b[22;0t" && LEAVE.ends_with("\x1b[23;0t"));
    }
}
