//! From the client to the server: commands are noted before they are sent on, a file's bytes are kept.

use std::io::Write;
use std::net::Shutdown;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::Options;
use super::command::{self, Command};
use super::frames::{Frames, Sink, length_of, put_packet};
use super::greeting::Hello;
use super::link::{Change, Link};
use super::login::{Login, admit, challenge, method};
use super::session::{Ends, deny};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// What the current packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Current {
    Command(u8),
    /// A piece of a file.
    File,
    /// Nothing that is followed.
    Other,
}

/// Holds the current packet.
struct Holder<'a> {
    link: &'a Link,
    most: usize,
    current: Current,
    payload: Vec<u8>,
    length: usize,
    cut: bool,
    ended: bool,
}

impl Sink for Holder<'_> {
    fn piece(&mut self, piece: &[u8]) -> Result<()> {
        let first = self.length == 0;
        self.length += piece.len();
        match self.current {
            Current::File => return self.link.add_to_file(piece),
            Current::Command(code) if command::is_held(code) && !self.cut => {
                let piece = if first { &piece[1..] } else { piece };
                self.cut = self.link.held() + self.payload.len() + piece.len() > self.most;
                if self.cut {
                    // The first bytes say to which statement long data belongs.
                    self.payload.truncate(6);
                    self.payload.shrink_to_fit();
                } else {
                    self.payload.extend_from_slice(piece);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _: u8) -> Result<()> {
        self.ended = true;
        Ok(())
    }
}

/// Passes on what the client sends until it sends no more. Then the server is told so, and may still answer.
pub(super) fn run(link: &Link, options: &Options) -> Result<()> {
    let passed = pass(link, options);
    link.server.shut(Shutdown::Write);
    passed
}

fn pass(link: &Link, options: &Options) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    // Bytes that are read, and not yet walked: less than a header and a command's byte.
    let mut have = 0;
    let mut frames = Frames::default();
    let mut holder = Holder {
        link,
        most: options.most_held,
        current: Current::Other,
        payload: Vec::new(),
        length: 0,
        cut: false,
        ended: false,
    };
    loop {
        let read = link.client.receive(&mut buffer[have..]).context("the client's connection broke")?;
        if read == 0 {
            return Ok(());
        }
        have += read;
        if link.is_raw() {
            send(link, &buffer[..have])?;
            have = 0;
            continue;
        }
        // `sent..at` is walked and goes on to the server.
        let (mut sent, mut at) = (0, 0);
        while at < have {
            if frames.at_boundary() {
                let rest = &buffer[at..have];
                if link.is_receiving() {
                    holder.current = Current::File;
                } else if rest.len() < 4 || rest.len() < 5 && length_of(rest) > 0 {
                    break;
                } else {
                    let code = rest.get(4).copied().filter(|_| length_of(rest) > 0);
                    holder.current = code.map_or(Current::Other, Current::Command);
                    if matches!(code, Some(command::CHANGE_USER | command::RESET_CONNECTION)) {
                        send(link, &buffer[sent..at])?;
                        sent = at;
                        if !link.wait_until_idle() {
                            return Ok(());
                        }
                    }
                }
            }
            at += frames.walk(&buffer[at..have], &mut holder)?;
            if holder.ended {
                let payload = std::mem::take(&mut holder.payload);
                let (cut, length) = (holder.cut, holder.length);
                (holder.ended, holder.cut, holder.length) = (false, false, 0);
                match holder.current {
                    Current::File if length == 0 => link.end_file()?,
                    Current::File | Current::Other | Current::Command(command::QUIT) => {}
                    Current::Command(command::CHANGE_USER) => {
                        sent = at;
                        if at < have {
                            bail!("the client sends on behind COM_CHANGE_USER");
                        }
                        change_user(link, options, &payload)?;
                    }
                    Current::Command(code) => {
                        link.push(Command { code, payload, cut, at: Timestamp::now(), begun: Instant::now() });
                        if code == command::RESET_CONNECTION {
                            send(link, &buffer[sent..at])?;
                            sent = at;
                            if !link.wait_until_idle() {
                                return Ok(());
                            }
                        }
                    }
                }
            }
        }
        if holder.current != Current::Command(command::CHANGE_USER) || frames.at_boundary() {
            send(link, &buffer[sent..at])?;
        }
        buffer.copy_within(at..have, 0);
        have -= at;
    }
}

fn send(link: &Link, bytes: &[u8]) -> Result<()> {
    (&*link.server).write_all(bytes).context("the server's connection broke")
}

/// Lets the client in anew, and asks the server for the same; the other direction carries that on.
fn change_user(link: &Link, options: &Options, payload: &[u8]) -> Result<()> {
    let hello = Hello::read_change(payload, link.capabilities)?;
    let (method, nonce) = (method(&link.greeting.plugin), challenge());
    let mut ends = Ends { client: &link.client, sequence: 1 };
    if let Some(used) = admit(&mut ends, &hello, (method, &nonce), true, &options.accept)? {
        return deny(&mut ends, &hello.user, &used);
    }
    let login =
        Login::new(&options.upstream.password, &link.greeting.plugin, &link.greeting.nonce, link.server.is_local());
    let change = hello.change_payload(options.upstream.user.as_bytes(), login.plugin(), &login.answer());
    link.set_change(Change { hello, sequence: ends.sequence });
    let (at, begun) = (Timestamp::now(), Instant::now());
    link.push(Command { code: command::CHANGE_USER, payload: Vec::new(), cut: false, at, begun });
    let mut bytes = Vec::new();
    put_packet(&mut bytes, &change, 0);
    send(link, &bytes)?;
    link.wait_until_idle();
    Ok(())
}
