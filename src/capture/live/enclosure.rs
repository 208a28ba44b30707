//! The process outside: has the keeper make a network, takes its sockets, and hears how the command goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::names::Names;
use super::record::{Ground, HostName, Order, PORT, Ready, Said, Tried};
use super::tried::Seen;
use super::{processes, rights, sockets};

/// How long the keeper may take to make a network.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long what a command left behind has to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// Where a command runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// In a network of its own, where only the proxy answers.
    #[default]
    Own,
    /// In this machine's: it can reach whatever this machine can.
    Host,
}

/// A command, and what is to answer it.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The command and its arguments.
    pub command: &'a [String],
    /// Variables over those of our own environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Addresses to be asked for once it runs.
    pub visits: &'a [String],
    /// Where it runs.
    pub network: Network,
    /// What its configuration calls the database, besides `localhost` at the usual port.
    pub hosts: &'a [HostName],
    /// Where it looks for the server's socket, besides the usual places.
    pub sockets: &'a [PathBuf],
    /// Files that the command sees others instead of; those that are not there are made, and removed at the end.
    pub covers: &'a [(PathBuf, PathBuf)],
    /// The proxy's socket: somebody listens there already.
    pub socket: &'a Path,
    /// An empty directory of ours.
    pub directory: &'a Path,
    /// This program.
    pub launcher: &'a Path,
}

/// A command's network, and the command once it [`start`](Self::start)s. Dropping it ends both.
#[derive(Debug)]
pub struct Enclosure {
    keeper: Child,
    control: UnixStream,
    said: Receiver<Said>,
    listeners: Vec<TcpListener>,
    names: Names,
    seen: Seen,
    is_over: Arc<AtomicBool>,
    watchers: Vec<JoinHandle<()>>,
    ready: Ready,
    network: Option<String>,
    has_own_group: bool,
    pid: Option<Pid>,
}

impl Enclosure {
    /// Makes the network. The command does not run yet.
    ///
    /// # Errors
    /// When the kernel gives us none; the hint names what would help.
    pub fn open(wanted: &Wanted<'_>) -> Result<Self> {
        let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
        let names = Names::new(wanted.hosts, &hosts);
        let control = wanted.directory.join("control.sock");
        let listener =
            UnixListener::bind(&control).with_context(|| format!("cannot listen at {}", control.display()))?;
        let network = match wanted.network {
            Network::Own => Some(ground(wanted, &names, &hosts)?),
            Network::Host => None,
        };
        let order = Order { control, network, command: wanted.command.to_vec(), visits: wanted.visits.to_vec() };
        let path = wanted.directory.join("order.json");
        fs::write(&path, serde_json::to_vec(&order)?).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new(wanted.launcher);
        command.arg("enclosed").arg(&path).envs(wanted.environment);
        // At a terminal the command stays in front of it, so that it can ask; else a group of its own gets our signals.
        let has_own_group = !std::io::stdin().is_terminal();
        if has_own_group {
            command.process_group(0);
        }
        let mut keeper =
            command.spawn().with_context(|| format!("cannot start {} again", wanted.launcher.display()))?;
        let opened = accept(&listener, &mut keeper).and_then(|control| greet(control, wanted.network));
        let greeted = match opened {
            Ok(greeted) => greeted,
            Err(error) => {
                let _gone_already = keeper.kill();
                let _reaped = keeper.wait();
                return Err(error);
            }
        };
        let mut enclosure = Self {
            network: processes::network_of(&keeper.id().to_string()).filter(|_| wanted.network == Network::Own),
            keeper,
            control: greeted.control,
            said: greeted.said,
            listeners: Vec::new(),
            names,
            seen: Seen::default(),
            is_over: Arc::default(),
            watchers: Vec::new(),
            ready: greeted.ready,
            has_own_group,
            pid: None,
        };
        enclosure.take(greeted.sockets);
        Ok(enclosure)
    }

    fn take(&mut self, sockets: Vec<std::os::fd::OwnedFd>) {
        let mut sockets = sockets.into_iter();
        self.listeners = sockets.by_ref().take(self.ready.listeners).map(TcpListener::from).collect();
        if self.ready.resolver
            && let Some(socket) = sockets.next()
        {
            let (socket, names, is_over) = (UdpSocket::from(socket), self.names.clone(), self.is_over.clone());
            self.watchers.push(thread::spawn(move || {
                // What cannot be answered is not found by the command, and seen in what it tried.
                let _unanswered = names.answer(&socket, || is_over.load(Ordering::Relaxed));
            }));
        }
        if self.ready.sniffer
            && let Some(socket) = sockets.next()
        {
            let (seen, is_over) = (self.seen.clone(), self.is_over.clone());
            self.watchers.push(thread::spawn(move || seen.watch(&socket, || is_over.load(Ordering::Relaxed))));
        }
    }

    /// The sockets on which the command comes: for the proxy to accept on. Gives them once; none in this machine's network.
    pub fn listeners(&mut self) -> Vec<TcpListener> {
        std::mem::take(&mut self.listeners)
    }

