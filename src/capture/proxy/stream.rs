//! The two ends of a session: a socket of either kind, in the client's case with TLS that ends here.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustls::{ServerConfig, ServerConnection};

use crate::server::address::Endpoint;

/// A connected socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects to a server.
    pub fn connect(endpoint: &Endpoint) -> Result<Self> {
        Ok(match endpoint {
            Endpoint::Socket(path) => {
                Self::Unix(UnixStream::connect(path).with_context(|| format!("cannot connect to {}", path.display()))?)
            }
            Endpoint::Tcp { host, port } => Self::of_tcp(
                TcpStream::connect((host.as_str(), *port))
                    .with_context(|| format!("cannot connect to {host}:{port}"))?,
            ),
        })
    }

    /// An answer is small and waited for: it does not wait for more to be sent with it.
    pub fn of_tcp(stream: TcpStream) -> Self {
        let _slower = stream.set_nodelay(true);
        Self::Tcp(stream)
    }

    /// Ends it in one direction or both; a thread that reads from it then sees its end.
    pub fn shut(&self, how: Shutdown) {
        let _already = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }

    /// The other end's host, as the server would call it.
    pub fn peer(&self) -> String {
        match self {
            Self::Tcp(stream) => stream.peer_addr().map_or_else(|_| String::new(), |peer| peer.ip().to_string()),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    /// What is said on it stays on this machine.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl Read for &Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Socket::Tcp(stream) => (&*stream).read(into),
                Socket::Unix(stream) => (&*stream).read(into),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => (&*stream).write(bytes),
            Socket::Unix(stream) => (&*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The client's end. Clones are the same end; one thread reads it, any may write.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: Arc<Socket>,
    tls: Option<Arc<Mutex<ServerConnection>>>,
    /// Held while bytes are written, so that packets stay whole.
    writing: Arc<Mutex<()>>,
}

impl Client {
    pub fn new(socket: Arc<Socket>) -> Self {
        Self { socket, tls: None, writing: Arc::default() }
    }

    /// Answers the client's hello: what follows on this end is encrypted.
    pub fn start_tls(&mut self, config: &Arc<ServerConfig>) -> Result<()> {
        let mut tls = ServerConnection::new(Arc::clone(config)).context("cannot begin TLS")?;
        let mut socket = &*self.socket;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).context("the client's TLS handshake failed")?;
        }
        self.tls = Some(Arc::new(Mutex::new(tls)));
        Ok(())
    }

    /// Reads what there is, and waits when there is nothing; 0 at the end.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return (&*self.socket).read(into) };
        let mut sealed = [0; 16 * 1024];
        loop {
            match lock(tls).reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end without a goodbye: clients just close.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            // The lock is not held while waiting: answers go out meanwhile.
            let count = (&*self.socket).read(&mut sealed)?;
            let mut rest = &sealed[..count];
            let mut tls = lock(tls);
            loop {
                tls.read_tls(&mut rest)?;
                tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                if rest.is_empty() {
                    break;
                }
            }
        }
    }

    /// Sends all of it.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let _whole = lock(&self.writing);
        let Some(tls) = &self.tls else { return (&*self.socket).write_all(bytes) };
        let mut sealed = Vec::new();
        for chunk in bytes.chunks(16 * 1024) {
            let mut tls = lock(tls);
            tls.writer().write_all(chunk)?;
            sealed.clear();
            while tls.wants_write() {
                tls.write_tls(&mut sealed)?;
            }
            drop(tls);
            (&*self.socket).write_all(&sealed)?;
        }
        Ok(())
    }
}

impl Read for &Client {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.receive(into)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
