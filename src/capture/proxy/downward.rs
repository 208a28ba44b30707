//! From the server to the client: answers are followed, passed on, and then told.

use std::io::{Read, Write};
use std::net::Shutdown;

use anyhow::{Context, Result, bail};

use super::Options;
use super::answer::{Answer, HEAD, Step};
use super::command::{self, Command};
use super::frames::{Frames, Sink, put_packet, read_packet};
use super::link::Link;
use super::local::Saved;
use super::login::{Dialogue, Login, carry};
use super::settings;
use super::tell::Teller;
use super::wire::read_error;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// The most of a login's packet.
const LOGIN: usize = 1 << 20;

/// The first bytes of the current packet, and its length.
struct Head {
    bytes: Vec<u8>,
    needs: fn(&Option<(Command, Answer)>, u8) -> usize,
    current: Option<(Command, Answer)>,
    keep: usize,
    length: u64,
    ended: bool,
}

impl Sink for Head {
    fn piece(&mut self, piece: &[u8]) -> Result<()> {
        if self.length == 0 {
            self.keep = (self.needs)(&self.current, piece[0]);
        }
        self.length += piece.len() as u64;
        let more = self.keep.saturating_sub(self.bytes.len()).min(piece.len());
        self.bytes.extend_from_slice(&piece[..more]);
        Ok(())
    }

    fn end(&mut self, _: u8) -> Result<()> {
        self.ended = true;
        Ok(())
    }
}

/// One session's way down.
pub(super) struct Downward<'a> {
    pub link: &'a Link,
    pub options: &'a Options,
    pub teller: Teller,
    pub session: u64,
    /// The account's host.
    pub host: String,
    files: u64,
    /// Bytes of long data that are held until the statement is executed.
    long: usize,
    /// What is to be told once the bytes that came are passed on, in the order in which it was sent.
    line: Vec<Said>,
}

/// A command whose answer has ended, or that has none.
enum Said {
    Answered(Command, Answer),
    Unanswered(Command),
}

impl<'a> Downward<'a> {
    pub fn new(link: &'a Link, options: &'a Options, teller: Teller, session: u64, host: String) -> Self {
        Self { link, options, teller, session, host, files: 0, long: 0, line: Vec::new() }
    }

