//! A proxy between clients and one server, which tells a [`Listener`] every statement that passes.
//!
//! Bytes pass as they come, in both directions at once; packets are followed, not held, so that results of any size pass
//! through a few KiB. What is held is one statement's text and values, to be told once its answer has ended. The client's
//! login ends at the proxy, which logs into the server with its own account (`login`): every client works with every
//! server's methods, and TLS and its certificate are the proxy's. Compression is declined. Otherwise a client meets what
//! the server offers: its version, its capabilities, its connection ids.
//!
//! In: where to listen, the server. Out: events. It starts no server and runs no command.

mod answer;
mod capability;
mod command;
mod downward;
mod frames;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod greeting;
mod key;
mod link;
mod local;
mod login;
mod prepared;
mod session;
mod settings;
mod stream;
mod tell;
mod upward;
mod value;
mod wire;

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustls::ServerConfig;

use self::session::Session;
use self::stream::{Socket, lock};
use super::record::Listener;
use crate::server::address::{Address, Endpoint};

/// Where clients are waited for.
#[derive(Debug)]
pub enum Listen {
    /// A TCP address; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket to be made. It is removed when the proxy stops.
    Unix(PathBuf),
    /// A TCP socket that listens already, also one of another network namespace.
    BoundTcp(TcpListener),
    /// A Unix socket that listens already.
    BoundUnix(UnixListener),
}

/// Whom the proxy lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Any user with any password. Whoever reaches the proxy has the rights of its account: for a sandbox, on an address
    /// that only the upgrade reaches.
    Anyone,
    /// This user with this password.
    Only {
        /// The user.
        user: String,
        /// The password; empty for none.
        password: String,
    },
}

/// How the proxy works.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server, and the account with which every session of the proxy logs in there. A database in it is not used:
    /// clients name their own.
    pub upstream: Address,
    /// Whom it lets in.
    pub accept: Accept,
    /// Where the files of `LOAD DATA LOCAL` are kept; the statements are told with their names there. None keeps none,
    /// and such statements are told as dropped.
    pub files: Option<PathBuf>,
    /// Bytes of one session's statements that are held until they are told; longer ones pass, and are told as dropped.
    pub most_held: usize,
}

impl Options {
    /// For a server that any client may use: statements of up to 256 MiB, no files kept.
    pub fn new(upstream: Address) -> Self {
        Self { upstream, accept: Accept::Anyone, files: None, most_held: 256 << 20 }
    }
}

/// How many sessions there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Connections, whatever became of them.
    pub came: u64,
    /// Those that were let in, by the proxy and by the server.
    pub served: u64,
    /// Those that are open now.
    pub open: u64,
}

/// A running proxy. Dropping it ends its sessions.
#[derive(Debug)]
pub struct Proxy {
    addresses: Vec<Endpoint>,
    hub: Arc<Hub>,
    /// Closed to end the threads that listen.
    wake: Option<PipeWriter>,
    threads: Vec<JoinHandle<()>>,
}

/// What the sessions of a proxy share.
struct Hub {
    options: Options,
    listener: Arc<dyn Listener>,
    tls: Arc<ServerConfig>,
    came: AtomicU64,
    served: AtomicU64,
    stopping: AtomicBool,
    /// Open sessions: their sockets, the server's connection id, their threads.
    open: Mutex<BTreeMap<u64, Open>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Why the listener takes no more.
    failed: Mutex<Option<anyhow::Error>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("options", &self.options).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Open {
    sockets: Vec<Arc<Socket>>,
    connection: Option<u32>,
}

impl Hub {
    /// The listener takes no more: every session ends, and no new one is let in.
    fn fail(&self, error: anyhow::Error) {
        tracing::warn!("the capture ends: {error:#}");
        lock(&self.failed).get_or_insert(error);
        self.end_sessions();
    }

