//! The capture file: plain SQL that a person reads and edits and the stock client runs, written while it is heard.
//!
//! ```text
//! -- A capture of an upgrade's SQL …
//! -- format: rehearse/capture@1
//! -- rehearse: session 1
//! -- heard general.log:12 2026-11-21T18:20:47.357311Z 0.092 s, 3 rows
//! UPDATE t SET a = 1;
//! ```
//! A statement that failed, and after which the upgrade went on, is kept as a comment: run again it would end a client, a
//! plan and a rehearsal that nothing is wrong with. The one that an upgrade ended with stays a statement: the rehearsal is to
//! fail there too.

mod end;
mod mask;
mod note;
mod out;
mod session;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::noise::noise;
use super::record::{Began, Dropped, Event, Heard, Listener, Sent};
use super::scan::first_words;
use super::summary::Summary;
use crate::server::flavor::Flavor;
use crate::sql::digest::short_hex;
use end::{delimited, holds, write_to};
use mask::Mask;
use note::Notes;
use out::Out;
use session::Session;
use text::{Written, written};

/// What a capture file says of itself.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// What was listened to: `general log /var/log/mysql/general.log`, `command php artisan migrate`.
    pub source: String,
    /// The server that it was heard on, where it is known.
    pub flavor: Option<Flavor>,
    /// What the source cannot tell: `rows`, `durations`.
    pub untold: Vec<String>,
}

/// What to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Schema checks and driver chatter too.
    pub keep_noise: bool,
    /// Other values in the place of literals: as long, of the same type, and equal where they were.
    pub mask: bool,
}

/// Writes what it hears into a file.
pub struct CaptureFile {
    state: Mutex<State>,
}

struct State {
    out: Out,
    options: Options,
    mask: Option<Mask>,
    sessions: Vec<Session>,
    /// The place in `sessions` of each session of the source.
    known: BTreeMap<u64, usize>,
    /// Places whose session of the source has ended.
    idle: Vec<usize>,
    current: u32,
    /// The last statement failed, and nobody knows yet whether the upgrade goes on.
    failed: Option<Failed>,
    summary: Summary,
    /// Statements in the file, settings included.
    statements: u64,
    hash: Sha256,
    notes: Notes,
    note: String,
    script: String,
}

struct Failed {
    place: usize,
    heard: Heard,
    texts: Vec<Written<'static>>,
    /// ROLLBACKs since, which are no going on.
    rollbacks: Vec<(usize, Heard)>,
}

impl CaptureFile {
    /// A capture into this file. Until [`finish`](Self::finish) it stands beside it as `FILE.part`.
    ///
    /// # Errors
    /// When it cannot be created or written.
    pub fn create(path: &Path, header: &Header, options: Options) -> Result<Self> {
        Ok(Self::over(Out::create(path, &head(header, options))?, options))
    }

    /// A capture into a stream; digest and counts come at its end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_stream(stream: Box<dyn Write + Send>, header: &Header, options: Options) -> Result<Self> {
        let mut out = Out::Stream(stream);
        out.put(&head(header, options))?;
        Ok(Self::over(out, options))
    }

    fn over(out: Out, options: Options) -> Self {
        let state = State {
            out,
            options,
            mask: options.mask.then(Mask::new),
            sessions: Vec::new(),
            known: BTreeMap::new(),
            idle: Vec::new(),
            current: 0,
            failed: None,
            summary: Summary::default(),
            statements: 0,
            hash: Sha256::new(),
            notes: Notes::new(options.mask),
            note: String::new(),
            script: String::new(),
        };
        Self { state: Mutex::new(state) }
    }

    /// Writes what is still open, and the facts of the whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<Summary> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.settle(false)?;
        state.summary.sessions = u32::try_from(state.sessions.len()).unwrap_or(u32::MAX);
        state.summary.digest = short_hex(&std::mem::take(&mut state.hash).finalize());
        state.out.finish(&state.summary.digest, state.statements, state.summary.sessions)?;
        Ok(state.summary)
    }
}

