//! The process inside: makes the network, hands its sockets out, starts the command and tells how it goes.
//!
//! It is this program again, started before it has any thread: only such a process may leave a network. It ends with the
//! process outside, and takes the command and all that it started along.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::record::{Order, Ready, Said};
use super::{ground, processes, rights, visit};

/// What the keeper itself ends with when the command could not be started.
const NOTHING_RAN: u8 = 3;

/// Carries an order out, and answers with the command's exit code.
///
/// # Errors
/// When the order cannot be read or nobody listens for what is to be told: then nothing was started.
pub fn run(order: &Path) -> Result<u8> {
    let bytes = std::fs::read(order).with_context(|| format!("cannot read {}", order.display()))?;
    let order: Order = serde_json::from_slice(&bytes).context("cannot read the order")?;
    let control = UnixStream::connect(&order.control)
        .with_context(|| format!("nobody listens at {}", order.control.display()))?;
    // Caught, not ignored: what is ignored stays so in the command. A terminal sends these to everybody in front of it.
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).context("cannot catch signals")?;
    }
    let teller = Teller(Arc::new(Mutex::new(control.try_clone().context("cannot use the control socket twice")?)));
    let mut orders = BufReader::new(control.try_clone().context("cannot use the control socket twice")?);
    let made = order.network.as_ref().map_or_else(|| Ok((Vec::new(), Ready::default())), ground::make);
    match made {
        Ok((sockets, ready)) => {
            let borrowed: Vec<BorrowedFd<'_>> = sockets.iter().map(|socket| socket.as_fd()).collect();
            rights::hand_over(&control, &borrowed)?;
            teller.tell(&Said::Ready(ready))?;
        }
        Err(error) => {
            rights::hand_over(&control, &[])?;
            teller.tell(&Said::Refused { why: format!("{error:#}") })?;
            return Ok(NOTHING_RAN);
        }
    }
    let mut go = String::new();
    if orders.read_line(&mut go).context("cannot hear the go")? == 0 {
        return Ok(NOTHING_RAN);
    }
    let (program, arguments) = order.command.split_first().context("no command was named")?;
    let mut child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => {
            teller.tell(&Said::Absent { why: error.to_string() })?;
            return Ok(NOTHING_RAN);
        }
    };
    teller.tell(&Said::Started { pid: child.id() })?;
    let visits = teller.clone();
    thread::spawn(move || {
        for url in &order.visits {
            visits.tell(&Said::Visited(visit::visit(url)))?;
        }
        visits.tell(&Said::VisitsDone)
    });
    let has_network = order.network.is_some();
    let outside = thread::spawn(move || {
        // Nothing more is said: this ends when the process outside ends, or has had enough.
        let mut end = String::new();
        while orders.read_line(&mut end).is_ok_and(|bytes| bytes > 0) {}
        if let Some(network) = processes::own_network().filter(|_| has_network) {
            processes::end(&network, std::process::id(), Duration::from_secs(1));
        }
    });
    let code = code(child.wait().context("cannot wait for the command")?);
    // Nobody may be left to hear of it.
    let _outside_is_gone = teller.tell(&Said::Ended { code });
    let _ended = outside.join();
    Ok(code)
}

/// As a shell tells it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[derive(Clone)]
struct Teller(Arc<Mutex<UnixStream>>);

impl Teller {
    fn tell(&self, said: &Said) -> Result<()> {
        let mut line = serde_json::to_vec(said)?;
        line.push(b'\n');
        let mut control = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        control.write_all(&line).context("nobody listens any more")
    }
}
