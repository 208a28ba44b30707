//! Looks at the target and its replicas on a thread of its own, and says when to rest and when others waited for us.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::channel::{Channel, channels};
use super::record::Options;
use super::target::Target;
use crate::server::ability::Ability as _;
use crate::server::flavor::Flavor;
use crate::server::role::Role;
use crate::server::session::ReadOnly;
use crate::survey::answer::Cells;
use crate::watch::row_locks;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(200);

/// What was seen so long ago says nothing any more.
const STALE: Duration = Duration::from_secs(15);

/// What was seen last.
#[derive(Debug, Default)]
struct Seen {
    running: Option<u64>,
    /// By replica: its lag in seconds, or why that is not known.
    replicas: BTreeMap<String, Result<u64, String>>,
    looked: bool,
    /// When the last look at all of them was over.
    at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    bell: Condvar,
    end: AtomicBool,
    connection: AtomicU32,
    /// The most sessions that waited for row locks of ours at once.
    waiting: AtomicU64,
}

/// Looks on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Throttle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    max_lag: Option<u64>,
    max_running: Option<u64>,
    pause_file: Option<PathBuf>,
    replicas: bool,
}

impl Throttle {
    /// Begins to look.
    pub fn start(target: &Target, flavor: Flavor, options: &Options) -> Self {
        let shared = Arc::new(Shared::default());
        let mut places = vec![(String::new(), target.clone())];
        places.extend(options.replicas.iter().map(|address| (address.to_string(), Target::server(address.clone()))));
        let wants_running = options.max_threads_running.is_some();
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("throttle".to_owned())
                .spawn(move || look(&shared, &places, flavor, wants_running))
                .ok()
        };
        Self {
            shared,
            thread,
            max_lag: options.max_lag.map(|lag| lag.as_secs()),
            max_running: options.max_threads_running,
            pause_file: options.pause_file.clone(),
            replicas: !options.replicas.is_empty(),
        }
    }

    /// The connection that carries statements out.
    pub fn watch(&self, connection: u32) {
        self.shared.connection.store(connection, Ordering::Relaxed);
    }

    /// The most sessions that were seen to wait for row locks of ours at once, since this was asked last.
    pub fn most_waiting(&self) -> u64 {
        self.shared.waiting.swap(0, Ordering::Relaxed)
    }

    /// Why to rest now; none to go on.
    pub fn reason(&self) -> Option<String> {
        if let Some(file) = self.pause_file.as_ref().filter(|file| file.exists()) {
            return Some(format!("{} is there", file.display()));
        }
        if !self.replicas && self.max_running.is_none() {
            return None;
        }
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.looked {
            let waited = self.shared.bell.wait_timeout(seen, Duration::from_secs(5));
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if self.replicas && seen.at.is_none_or(|at| at.elapsed() > STALE) {
            return Some("a replica does not answer: its lag is not known".to_owned());
        }
        if let Some(most) = self.max_lag {
            for (name, lag) in &seen.replicas {
                match lag {
                    Ok(seconds) if *seconds > most => {
                        return Some(format!("the replica {name} is {seconds} s behind (more than {most} s)"));
                    }
                    Ok(_) => {}
                    Err(why) => return Some(format!("the lag of the replica {name} is not known: {why}")),
                }
            }
        }
        match (self.max_running, seen.running) {
            (Some(most), Some(running)) if running > most => {
                Some(format!("{running} threads are running (more than {most})"))
            }
            _ => None,
        }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has nothing to say.
            let _ = thread.join();
        }
    }
}

fn look(shared: &Shared, places: &[(String, Target)], flavor: Flavor, wants_running: bool) {
    let mut readers: Vec<Option<ReadOnly>> = places.iter().map(|_| None).collect();
    while !shared.end.load(Ordering::Relaxed) {
        for (at, ((name, target), reader)) in places.iter().zip(&mut readers).enumerate() {
            let answer = match open(reader, target) {
                Ok(reader) if at == 0 => of_target(shared, reader, flavor, wants_running).map(|()| None),
                Ok(reader) => lag(reader).map(Some),
                Err(why) => Err(why),
            };
            let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            match answer {
                Ok(Some(seconds)) => {
                    seen.replicas.insert(name.clone(), Ok(seconds));
                }
                Ok(None) => {}
                Err(why) => {
                    *reader = None;
                    if at > 0 {
                        seen.replicas.insert(name.clone(), Err(why));
                    }
                }
            }
        }
        {
            let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.looked = true;
            seen.at = Some(Instant::now());
        }
        shared.bell.notify_all();
        std::thread::park_timeout(EVERY);
    }
}

fn open<'a>(reader: &'a mut Option<ReadOnly>, target: &Target) -> Result<&'a mut ReadOnly, String> {
    if reader.is_none() {
        *reader = Some(target.reader(Role::Watcher).map_err(|fault| fault.to_string())?);
    }
    reader.as_mut().ok_or_else(|| "not connected".to_owned())
}

fn of_target(shared: &Shared, reader: &mut ReadOnly, flavor: Flavor, wants_running: bool) -> Result<(), String> {
    if wants_running {
        let row =
            reader.first::<Cells>("SHOW GLOBAL STATUS LIKE 'Threads_running'").map_err(|fault| fault.to_string())?;
        // Not this question's own thread.
        let running = row.and_then(|row| row.number(1)).map(|count| count.saturating_sub(1));
        shared.seen.lock().unwrap_or_else(PoisonError::into_inner).running = running;
    }
    let ours = shared.connection.load(Ordering::Relaxed);
    // Without the right to see waits the batches keep the size that their time gives them.
    match row_locks::waits(reader, flavor.has_data_locks()) {
        Ok(waits) => {
            let waiting = waits.iter().filter(|(_, blocker)| *blocker == ours).count();
            shared.waiting.fetch_max(waiting as u64, Ordering::Relaxed);
        }
        Err(fault) if fault.is_connection_lost() => return Err(fault.to_string()),
        Err(_) => {}
    }
    Ok(())
}

/// Seconds that a replica is behind, by its slowest channel.
fn lag(reader: &mut ReadOnly) -> Result<u64, String> {
    let version = reader.first::<String>("SELECT VERSION()").map_err(|fault| fault.to_string())?.unwrap_or_default();
    let flavor = Flavor::from_version_string(&version).map_err(|error| error.to_string())?;
    let channels = channels(reader, flavor).map_err(|error| error.to_string())??;
    let lags: Vec<u64> = channels.iter().map(Channel::behind).collect::<Result<_, _>>()?;
    lags.into_iter().max().ok_or_else(|| "it is no replica".to_owned())
}
