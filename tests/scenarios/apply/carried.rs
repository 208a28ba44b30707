//! Carrying the plan out with the program, and holding what it left to what an undisturbed run leaves.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use mysql_rehearsal::survey::record::Fingerprint;

use super::scene::Scene;

/// A plan that does not end within this hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a plan left, and when which line of its progress was told.
#[derive(Clone, Debug)]
pub struct Carried {
    pub print: Fingerprint,
    pub lines: Vec<Duration>,
    pub took: Duration,
}

/// The program while it runs, with what it says.
pub struct Running {
    child: Child,
    begun: Instant,
    told: Arc<Mutex<Vec<(Duration, String)>>>,
    reader: JoinHandle<()>,
}

/// What it said, and how it ended.
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub told: Vec<(Duration, String)>,
}

impl Ended {
    /// Holds it to an exit code.
    pub fn exits(&self, code: i32) -> Result<(), Failed> {
        if self.status.code() == Some(code) { Ok(()) } else { Err(format!("not {code}: {}", self.all()).into()) }
    }

    /// All that it said.
    pub fn all(&self) -> String {
        let told: Vec<&str> = self.told.iter().map(|(_, line)| line.as_str()).collect();
        format!("{}\n{}\n{}", self.status, self.out, told.join("\n"))
    }
}

impl Running {
    fn start(mut command: Command) -> Result<Self, Failed> {
        let begun = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let errors = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        let told = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&told);
        let reader = thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                keep.lock().unwrap_or_else(PoisonError::into_inner).push((begun.elapsed(), line));
            }
        });
        Ok(Self { child, begun, told, reader })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until so many lines of progress were told, and then so long. False when it ended before.
    pub fn wait_for(&mut self, (lines, then): (usize, Duration)) -> Result<bool, Failed> {
        while self.told.lock().unwrap_or_else(PoisonError::into_inner).len() < lines {
            if self.child.try_wait()?.is_some() || self.begun.elapsed() > PATIENCE {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(then);
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it has said so far.
    pub fn told(&self) -> Vec<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().map(|(_, line)| line.clone()).collect()
    }

    /// It has said this.
    pub fn has_told(&self, words: &str) -> bool {
        self.told().iter().any(|line| line.contains(words))
    }

    /// It has ended.
    pub fn is_over(&mut self) -> Result<bool, Failed> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Kills it as nobody can refuse.
    pub fn kill(mut self) -> Result<Ended, Failed> {
        self.child.kill()?;
        self.end()
    }

    /// Waits for its end; what does not end is killed and fails.
    pub fn end(mut self) -> Result<Ended, Failed> {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break Some(status);
            }
            if begun.elapsed() > PATIENCE {
                self.child.kill()?;
                break None;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let mut out = String::new();
        self.child.stdout.take().ok_or("no standard output")?.read_to_string(&mut out)?;
        self.reader.join().map_err(|_| "the reader panicked")?;
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = Ended { status: status.map_or_else(|| self.child.wait(), Ok)?, out, told };
        if status.is_none() {
            return Err(format!("it did not end within {PATIENCE:?}: {}", ended.all()).into());
        }
        Ok(ended)
    }
}

impl Scene {
    /// Starts `rehearse apply`, confirmed.
    pub fn apply(&self, more: &[&str]) -> Result<Running, Failed> {
        let dsn = self.stand_in.dsn()?;
        Running::start(self.desk.command(&[&["apply", "rehearsal", "--dsn", &dsn, "--yes"], more].concat()))
    }

    /// Carries the plan out to its end.
    pub fn carry_out(&self, what: &str) -> Result<Ended, Failed> {
        let ended = self.apply(&[])?.end()?;
        ended.exits(0).map_err(|error| format!("{what}: {}", error.message().unwrap_or_default()))?;
        Ok(ended)
    }

    /// Where the plan leads without trouble; carried out for the first trial that asks.
    pub fn undisturbed(&mut self) -> Result<Carried, Failed> {
        if let Some(carried) = &self.undisturbed {
            return Ok(carried.clone());
        }
        self.put_back()?;
        let begun = Instant::now();
        let ended = self.carry_out("undisturbed")?;
        let took = begun.elapsed();
        let lines = ended.told.into_iter().map(|(at, _)| at).collect();
        let carried = Carried { took, lines, print: self.stand_in.print()? };
        self.undisturbed = Some(carried.clone());
        Ok(carried)
    }

    /// Holds the stand-in to what an undisturbed run leaves.
    pub fn is_where_it_should_be(&mut self, what: &str) -> Result<(), Failed> {
        let wanted = self.undisturbed()?;
        same(&wanted.print, &self.stand_in.print()?, what)
    }
}

/// Holds two states to be the same: definitions, rows, checksums, next values, objects.
pub fn same(one: &Fingerprint, other: &Fingerprint, what: &str) -> Result<(), Failed> {
    let mut differences = Vec::new();
    for name in one.tables.keys().chain(other.tables.keys()).collect::<BTreeSet<_>>() {
        let (one, other) = (one.tables.get(name), other.tables.get(name));
        if one != other {
            differences.push(format!("{name}:\n  {one:?}\n  {other:?}"));
        }
    }
    if one.objects != other.objects {
        differences.push(format!("objects: {:?} and {:?}", one.objects, other.objects));
    }
    if differences.is_empty() { Ok(()) } else { Err(format!("{what} differs:\n{}", differences.join("\n")).into()) }
}
