//! One session: both logins, then both directions until either end has had enough.

use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::capability::Capabilities;
use super::downward::Downward;
use super::frames::{put_packet, read_packet};
use super::greeting::{Greeting, Hello};
use super::link::Link;
use super::login::{Dialogue, Login, admit, carry, challenge, method};
use super::settings;
use super::stream::{Client, Socket, lock};
use super::tell::Teller;
use super::wire::{error, read_error};
use super::{Hub, Open, upward};
use crate::capture::record::{Dropped, Event};

/// The most of a login's packet (connection attributes are 64 KiB at most).
const LOGIN: usize = 1 << 20;

/// A certificate of the proxy's own, made anew for each.
pub(super) fn certificate() -> Result<Arc<ServerConfig>> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .context("cannot use the certificate")?;
    Ok(Arc::new(config))
}

/// The client's end while it logs in.
pub(super) struct Ends<'a> {
    pub client: &'a Client,
    /// The number of the next packet to it.
    pub sequence: u8,
}

impl Dialogue for Ends<'_> {
    fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        self.sequence = put_packet(&mut bytes, payload, self.sequence);
        self.client.send(&bytes).context("the client's connection broke")
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let (payload, next) = read_packet(&mut &*self.client, LOGIN).context("the client breaks its login off")?;
        self.sequence = next;
        Ok(payload)
    }
}

/// The server's end while the proxy logs in.
struct Server<'a> {
    socket: &'a Socket,
    sequence: u8,
}

impl Dialogue for Server<'_> {
    fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        self.sequence = put_packet(&mut bytes, payload, self.sequence);
        (&*self.socket).write_all(&bytes).context("the server's connection broke")
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let (payload, next) = read_packet(&mut &*self.socket, LOGIN).context("the server breaks the login off")?;
        self.sequence = next;
        Ok(payload)
    }
}

/// Tells a client that it may not come in, as a server does, and ends the session.
pub(super) fn deny(ends: &mut Ends<'_>, user: &[u8], used: &str) -> Result<()> {
    let user = String::from_utf8_lossy(user).into_owned();
    let message = format!("Access denied for user '{user}' (using password: {used})");
    ends.send(&error(1045, "28000", &message))?;
    bail!("{message}")
}

/// A session of the proxy.
pub(super) struct Session {
    hub: Arc<Hub>,
    number: u64,
    host: String,
}

