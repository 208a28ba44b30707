//! The general log of MySQL and MariaDB, as a file.
//!
//! A line that begins an entry has a time (MariaDB: only when the second is new), the thread's id, a command and, after a tab, its
//! argument; lines that do not are the argument's next ones.

use anyhow::Result;
use jiff::Timestamp;

use super::clock::Clock;
use super::lines::Lines;
use super::trigger::Bodies;
use crate::capture::noise::chatter;
use crate::capture::record::{Began, Dropped, Event, Heard, Listener, Sent};
use crate::capture::scan::first_words;
use crate::sql::record::Origin;

/// Commands as both vendors name them (`sql/sql_parse.cc`, `command_name`), the likeliest first.
const COMMANDS: [&str; 33] = [
    "Query",
    "Execute",
    "Prepare",
    "Connect",
    "Quit",
    "Init DB",
    "Close stmt",
    "Reset stmt",
    "Long Data",
    "Fetch",
    "Field List",
    "Ping",
    "Statistics",
    "Reset Connection",
    "Reset connection",
    "Change user",
    "Processlist",
    "Kill",
    "Sleep",
    "Create DB",
    "Drop DB",
    "Refresh",
    "Shutdown",
    "Debug",
    "Time",
    "Delayed insert",
    "Binlog Dump",
    "Binlog Dump GTID",
    "Table Dump",
    "Connect Out",
    "Register Slave",
    "Register Replica",
    "Set option",
];

/// Hands on what a log's entries say: also for the log as a table.
pub struct Entries<'a> {
    listener: &'a dyn Listener,
    bodies: Bodies,
}

/// One entry.
pub struct Entry<'t> {
    /// When.
    pub at: Option<Timestamp>,
    /// The thread.
    pub session: u64,
    /// The command.
    pub command: &'t [u8],
    /// What it was given.
    pub argument: &'t [u8],
    /// Where it stands.
    pub origin: Origin,
}

impl<'a> Entries<'a> {
    /// None yet.
    pub fn new(listener: &'a dyn Listener) -> Self {
        Self { listener, bodies: Bodies::default() }
    }

    /// Hands an entry on.
    ///
    /// # Errors
    /// The listener's.
    pub fn tell(&mut self, entry: Entry<'_>) -> Result<()> {
        let Entry { at, session, command, argument, origin } = entry;
        let listener = self.listener;
        let drop = |why: &str| listener.hear(dropped(Some(session), origin.clone(), why));
        match command {
            b"Query" | b"Execute" if session == 0 => drop("run by the server itself"),
            b"Query" => {
                let [verb] = first_words::<1>(argument);
                // The server logs what they run as an entry of its own, with the values in it; MySQL hides the text of PREPARE.
                if matches!(verb.as_bytes(), b"PREPARE" | b"EXECUTE" | b"DEALLOCATE")
                    || (verb == "DROP" && first_words::<2>(argument)[1] == "PREPARE")
                {
                    return drop(chatter::AS_SQL);
                }
                if matches!(verb.as_bytes(), b"CREATE" | b"ALTER" | b"SET" | b"GRANT" | b"CHANGE")
                    && memchr::memmem::find(argument, b"<secret>").is_some()
                {
                    return drop("a password that the log hides");
                }
                self.heard(session, at, argument, Sent::Text, origin)
            }
            b"Execute" => self.heard(session, at, argument, Sent::Prepared, origin),
            b"Init DB" | b"Create DB" | b"Drop DB" => {
                let name = String::from_utf8_lossy(argument).replace('`', "``");
                let text = match command {
                    b"Create DB" => format!("CREATE DATABASE `{name}`"),
                    b"Drop DB" => format!("DROP DATABASE `{name}`"),
                    _ => format!("USE `{name}`"),
                };
                self.heard(session, at, text.as_bytes(), Sent::Text, origin)
            }
            b"Connect" | b"Change user" | b"Reset Connection" | b"Reset connection" => {
                if memchr::memmem::find(argument, b"Access denied").is_some() {
                    return drop("a refused connection");
                }
                self.listener.hear(Event::Began(began(session, argument)))
            }
            b"Quit" => self.listener.hear(Event::Ended { session }),
            b"Prepare" => drop(chatter::PREPARED),
            b"Close stmt" | b"Reset stmt" | b"Long Data" | b"Fetch" => drop(chatter::HANDLING),
            b"Ping" | b"Statistics" | b"Processlist" | b"Field List" | b"Sleep" | b"Time" | b"Debug"
            | b"Set option" => drop(chatter::PINGS),
            _ => drop("commands of servers and replicas"),
        }
    }

    fn heard(&mut self, session: u64, at: Option<Timestamp>, text: &[u8], sent: Sent, origin: Origin) -> Result<()> {
        let nested = self.bodies.hold(text);
        if !nested {
            self.bodies.note(text);
        }
        let sent = if nested { Sent::Nested } else { sent };
        self.listener.hear(Event::Heard(Heard { session, text: text.to_vec(), sent, origin, at, ..Heard::default() }))
    }
}

fn dropped(session: Option<u64>, origin: Origin, why: &str) -> Event {
    Event::Dropped(Dropped { session, origin, why: why.to_owned() })
}