    /// What could not be had, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.ready.notes
    }

    /// Starts the command.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub fn start(&mut self) -> Result<()> {
        self.control.write_all(b"go\n").context("the command's network is gone")
    }

    /// What is told next, within `patience`. None when nothing is, or when the keeper has ended.
    pub fn hear(&mut self, patience: Duration) -> Option<Said> {
        let said = match self.said.recv_timeout(patience) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => return None,
            // Nothing comes any more: the caller's loop is not to spin.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(patience);
                return None;
            }
        };
        if let Said::Started { pid } = said {
            self.pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        }
        Some(said)
    }

    /// Signals the command: its whole group where it has one.
    pub fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.keeper.id()).ok().and_then(Pid::from_raw).filter(|_| self.has_own_group);
        // Whoever is gone already needs no signal.
        let _gone = match (group, self.pid) {
            (Some(group), _) => kill_process_group(group, signal),
            (None, Some(pid)) => kill_process(pid, signal),
            (None, None) => Ok(()),
        };
    }

    /// True while the command stands in front of the terminal, which signals it by itself.
    pub fn is_in_front(&self) -> bool {
        !self.has_own_group
    }

    /// True while something runs in the command's network; without one while its keeper does.
    pub fn is_alive(&mut self) -> bool {
        match &self.network {
            Some(network) => !processes::within(network, self.keeper.id()).is_empty(),
            None => self.keeper.try_wait().is_ok_and(|ended| ended.is_none()),
        }
    }

    /// Ends what still runs, and tells what it tried to reach and nobody answered for.
    pub fn close(mut self) -> BTreeSet<Tried> {
        self.end();
        self.seen.unanswered(&self.names)
    }

    fn end(&mut self) {
        match &self.network {
            Some(network) => processes::end(network, self.keeper.id(), GRACE),
            None => self.signal(Signal::TERM),
        }
        let _gone_already = self.control.shutdown(std::net::Shutdown::Both);
        let until = Instant::now() + GRACE;
        while self.keeper.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        let _gone_already = self.keeper.kill();
        let _reaped = self.keeper.wait();
        self.is_over.store(true, Ordering::Relaxed);
        for watcher in self.watchers.drain(..) {
            let _ended = watcher.join();
        }
        for place in self.ready.made.drain(..) {
            // Only what is still as we made it is ours.
            if fs::symlink_metadata(&place).is_ok_and(|about| about.is_file() && about.len() == 0) {
                let _gone_already = fs::remove_file(&place);
            }
        }
    }
}

impl Drop for Enclosure {
    fn drop(&mut self) {
        self.end();
    }
}

struct Greeted {
    control: UnixStream,
    said: Receiver<Said>,
    sockets: Vec<std::os::fd::OwnedFd>,
    ready: Ready,
}

fn accept(listener: &UnixListener, keeper: &mut Child) -> Result<UnixStream> {
    listener.set_nonblocking(true).context("cannot wait for the keeper")?;
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok((control, _)) = listener.accept() {
            control.set_nonblocking(false).context("cannot hear the keeper")?;
            return Ok(control);
        }
        if let Some(status) = keeper.try_wait().context("cannot wait for the keeper")? {
            bail!("the process that should make the command's network ended at once: {status}");
        }
        if Instant::now() > until {
            bail!("the command's network was not made within {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn greet(control: UnixStream, network: Network) -> Result<Greeted> {
    let sockets = rights::take(&control)?;
    let mut lines = BufReader::new(control.try_clone().context("cannot use the control socket twice")?);
    let mut line = String::new();
    lines.read_line(&mut line).context("cannot hear the keeper")?;
    let ready = match serde_json::from_str(&line).context("cannot understand the keeper")? {
        Said::Ready(ready) => ready,
        Said::Refused { why } => return Err(refused(&why)),
        other => bail!("the keeper says {other:?} before the network stands"),
    };
    debug_assert!(network == Network::Own || sockets.is_empty());
    let (tell, said) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.lines().map_while(std::io::Result::ok) {
            let Ok(said) = serde_json::from_str(&line) else { break };
            if tell.send(said).is_err() {
                break;
            }
        }
    });
    Ok(Greeted { control, said, sockets, ready })
}

fn refused(why: &str) -> anyhow::Error {
    anyhow!(
        "hint: Run it as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, on \
         Ubuntu kernel.apparmor_restrict_unprivileged_userns=0). Where the command cannot reach production anyhow, \
         `--network host` runs it without."
    )
    .context(format!("cannot give the command a network where only the sandbox answers: {why}"))
}

/// What the keeper is to make.
fn ground(wanted: &Wanted<'_>, names: &Names, hosts: &str) -> Result<Ground> {
    let write = |name: &str, text: &str| -> Result<PathBuf> {
        let path = wanted.directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    };
    let mut covered = wanted.covers.to_vec();
    let names_file = write("hosts", &names.hosts_file(hosts))?;
    for (file, instead) in
        [("/etc/hosts", names_file), ("/etc/resolv.conf", write("resolv.conf", "nameserver 127.0.0.1\n")?)]
    {
        if Path::new(file).exists() {
            covered.push((PathBuf::from(file), instead));
        }
    }
    let stage = wanted.directory.join("stage");
    fs::create_dir(&stage).with_context(|| format!("cannot create {}", stage.display()))?;
    let mut places: Vec<PathBuf> = sockets::USUAL.iter().map(PathBuf::from).collect();
    places.extend(wanted.sockets.iter().cloned());
    Ok(Ground {
        listen: listen(wanted.hosts, names),
        socket: wanted.socket.to_owned(),
        places,
        closed: sockets::listening(wanted.directory),
        covered,
        stage,
    })
}

/// Where the proxy answers: on loopback at every port that is named, and at each host's own address.
fn listen(hosts: &[HostName], names: &Names) -> Vec<SocketAddr> {
    let mut loopback = vec![IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    loopback.extend(names.own());
    let mut addresses: BTreeSet<SocketAddr> = loopback.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
    for host in hosts {
        addresses.extend(loopback.iter().map(|ip| SocketAddr::new(*ip, host.port)));
        addresses.extend(names.of_named(&host.name).map(|ip| SocketAddr::new(ip, host.port)));
    }
    addresses.into_iter().collect()
}