    fn end_sessions(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for open in lock(&self.open).values() {
            open.sockets.iter().for_each(|socket| socket.shut(Shutdown::Both));
        }
    }
}

impl Proxy {
    /// Listens, and serves every client in threads of its own.
    ///
    /// # Errors
    /// When an address cannot be listened on, with its name. The server is first met by the first client.
    pub fn start(listen: Vec<Listen>, options: Options, listener: Arc<dyn Listener>) -> Result<Self> {
        if let Some(directory) = &options.files {
            std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let hub = Arc::new(Hub {
            options,
            listener,
            tls: session::certificate()?,
            came: AtomicU64::new(0),
            served: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
            threads: Mutex::default(),
            failed: Mutex::default(),
        });
        let (woken, wake) = std::io::pipe().context("cannot make a pipe")?;
        let mut proxy = Self { addresses: Vec::new(), hub, wake: Some(wake), threads: Vec::new() };
        for listen in listen {
            let (door, address) = Door::open(listen)?;
            proxy.addresses.push(address);
            let (hub, woken) = (Arc::clone(&proxy.hub), woken.try_clone().context("cannot share a pipe")?);
            let thread = thread::Builder::new().name("proxy-listen".to_owned());
            let thread = thread.spawn(move || door.serve(&hub, &woken)).context("cannot start a thread")?;
            proxy.threads.push(thread);
        }
        Ok(proxy)
    }

    /// Where it listens, in the order in which it was asked to; free ports are filled in.
    pub fn addresses(&self) -> &[Endpoint] {
        &self.addresses
    }

    /// How many sessions there were, and are.
    pub fn sessions(&self) -> Sessions {
        Sessions {
            came: self.hub.came.load(Ordering::Relaxed),
            served: self.hub.served.load(Ordering::Relaxed),
            open: lock(&self.hub.open).len() as u64,
        }
    }

    /// The server's connection ids of the open sessions, for watchers: session to id.
    pub fn connections(&self) -> BTreeMap<u64, u32> {
        lock(&self.hub.open).iter().filter_map(|(session, open)| Some((*session, open.connection?))).collect()
    }

    /// Ends every session, and waits until all was told.
    ///
    /// # Errors
    /// The listener's, when it could take no more.
    pub fn stop(mut self) -> Result<()> {
        self.end();
        match lock(&self.hub.failed).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn end(&mut self) {
        self.wake = None;
        self.hub.end_sessions();
        let sessions = std::mem::take(&mut *lock(&self.hub.threads));
        for thread in self.threads.drain(..).chain(sessions) {
            let _panicked = thread.join();
        }
        for address in &self.addresses {
            if let Endpoint::Socket(path) = address {
                let _gone = std::fs::remove_file(path);
            }
        }
        self.addresses.clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end();
    }
}

/// A socket that listens.
enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Door {
    fn open(listen: Listen) -> Result<(Self, Endpoint)> {
        let door = match listen {
            Listen::Tcp(address) => {
                Self::Tcp(TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?)
            }
            Listen::Unix(path) => {
                Self::Unix(UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?)
            }
            Listen::BoundTcp(listener) => Self::Tcp(listener),
            Listen::BoundUnix(listener) => Self::Unix(listener),
        };
        let unnamed = "cannot tell where a socket listens";
        let address = match &door {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true).context(unnamed)?;
                let address = listener.local_addr().context(unnamed)?;
                Endpoint::Tcp { host: address.ip().to_string(), port: address.port() }
            }
            Self::Unix(listener) => {
                listener.set_nonblocking(true).context(unnamed)?;
                let address = listener.local_addr().context(unnamed)?;
                Endpoint::Socket(address.as_pathname().context(unnamed)?.to_owned())
            }
        };
        Ok((door, address))
    }

    /// Lets clients in until the proxy ends.
    fn serve(&self, hub: &Arc<Hub>, woken: &PipeReader) {
        while !hub.stopping.load(Ordering::SeqCst) {
            let door = match self {
                Self::Tcp(listener) => listener.as_fd(),
                Self::Unix(listener) => listener.as_fd(),
            };
            let mut waits = [PollFd::from_borrowed_fd(door, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
            if poll(&mut waits, None).is_err() {
                continue;
            }
            if !waits[1].revents().is_empty() {
                return;
            }
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                    stream.set_nonblocking(false)?;
                    Ok(Socket::of_tcp(stream))
                }),
                Self::Unix(listener) => listener.accept().and_then(|(stream, _)| {
                    stream.set_nonblocking(false)?;
                    Ok(Socket::Unix(stream))
                }),
            };
            match accepted {
                Ok(socket) => Session::start(hub, socket),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                // Out of descriptors: those in use come free again.
                Err(error) => {
                    tracing::warn!("the proxy cannot let a client in: {error}");
                    thread::sleep(std::time::Duration::from_millis(50));
                }
            }
        }
    }
}