impl Session {
    /// Serves a client in a thread of its own.
    pub fn start(hub: &Arc<Hub>, socket: Socket) {
        let number = hub.came.fetch_add(1, Ordering::SeqCst) + 1;
        let socket = Arc::new(socket);
        let session = Self { hub: Arc::clone(hub), number, host: socket.peer() };
        lock(&hub.open).insert(number, Open { sockets: vec![Arc::clone(&socket)], connection: None });
        let serve = move || {
            let ended = Ended(&session);
            if let Err(error) = session.serve(Arc::clone(&socket)) {
                tracing::debug!("session {number}: {error:#}");
            }
            socket.shut(Shutdown::Both);
            drop(ended);
        };
        let mut threads = lock(&hub.threads);
        threads.retain(|thread| !thread.is_finished());
        match thread::Builder::new().name(format!("proxy-{number}")).spawn(serve) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                tracing::warn!("cannot start a thread for session {number}: {error}");
                lock(&hub.open).remove(&number);
            }
        }
    }

    fn register(&self, socket: &Arc<Socket>) -> Result<()> {
        if let Some(open) = lock(&self.hub.open).get_mut(&self.number) {
            open.sockets.push(Arc::clone(socket));
        }
        // Who stops the proxy has looked before, or will find this one.
        ensure!(!self.hub.stopping.load(Ordering::SeqCst), "the proxy ends");
        Ok(())
    }

    /// Tells why a session never came to its first statement.
    fn refused(&self, why: String) {
        let dropped = Dropped { session: Some(self.number), why, ..Dropped::default() };
        if let Err(error) = self.hub.listener.hear(Event::Dropped(dropped)) {
            self.hub.fail(error);
        }
    }

    fn serve(&self, socket: Arc<Socket>) -> Result<()> {
        let upstream = &self.hub.options.upstream;
        let mut client = Client::new(socket);
        let server = match Socket::connect(&upstream.endpoint) {
            Ok(server) => Arc::new(server),
            Err(cause) => {
                let message = format!("the server behind the proxy does not answer: {cause:#}");
                self.refused(format!("a session: {message}"));
                return Ends { client: &client, sequence: 0 }.send(&error(2002, "HY000", &message));
            }
        };
        self.register(&server)?;
        let mut out = Server { socket: &server, sequence: 0 };
        let packet = out.receive()?;
        if let Some((number, message)) = read_error(&packet) {
            self.refused(format!("a session: the server lets nobody in (error {number}: {message})"));
            return Ends { client: &client, sequence: 0 }.send(&packet);
        }
        let greeting = Greeting::read(&packet)?;
        let (hello, method_of, nonce, sequence) = self.greet(&mut client, &greeting)?;
        let mut ends = Ends { client: &client, sequence };
        if let Some(used) = admit(&mut ends, &hello, (method_of, &nonce), false, &self.hub.options.accept)? {
            self.refused("a session with another user or password than the proxy gave out".to_owned());
            return deny(&mut ends, &hello.user, &used);
        }
        let mut login = Login::new(&upstream.password, &greeting.plugin, &greeting.nonce, server.is_local());
        let response = hello.payload(upstream.user.as_bytes(), login.plugin(), &login.answer());
        out.send(&response)?;
        let (packet, is_in) = carry(&mut login, &mut out)?;
        if !is_in {
            let (number, message) = read_error(&packet).unwrap_or_default();
            self.refused(format!("a session: the server refuses the login (error {number}: {message})"));
            return ends.send(&packet);
        }
        let beginning = settings::ask(&mut &*server, &mut &*server, hello.capabilities)?;
        if let Some(open) = lock(&self.hub.open).get_mut(&self.number) {
            open.connection = Some(greeting.connection);
        }
        let account = format!("{}@{}", String::from_utf8_lossy(&hello.user), self.host);
        let mut teller = Teller::new(Arc::clone(&self.hub.listener), self.number, hello.capabilities);
        self.told(teller.began(Some(account), beginning.database, beginning.settings, beginning.charset))?;
        self.hub.served.fetch_add(1, Ordering::SeqCst);
        ends.send(&packet)?;
        let link = Link::new(client.clone(), server, greeting, hello.capabilities);
        self.pass(&link, teller)
    }

    /// Greets the client in the server's place, and reads its answer, with TLS where it asks for it.
    fn greet(&self, client: &mut Client, greeting: &Greeting) -> Result<(Hello, &'static [u8], Vec<u8>, u8)> {
        let (method_of, nonce) = (method(&greeting.plugin), challenge());
        let needed = Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION | Capabilities::PLUGIN_AUTH;
        let offered = Capabilities(greeting.capabilities.offered().0 | needed);
        let own =
            Greeting { capabilities: offered, plugin: method_of.to_vec(), nonce: nonce.clone(), ..greeting.clone() };
        let mut ends = Ends { client, sequence: 0 };
        ends.send(&own.payload())?;
        let (mut payload, mut sequence) = read_packet(&mut &*ends.client, LOGIN).context("the client says nothing")?;
        let mut read = Hello::read(&payload, offered);
        if payload.len() == 32 && read.as_ref().is_ok_and(|hello| hello.capabilities.has(Capabilities::SSL)) {
            client.start_tls(&self.hub.tls)?;
            (payload, sequence) = read_packet(&mut &*client, LOGIN).context("the client says nothing after TLS")?;
            read = Hello::read(&payload, offered);
        }
        let mut hello = match read {
            Ok(hello) => hello,
            Err(cause) => {
                Ends { client, sequence }.send(&error(1043, "08S01", "Bad handshake"))?;
                return Err(cause);
            }
        };
        // What the server hears: no TLS, a method of its own, and no database where there is none.
        let mut flags =
            hello.capabilities.0 & greeting.capabilities.0 & !(Capabilities::SSL | Capabilities::CONNECT_WITH_DB)
                | needed;
        if !hello.database.is_empty() {
            flags |= Capabilities::CONNECT_WITH_DB;
        }
        hello.capabilities = Capabilities(flags);
        Ok((hello, method_of, nonce, sequence))
    }

    fn pass(&self, link: &Link, teller: Teller) -> Result<()> {
        let options = &self.hub.options;
        let mut down = Downward::new(link, options, teller, self.number, self.host.clone());
        thread::scope(|scope| {
            let up = thread::Builder::new().name(format!("proxy-{}-up", self.number));
            let up = up.spawn_scoped(scope, || {
                if let Err(error) = upward::run(link, options) {
                    tracing::debug!("session {}: {error:#}", self.number);
                }
            });
            if let Err(error) = up {
                link.server.shut(Shutdown::Both);
                tracing::warn!("cannot start a thread for session {}: {error}", self.number);
            }
            let told = self.told(down.run());
            link.server.shut(Shutdown::Both);
            self.hang_up();
            told
        })?;
        self.told(down.teller.ended())
    }

    /// Ends the client's end, so that the way up ends too.
    fn hang_up(&self) {
        if let Some(open) = lock(&self.hub.open).get(&self.number) {
            open.sockets.iter().for_each(|socket| socket.shut(Shutdown::Both));
        }
    }

    /// The listener takes no more: the whole capture ends.
    fn told(&self, told: Result<()>) -> Result<()> {
        if let Err(error) = told {
            self.hub.fail(error);
            bail!("the capture ends");
        }
        Ok(())
    }
}

/// A session is no more, however it ended.
struct Ended<'a>(&'a Session);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        lock(&self.0.hub.open).remove(&self.0.number);
    }
}
