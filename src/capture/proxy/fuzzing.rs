//! The way in for `fuzz/`: a login's packets, and a session between two ends that say anything. Built for fuzzing alone; no part
//! of the interface.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::capability::Capabilities;
use super::downward::Downward;
use super::frames::read_packet;
use super::greeting::{Greeting, Hello};
use super::link::Link;
use super::login::{Dialogue, Login, admit, carry, method};
use super::stream::{Client, Socket};
use super::tell::Teller;
use super::{Accept, Address, Listener, Options, upward};

/// The most of a packet.
const PACKET: usize = 1 << 20;

/// Says what it was given, and hears nothing.
struct Scripted<'a>(&'a [u8]);

impl Dialogue for Scripted<'_> {
    fn send(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        Ok(read_packet(&mut self.0, PACKET)?.0)
    }
}

/// A login as the proxy reads it: what the client says, what the server says.
///
/// # Errors
/// Where either of them says what none does.
pub fn login(client: &[u8], server: &[u8], password: &str, local: bool) -> Result<()> {
    let (mut client, mut server) = (Scripted(client), Scripted(server));
    let greeting = Greeting::read(&server.receive()?)?;
    let again = Greeting::read(&greeting.payload()).context("a greeting that was written does not read")?;
    assert_eq!((&again.version, again.connection), (&greeting.version, greeting.connection));
    let hello = Hello::read(&client.receive()?, greeting.capabilities.offered())?;
    let (method, nonce) = (method(&greeting.plugin), [b'n'; 20]);
    let accept = Accept::Only { user: "app".to_owned(), password: password.to_owned() };
    let _refused = admit(&mut client, &hello, (method, &nonce), false, &accept)?;
    let refused = admit(&mut client, &hello, (method, &nonce), true, &Accept::Anyone)?;
    assert_eq!(refused, None, "anyone is let in");
    let mut login = Login::new(password, &greeting.plugin, &greeting.nonce, local);
    let _written = hello.payload(b"app", login.plugin(), &login.answer());
    carry(&mut login, &mut server).map(drop)
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// A session after its login, in which both ends say these bytes in turn, and then no more. Returns when it has ended.
///
/// # Errors
/// The system has no sockets or threads left.
pub fn session(capabilities: u64, held: usize, turns: &[(End, &[u8])], listener: Arc<dyn Listener>) -> Result<()> {
    let (mut client, client_end) = UnixStream::pair()?;
    let (mut server, server_end) = UnixStream::pair()?;
    let (client_end, server_end) = (Arc::new(Socket::Unix(client_end)), Arc::new(Socket::Unix(server_end)));
    let capabilities = Capabilities(capabilities);
    let greeting = Greeting { capabilities, nonce: vec![b'n'; 20], ..Greeting::default() };
    let link = Link::new(Client::new(Arc::clone(&client_end)), Arc::clone(&server_end), greeting, capabilities);
    let mut options = Options::new(Address::socket("/nowhere"));
    options.most_held = held;
    let mut teller = Teller::new(listener, 1, capabilities);
    teller.began(Some("app@localhost".to_owned()), "app".to_owned(), Vec::new(), "utf8mb4".to_owned())?;
    let mut down = Downward::new(&link, &options, teller, 1, "localhost".to_owned());
    thread::scope(|scope| {
        let up = scope.spawn(|| {
            let _ended = upward::run(&link, &options);
        });
        let down = scope.spawn(|| {
            let told = down.run();
            server_end.shut(Shutdown::Both);
            client_end.shut(Shutdown::Both);
            told.and_then(|()| down.teller.ended())
        });
        for (end, bytes) in turns {
            let (from, to) = match end {
                End::Client => (&mut client, &mut server),
                End::Server => (&mut server, &mut client),
            };
            // Who has hung up cannot be told anything: the other end goes on.
            if from.write_all(bytes).is_ok() {
                take(to, bytes.len());
            }
        }
        let _gone = (client.shutdown(Shutdown::Write), server.shutdown(Shutdown::Write));
        let _rest = (client.read_to_end(&mut Vec::new()), server.read_to_end(&mut Vec::new()));
        let (up, down) = (up.join(), down.join());
        assert!(up.is_ok() && down.is_ok(), "a direction of the session panicked");
    });
    Ok(())
}

/// Takes what comes through, so that the ends' words follow each other as they were given: as many bytes as were sent, but for
/// those that the proxy keeps for itself.
fn take(from: &mut UnixStream, length: usize) {
    let (mut left, mut buffer) = (length, [0; 4096]);
    let patience = Timespec::try_from(Duration::from_micros(500)).unwrap_or_default();
    while left > 4 {
        let mut waits = [PollFd::new(from, PollFlags::IN)];
        if !matches!(poll(&mut waits, Some(&patience)), Ok(1)) {
            return;
        }
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => left = left.saturating_sub(read),
        }
    }
}
