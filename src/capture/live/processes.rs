//! What runs in a network: whatever a command left behind is found by it, also what became a daemon.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The name of the network that this process is in.
pub(super) fn own_network() -> Option<String> {
    network_of("self")
}

/// The name of a process's network.
pub(super) fn network_of(pid: &str) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/ns/net")).ok()?.to_string_lossy().into_owned())
}

/// The processes in a network, but for `except`.
pub(super) fn within(network: &str, except: u32) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| u32::try_from(pid) != Ok(except) && pid != 1)
        .filter(|pid| network_of(&pid.to_string()).is_some_and(|name| name == network))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Asks them all to end, and kills those that are still there after `patience`.
pub(super) fn end(network: &str, except: u32, patience: Duration) {
    let signal = |signal: Signal| {
        for pid in within(network, except) {
            let _gone_already = kill_process(pid, signal);
        }
    };
    signal(Signal::TERM);
    let until = Instant::now() + patience;
    while !within(network, except).is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(Signal::KILL);
}
