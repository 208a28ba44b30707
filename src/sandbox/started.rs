//! A process that we started, known by its id and its start time, so that a recycled id is never taken for it.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// A process of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks after boot (`proc(5)`, field 22 of `/proc/PID/stat`).
    pub start: u64,
}

impl Started {
    /// The process that has this id now; none when there is none, or only its zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let fields = stat(pid)?;
        Some(Self { pid, start: fields.start })
    }

    /// True while it runs.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|now| now.start == self.start)
    }

    /// The processor time that it has used, in seconds; none once it is gone.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let now = stat(self.pid).filter(|now| now.start == self.start)?;
        Some(now.ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Sends a signal, when it is still the process that we started.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            let _gone_already = rustix::process::kill_process(pid, signal);
        }
    }

    /// Waits until it is gone. False when it still runs after `patience`.
    pub fn wait_gone(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

struct Stat {
    start: u64,
    ticks: u64,
}

/// Reads `/proc/PID/stat`. The second field is the command in parentheses and may itself hold any byte.
fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(bytes: &[u8]) -> Option<Stat> {
    let after = bytes.iter().rposition(|&byte| byte == b')')? + 1;
    let rest = std::str::from_utf8(&bytes[after..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    Some(Stat { start: number(19)?, ticks: number(11)? + number(12)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_parentheses_does_not_shift_the_fields() {
        let line = b"7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 1 0 4711 1 1";
        let stat = parse(line).expect("a line of stat");
        assert_eq!((stat.start, stat.ticks), (4711, 42));
        assert!(parse(b"7 (gone) Z 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 1 0 4711 1 1").is_none());
    }

    #[test]
    fn this_process_is_alive_and_another_start_time_is_not() {
        let own = Started::of(std::process::id()).expect("this process");
        assert!(own.is_alive() && own.cpu_seconds().is_some());
        assert!(!Started { start: own.start + 1, ..own }.is_alive());
    }
}
