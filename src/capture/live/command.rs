//! The life of a command: started, heard of, visited, and ended.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use rustix::process::Signal;

use super::enclosure::Enclosure;
use super::record::{Said, Tried, Visited};
use crate::capture::record::{Event, Listener};
use crate::problem::BadInput;
use crate::progress::Progress;

/// How often it is looked whether the command is to end.
const LOOK: Duration = Duration::from_millis(50);
/// After how long a command that was asked to stop is asked less gently, and then no more.
const PATIENCE: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(6)];

/// When a command is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Until {
    /// It serves: it is ended by us, not by itself.
    pub serves: bool,
    /// Once everything was visited and nothing was sent for so long.
    pub idle: Option<Duration>,
}

/// What came of a command.
#[derive(Clone, Debug, Default)]
pub struct Came {
    /// Its exit code; none when it was ended by us.
    pub code: Option<u8>,
    /// Somebody asked to stop before it had ended.
    pub interrupted: bool,
    /// What was asked of its web server.
    pub visits: Vec<Visited>,
    /// What it tried to reach and nobody answered for.
    pub tried: BTreeSet<Tried>,
    /// What could not be had, in sentences.
    pub notes: Vec<String>,
    /// Seconds that it ran.
    pub seconds: f64,
}

/// Passes on what is heard, and counts it.
pub struct Counted {
    next: Arc<dyn Listener>,
    sessions: AtomicU64,
    last: Mutex<Instant>,
}

impl Counted {
    /// Counts what goes to `next`.
    pub fn new(next: Arc<dyn Listener>) -> Self {
        Self { next, sessions: AtomicU64::new(0), last: Mutex::new(Instant::now()) }
    }

    /// Sessions that began.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    fn quiet_for(&self) -> Duration {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

impl Listener for Counted {
    fn hear(&self, event: Event) -> Result<()> {
        if matches!(event, Event::Began(_)) {
            self.sessions.fetch_add(1, Ordering::Relaxed);
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.next.hear(event)
    }
}

/// Starts the command of an enclosure and waits until it is over. `is_busy` tells whether the server is at a statement:
/// one is heard of when it ends.
///
/// # Errors
/// When the command cannot be started.
pub fn run(
    mut enclosure: Enclosure,
    until: Until,
    counted: &Counted,
    is_busy: &mut dyn FnMut() -> bool,
    progress: &dyn Progress,
) -> Result<Came> {
    let mut came = Came { notes: enclosure.notes().to_vec(), ..Came::default() };
    let began = Instant::now();
    let mut asked: Option<Instant> = None;
    let (mut visited, mut ended) = (None, None);
    let mut asks = 0;
    enclosure.start()?;
    loop {
        match enclosure.hear(LOOK) {
            Some(Said::Absent { why }) => return Err(absent(&why)),
            Some(Said::Visited(visit)) => {
                progress.note(&told(&visit));
                came.visits.push(visit);
            }
            Some(Said::VisitsDone) => visited = Some(Instant::now()),
            Some(Said::Ended { code }) => ended = Some(code),
            Some(_) => continue,
            None => {}
        }
        if let Some(code) = ended
            && (!until.serves || !enclosure.is_alive())
        {
            came.code = Some(code);
            break;
        }
        if progress.interrupted() {
            if until.serves {
                break;
            }
            came.interrupted = true;
            let since = *asked.get_or_insert_with(|| {
                if !enclosure.is_in_front() {
                    enclosure.signal(Signal::INT);
                }
                Instant::now()
            });
            match since.elapsed() {
                past if past > PATIENCE[1] => break,
                past if past > PATIENCE[0] && asks == 0 => {
                    asks = 1;
                    enclosure.signal(Signal::TERM);
                }
                _ => {}
            }
            continue;
        }
        if let Some(idle) = until.idle
            && visited.is_some_and(|since| since.elapsed() >= idle)
            && (counted.sessions() > 0 || !came.visits.is_empty())
            && counted.quiet_for() >= idle
            && !is_busy()
        {
            break;
        }
    }
    came.seconds = began.elapsed().as_secs_f64();
    came.tried = enclosure.close();
    Ok(came)
}

fn absent(why: &str) -> anyhow::Error {
    anyhow!(why.to_owned())
        .context("hint: The command is what stands after `--`, its words apart: -- php artisan migrate --force.")
        .context(BadInput::new("the command cannot be started"))
}

/// A visit in a sentence.
fn told(visit: &Visited) -> String {
    let tries = if visit.tries > 1 { format!(", after {} tries", visit.tries) } else { String::new() };
    match (visit.status, &visit.error) {
        (Some(status), None) => {
            format!("visited {}: {status}, {} bytes in {:.2} s{tries}", visit.url, visit.bytes, visit.seconds)
        }
        (_, error) => format!("visited {}: {}{tries}", visit.url, error.as_deref().unwrap_or("no answer")),
    }
}