/// `root@localhost on app using Socket`.
fn began(session: u64, argument: &[u8]) -> Began {
    let text = String::from_utf8_lossy(argument);
    let (account, rest) = text.split_once(" on ").unwrap_or((&text, ""));
    // Without a database two blanks stand between `on` and `using`.
    let database = rest.rfind("using ").map_or(rest, |using| &rest[..using]).trim();
    Began { session, account: account.trim().to_owned(), database: database.to_owned(), ..Began::default() }
}

/// Reads a general log.
///
/// # Errors
/// It cannot be read, the listener can take no more, or the person asked to stop.
pub fn read(lines: &mut Lines<'_>, listener: &dyn Listener) -> Result<()> {
    let mut entries = Entries::new(listener);
    let mut clock = Clock::default();
    let mut open: Option<Open> = None;
    let mut argument = Vec::new();
    let mut at = None;
    let mut whole = true;
    while lines.advance()? {
        let line = lines.with_end();
        whole = lines.is_whole();
        // What truncating a log that is written leaves: a hole that reads as zeroes.
        let zeroes = line.iter().take_while(|byte| **byte == 0).count();
        let line = &line[zeroes..];
        if let Some(head) = head(line, &mut clock) {
            finish(&mut entries, &mut open, &mut argument, lines)?;
            at = head.at.or(at);
            argument.extend_from_slice(&line[head.argument..]);
            open = Some(Open { at, session: head.session, command: head.command, line: lines.number() });
        } else if is_banner(line) {
            finish(&mut entries, &mut open, &mut argument, lines)?;
        } else if open.is_some() {
            argument.extend_from_slice(line);
        } else if !line.trim_ascii().is_empty() && !is_banner_rest(line) {
            listener.hear(dropped(None, lines.origin(lines.number()), "a torn line: no entry before it"))?;
        }
    }
    match open.take() {
        Some(last) if !whole => {
            let why = "cut off in mid-statement: the log ends there";
            listener.hear(dropped(Some(last.session), lines.origin(last.line), why))
        }
        last => {
            open = last;
            finish(&mut entries, &mut open, &mut argument, lines)
        }
    }
}

/// An entry whose argument is being read.
struct Open {
    at: Option<Timestamp>,
    session: u64,
    command: &'static str,
    line: u64,
}

fn finish(entries: &mut Entries<'_>, open: &mut Option<Open>, argument: &mut Vec<u8>, lines: &Lines<'_>) -> Result<()> {
    let Some(last) = open.take() else { return Ok(()) };
    let text = argument.strip_suffix(b"\n").unwrap_or(argument);
    let told = entries.tell(Entry {
        at: last.at,
        session: last.session,
        command: last.command.as_bytes(),
        argument: text,
        origin: lines.origin(last.line),
    });
    argument.clear();
    if argument.capacity() > 1 << 22 {
        argument.shrink_to(1 << 16);
    }
    told
}

/// What a line that begins an entry says before its argument.
struct Head {
    at: Option<Timestamp>,
    session: u64,
    command: &'static str,
    /// The byte that the argument begins at.
    argument: usize,
}

/// Reads `TIME <tab> ID COMMAND <tab>`, of MariaDB also `<tab><tab> ID COMMAND <tab>`; none for another line.
fn head(line: &[u8], clock: &mut Clock) -> Option<Head> {
    let first = *line.first()?;
    if first != b'\t' && !first.is_ascii_digit() {
        return None;
    }
    let tab = memchr::memchr(b'\t', &line[..line.len().min(40)])?;
    let at = if tab == 0 { None } else { Some(clock.read(&line[..tab])?) };
    let mut place = tab + 1;
    if tab == 0 || line.get(place) == Some(&b'\t') {
        // Times without a zone stand before two tabs, or none does.
        if line.get(place)? != &b'\t' && tab == 0 {
            return None;
        }
        place += usize::from(line.get(place) == Some(&b'\t'));
    }
    place += line[place..].iter().take_while(|byte| **byte == b' ').count();
    let digits = line[place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 19 {
        return None;
    }
    let session = line[place..place + digits].iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    place += digits;
    if line.get(place) != Some(&b' ') {
        return None;
    }
    place += 1;
    let rest = &line[place..];
    let end = memchr::memchr(b'\t', &rest[..rest.len().min(40)])?;
    let name = rest[..end].trim_ascii_end();
    let command = COMMANDS.iter().copied().find(|command| command.as_bytes() == name)?;
    Some(Head { at, session, command, argument: place + end + 1 })
}

/// The first of the three lines that a server begins its log with.
fn is_banner(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.ends_with(b"started with:") && memchr::memmem::find(line, b", Version: ").is_some()
}

/// The others.
fn is_banner_rest(line: &[u8]) -> bool {
    line.starts_with(b"Tcp port:")
        || line.starts_with(b"TCP Port:")
        || line.starts_with(b"Time  ")
        || line.starts_with(b"Time\t")
}

/// True when a source that begins with `text` is a general log.
pub fn begins(text: &[u8]) -> bool {
    let mut clock = Clock::default();
    text.split_inclusive(|byte| *byte == b'\n').take(200).any(|line| head(line, &mut clock).is_some())
}