    /// Passes on what the server sends until it sends no more, and tells what was answered.
    ///
    /// # Errors
    /// The listener's alone: everything else ends the session, and is told.
    pub fn run(&mut self) -> Result<()> {
        let mut head = Head {
            bytes: Vec::with_capacity(HEAD),
            needs: |current, first| current.as_ref().map_or(HEAD, |(_, answer)| answer.needs(first)),
            current: None,
            keep: 0,
            length: 0,
            ended: false,
        };
        let mut told = Ok(());
        let passed = self.pass(&mut head, &mut told);
        self.link.close();
        told?;
        if let Err(error) = &passed {
            self.teller.dropped(format!("the rest of a session: {error:#}"))?;
        }
        let lost = match &passed {
            Ok(()) => "the connection ended before the answer".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        let mut left = head.current.take();
        while let Some((command, mut answer)) = left.take().or_else(|| self.next_command()) {
            answer.lost(&lost);
            self.line.push(Said::Answered(command, answer));
        }
        self.tell_line()
    }

    fn pass(&mut self, head: &mut Head, told: &mut Result<()>) -> Result<()> {
        let mut buffer = vec![0; CHUNK];
        let mut frames = Frames::default();
        let mut is_client_there = true;
        let mut said_raw = false;
        loop {
            let read = (&*self.link.server).read(&mut buffer).unwrap_or(0);
            if read == 0 {
                return Ok(());
            }
            let bytes = &buffer[..read];
            if self.link.is_raw() {
                if !said_raw {
                    said_raw = true;
                    *told =
                        self.teller.dropped("the rest of a session that became something else (a binary log's stream)");
                    if told.is_err() {
                        return Ok(());
                    }
                }
                self.link.client.send(bytes).context("the client's connection broke")?;
                continue;
            }
            if frames.at_boundary() && head.current.is_none() {
                head.current = self.next_command();
                if head.current.as_ref().is_some_and(|(command, _)| command.code == command::CHANGE_USER) {
                    head.current = None;
                    *told = self.tell_line();
                    if told.is_ok() {
                        *told = self.change_user(bytes)?;
                    }
                    self.link.answered();
                    if told.is_err() {
                        return Ok(());
                    }
                    continue;
                }
            }
            let mut at = 0;
            while at < read {
                if head.length == 0 && frames.at_boundary() && head.current.is_none() {
                    head.current = self.next_command();
                }
                at += frames.walk(&bytes[at..], head)?;
                if head.ended {
                    let step = match &mut head.current {
                        // The server speaks unasked before it closes: time-outs, shutdowns.
                        None => None,
                        Some((_, answer)) => Some(answer.take(&head.bytes, head.length)?),
                    };
                    head.bytes.clear();
                    (head.length, head.ended) = (0, false);
                    match step {
                        Some(Step::File) => self.expect_file(),
                        Some(Step::Done) => {
                            let ended = head.current.take();
                            self.line.extend(ended.map(|(command, answer)| Said::Answered(command, answer)));
                        }
                        _ => {}
                    }
                }
            }
            let began = match self.line.last() {
                Some(Said::Answered(command, answer)) if command.code == command::RESET_CONNECTION => {
                    self.asked(answer)?
                }
                _ => None,
            };
            if is_client_there && self.link.client.send(bytes).is_err() {
                // What the server still does is told: a vanished client's statement runs on.
                is_client_there = false;
                self.link.server.shut(Shutdown::Write);
            }
            *told = self.tell_line();
            if let (Some(beginning), Ok(())) = (began, &told) {
                *told = self.teller.began(None, beginning.database, beginning.settings, beginning.charset);
            }
            if told.is_err() {
                return Ok(());
            }
        }
    }

    fn asked(&self, answer: &Answer) -> Result<Option<settings::Beginning>> {
        if answer.outcomes.iter().any(|outcome| outcome.error.is_some()) {
            return Ok(None);
        }
        settings::ask(&mut &*self.link.server, &mut &*self.link.server, self.link.capabilities).map(Some)
    }

    fn tell_line(&mut self) -> Result<()> {
        for said in std::mem::take(&mut self.line) {
            match said {
                Said::Answered(command, answer) => {
                    self.tell(command, answer)?;
                    self.link.answered();
                }
                Said::Unanswered(command) => {
                    self.teller.unanswered(&command);
                    if command.code == command::STMT_SEND_LONG_DATA {
                        self.long += command.payload.len();
                    } else {
                        self.link.release(command.payload.len());
                    }
                }
            }
        }
        Ok(())
    }

    /// The next command that has an answer; those before it that have none are told in their turn.
    fn next_command(&mut self) -> Option<(Command, Answer)> {
        while let Some(command) = self.link.next() {
            match command::shape(command.code) {
                Ok(Some(shape)) => {
                    let answer = Answer::new(shape, self.link.capabilities, command.begun);
                    return Some((command, answer));
                }
                _ => self.line.push(Said::Unanswered(command)),
            }
        }
        None
    }

    fn expect_file(&mut self) {
        self.files += 1;
        let directory = self.options.files.as_deref();
        let saved = directory.map(|directory| Saved::begin(directory, self.session, self.files)).transpose();
        // A LOAD whose file cannot be kept is told as one: the session goes on.
        let saved = saved.unwrap_or_else(|error| {
            tracing::warn!("{error:#}");
            None
        });
        self.link.expect_file(saved);
    }

    fn tell(&mut self, command: Command, answer: Answer) -> Result<()> {
        let held = command.payload.len();
        let code = command.code;
        if answer.outcomes.iter().any(|outcome| outcome.file) {
            self.teller.saved = self.link.take_files();
        }
        let told = self.teller.answered(command, answer);
        self.link.release(held);
        if matches!(code, command::STMT_EXECUTE | command::STMT_RESET | command::RESET_CONNECTION) {
            self.link.release(std::mem::take(&mut self.long));
        }
        told
    }

    /// Carries the server's side of a COM_CHANGE_USER on to its end, tells the client, and tells a new beginning.
    fn change_user(&mut self, first: &[u8]) -> Result<Result<()>> {
        let Some(mut change) = self.link.take_change() else {
            bail!("an answer to a COM_CHANGE_USER that nobody sent")
        };
        let (upstream, greeting) = (&self.options.upstream, &self.link.greeting);
        let mut server = Upstream { already: first.to_vec(), at: 0, link: self.link, sequence: 0 };
        let mut login = Login::new(&upstream.password, &greeting.plugin, &greeting.nonce, self.link.server.is_local());
        let (packet, is_in) = carry(&mut login, &mut server)?;
        let mut beginning = None;
        if is_in {
            beginning = Some(settings::ask(&mut server, &mut &*self.link.server, self.link.capabilities)?);
        }
        let mut bytes = Vec::new();
        change.sequence = put_packet(&mut bytes, &packet, change.sequence);
        self.link.client.send(&bytes).context("the client's connection broke")?;
        let Some(beginning) = beginning else {
            let why = read_error(&packet).map(|(_, message)| message).unwrap_or_default();
            bail!("the server refuses COM_CHANGE_USER: {why}");
        };
        let account = format!("{}@{}", String::from_utf8_lossy(&change.hello.user), self.host);
        Ok(self.teller.began(Some(account), beginning.database, beginning.settings, beginning.charset))
    }
}

/// The server's end while a login is carried on: what was read already comes first.
struct Upstream<'a> {
    already: Vec<u8>,
    at: usize,
    link: &'a Link,
    sequence: u8,
}

impl Read for Upstream<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.already[self.at..];
        if rest.is_empty() {
            return (&*self.link.server).read(into);
        }
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

impl Dialogue for Upstream<'_> {
    fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        self.sequence = put_packet(&mut bytes, payload, self.sequence);
        (&*self.link.server).write_all(&bytes).context("the server's connection broke")
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let (payload, next) = read_packet(self, LOGIN).context("the server breaks a login off")?;
        self.sequence = next;
        Ok(payload)
    }
}
