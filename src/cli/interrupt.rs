//! Stopping on request: a flag that long stages ask, so that guards drop and nothing is left behind.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Two signals closer than this are one request: a terminal and a wrapper (`timeout`, `make`) both pass it on.
const SAME_REQUEST: Duration = Duration::from_millis(300);

/// True once somebody asked us to stop.
#[derive(Clone, Debug, Default)]
pub struct Flag(Arc<AtomicBool>);

impl Flag {
    /// Somebody asked us to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Listens for SIGINT, SIGTERM and SIGHUP on a thread of its own. The first one sets the flag; a later one leaves at once,
/// with what is left over to be swept by a later run.
///
/// # Errors
/// When the system gives us no signal handler.
pub fn listen() -> Result<Flag> {
    let flag = Flag::default();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
    let raised = flag.clone();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut first: Option<Instant> = None;
            for _ in &mut signals {
                match first {
                    None => {
                        raised.0.store(true, Ordering::Relaxed);
                        first = Some(Instant::now());
                        say("stopping: cleaning up (once more leaves at once)");
                    }
                    Some(since) if since.elapsed() < SAME_REQUEST => {}
                    Some(_) => {
                        say("left at once; `rehearse doctor --sweep` removes what remains");
                        signal_hook::low_level::exit(130);
                    }
                }
            }
        })
        .context("cannot start the signal thread")?;
    Ok(flag)
}

/// A line on the standard error, below whatever progress bar stands there; nobody is left to hear of a closed one.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "\n{line}");
}