impl Listener for CaptureFile {
    fn hear(&self, event: Event) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Began(began) => state.begin(began),
            Event::Heard(heard) => state.heard(heard),
            Event::Ended { session } => state.end(session),
            Event::Dropped(dropped) => {
                state.summary.drop(&dropped);
                Ok(())
            }
        }
    }
}

impl State {
    /// The place of a session; one that nobody announced begins here.
    fn place(&mut self, session: u64) -> usize {
        if let Some(place) = self.known.get(&session) {
            return *place;
        }
        let place = self.idle.pop().unwrap_or_else(|| {
            let number = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX).saturating_add(1);
            self.sessions.push(Session::new(number));
            self.sessions.len() - 1
        });
        self.known.insert(session, place);
        self.sessions[place].begin(&Began::default());
        place
    }

    fn begin(&mut self, began: Began) -> Result<()> {
        if self.known.contains_key(&began.session) {
            self.end(began.session)?;
        }
        let place = self.place(began.session);
        self.sessions[place].begin(&began);
        Ok(())
    }

    fn end(&mut self, session: u64) -> Result<()> {
        let Some(place) = self.known.remove(&session) else { return Ok(()) };
        let ends = self.sessions[place].end();
        if !ends.is_empty() {
            self.settle(true)?;
            for end in ends {
                self.line("-- the session ended here")?;
                self.write(place, &Written::plain(end))?;
            }
        }
        self.idle.push(place);
        Ok(())
    }

    fn heard(&mut self, heard: Heard) -> Result<()> {
        if heard.sent == Sent::Nested {
            self.drop(&heard, "run by a trigger or routine: it runs again when the statement that called it does");
            return Ok(());
        }
        if let Some(why) = noise(&heard.text).filter(|_| !self.options.keep_noise) {
            self.summary.fold(why);
            return Ok(());
        }
        let place = self.place(heard.session);
        let session = &mut self.sessions[place];
        session.heed(&heard.state);
        let texts = match written(&heard.text, &session.encoding) {
            _ if session.is_lost(&heard.text, &heard.state) => Err("in a database that no script can name"),
            Err(why) if first_words::<1>(&heard.text)[0] == "USE" => session.change(&heard.text).ok_or(why),
            texts => texts,
        };
        let texts = match texts {
            Ok(texts) => texts,
            Err(why) => {
                self.drop(&heard, why);
                return Ok(());
            }
        };
        if heard.error.is_some() {
            self.settle(true)?;
            let texts = texts.into_iter().map(Written::owned).collect();
            self.failed = Some(Failed { place, heard, texts, rollbacks: Vec::new() });
            return Ok(());
        }
        if let Some(failed) = &mut self.failed
            && texts.len() == 1
            && texts[0].text.eq_ignore_ascii_case("ROLLBACK")
        {
            failed.rollbacks.push((place, heard));
            return Ok(());
        }
        self.settle(true)?;
        self.keep(place, &heard, texts)
    }

    /// Counts what cannot be written.
    fn drop(&mut self, heard: &Heard, why: &str) {
        let (session, origin) = (Some(heard.session), heard.origin.clone());
        self.summary.drop(&Dropped { session, origin, why: why.to_owned() });
    }

    /// What failed last: as a comment when the upgrade went on, else as the statement that it is.
    fn settle(&mut self, went_on: bool) -> Result<()> {
        let Some(failed) = self.failed.take() else { return Ok(()) };
        if went_on {
            self.comment(&failed)?;
            self.summary.failed += 1;
        } else {
            self.line("-- the upgrade ended after this statement, which failed")?;
            self.keep(failed.place, &failed.heard, failed.texts)?;
        }
        for (place, rollback) in failed.rollbacks {
            self.keep(place, &rollback, vec![Written::plain("ROLLBACK")])?;
        }
        Ok(())
    }

    fn comment(&mut self, failed: &Failed) -> Result<()> {
        let session = self.sessions[failed.place].number;
        let mut note = format!("-- failed, and the upgrade went on (session {session}) ");
        self.notes.tell(&failed.heard, &mut note);
        note.push('\n');
        for text in &failed.texts {
            let text = self.mask.as_ref().map_or_else(|| text.text.clone(), |mask| mask.masked(&text.text).into());
            text.lines().for_each(|line| note.push_str(&format!("--   {line}\n")));
        }
        self.put(&note)?;
        // A deadlock took the whole transaction back.
        if matches!(failed.heard.error, Some((1213, _))) && self.sessions[failed.place].in_transaction() {
            self.write(failed.place, &Written::plain("ROLLBACK"))?;
            self.sessions[failed.place].follow(b"ROLLBACK");
        }
        Ok(())
    }

    fn keep(&mut self, place: usize, heard: &Heard, texts: Vec<Written<'_>>) -> Result<()> {
        if texts.is_empty() {
            self.summary.fold("comments and empty statements");
            return Ok(());
        }
        self.summary.keep(heard);
        for before in self.sessions[place].before(&heard.state) {
            if !holds(&before) {
                self.drop(heard, "what a session had set, and no script can hold");
                continue;
            }
            self.write(place, &Written::plain(before))?;
        }
        let mut note = std::mem::take(&mut self.note);
        note.clear();
        note.push_str("-- heard ");
        self.notes.tell(heard, &mut note);
        note.push('\n');
        for mut text in texts {
            self.sessions[place].follow(text.text.as_bytes());
            if let Some(mask) = &self.mask {
                // Its comments are gone: another end may be needed.
                match delimited(Cow::Owned(mask.masked(&text.text).trim().to_owned())) {
                    Ok(masked) => text = masked,
                    Err(why) => {
                        self.drop(heard, why);
                        continue;
                    }
                }
            }
            self.switch(place)?;
            for remark in &heard.remarks {
                self.line(&format!("-- rehearse: {}", remark.replace(['\n', '\r'], " ")))?;
            }
            self.put(&note)?;
            self.write(place, &text)?;
        }
        self.note = note;
        Ok(())
    }

    /// Makes a session the one that the next statement is of.
    fn switch(&mut self, place: usize) -> Result<()> {
        let number = self.sessions[place].number;
        if std::mem::replace(&mut self.current, number) != number {
            self.line(&format!("-- rehearse: session {number}"))?;
        }
        Ok(())
    }

    fn write(&mut self, place: usize, text: &Written<'_>) -> Result<()> {
        self.switch(place)?;
        // As `Script::digest` counts it.
        self.statements += 1;
        let mut counted = [0; 12];
        counted[..4].copy_from_slice(&self.sessions[place].number.to_le_bytes());
        counted[4..].copy_from_slice(&(text.text.len() as u64).to_le_bytes());
        self.hash.update(counted);
        self.hash.update(text.text.as_bytes());
        if text.delimiter == ";" && !text.own_line {
            self.put(&text.text)?;
            return self.put(";\n");
        }
        let mut script = std::mem::take(&mut self.script);
        script.clear();
        write_to(&mut script, text);
        let written = self.put(&script);
        // A long one is not kept.
        if script.capacity() < 1 << 20 {
            self.script = script;
        }
        written
    }

    fn line(&mut self, line: &str) -> Result<()> {
        self.put(line)?;
        self.put("\n")
    }

    fn put(&mut self, text: &str) -> Result<()> {
        self.out.put(text)
    }
}

/// The lines that a capture begins with.
fn head(header: &Header, options: Options) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut head = format!(
        "-- A capture of an upgrade's SQL by rehearse {version}: read it, edit it, rehearse it, or run it with the stock client.\n\
         -- format: rehearse/capture@1\n-- source: {}\n",
        header.source.replace(['\n', '\r'], " ")
    );
    if let Some(flavor) = header.flavor {
        head.push_str(&format!("-- server: {flavor}\n"));
    }
    if !header.untold.is_empty() {
        head.push_str(&format!("-- not told by this source: {}\n", header.untold.join(", ")));
    }
    if options.mask {
        head.push_str("-- masked: literals are as long and of the same type as they were, and equal where they were\n");
    }
    head
}

#[cfg(test)]
mod tests;
