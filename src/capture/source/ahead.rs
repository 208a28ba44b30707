//! A source that is read ahead of whoever listens: to take a log apart takes about as long as to write down what is in it, and
//! each has a processor of its own.

use std::mem;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, bail};

use crate::capture::record::{Event, Listener, State};

/// Events that are handed on at once, and bytes of their statements: one of 1 GiB waits alone.
const BATCH: (usize, usize) = (512, 128 * 1024);

/// Batches that may wait.
const AHEAD: usize = 4;

/// Runs `read` in a thread of its own, and hands on in this one what it tells, in its order.
///
/// # Errors
/// What the listener fails with, else what `read` does: then all that was told before is handed on.
pub fn ahead(read: impl FnOnce(&dyn Listener) -> Result<()> + Send, listener: &dyn Listener) -> Result<()> {
    let (sender, receiver) = mpsc::sync_channel(AHEAD);
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let batches = Batches { sender, held: Mutex::default() };
            let ended = read(&batches);
            let last = batches.held.into_inner().unwrap_or_else(PoisonError::into_inner);
            // Nobody listens any more: whoever stopped has said why.
            let _ = batches.sender.send(last);
            ended
        });
        // When the listener fails the receiver is dropped, and the reading ends at its next batch.
        for batch in receiver {
            batch.hand_on(listener)?;
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What is to be handed on at once. The statements' texts lie one behind the other, and what they have in common stands once:
/// memory that one thread asks for and another gives back costs both of them more than a copy does.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<Event>,
    text: Vec<u8>,
    /// The end of each statement's text.
    ends: Vec<usize>,
    /// From this statement on up to the next one: the file that they stand in, and what their sessions have.
    files: Vec<(usize, String)>,
    states: Vec<(usize, State)>,
}

impl Batch {
    fn add(&mut self, mut event: Event) {
        if let Event::Heard(heard) = &mut event {
            let statement = self.ends.len();
            self.text.extend_from_slice(&mem::take(&mut heard.text));
            self.ends.push(self.text.len());
            let (file, state) = (mem::take(&mut heard.origin.file), mem::take(&mut heard.state));
            if self.files.last().is_none_or(|(_, last)| *last != file) {
                self.files.push((statement, file));
            }
            if self.states.last().is_none_or(|(_, last)| !last.is_same(&state)) {
                self.states.push((statement, state));
            }
        }
        self.events.push(event);
    }

    fn is_full(&self) -> bool {
        self.events.len() >= BATCH.0 || self.text.len() >= BATCH.1
    }

    /// Hands all on, in order.
    fn hand_on(self, listener: &dyn Listener) -> Result<()> {
        let (mut ends, mut from) = (self.ends.into_iter().enumerate(), 0);
        let (mut files, mut states) = (self.files.into_iter().peekable(), self.states.into_iter().peekable());
        let (mut file, mut state) = (String::new(), State::default());
        for mut event in self.events {
            if let Event::Heard(heard) = &mut event
                && let Some((statement, end)) = ends.next()
            {
                if let Some((_, next)) = files.next_if(|(first, _)| *first == statement) {
                    file = next;
                }
                if let Some((_, next)) = states.next_if(|(first, _)| *first == statement) {
                    state = next.apart();
                }
                heard.text = self.text[from..end].to_vec();
                heard.origin.file.clone_from(&file);
                heard.state = state.clone();
                from = end;
            }
            listener.hear(event)?;
        }
        Ok(())
    }
}

struct Batches {
    sender: SyncSender<Batch>,
    held: Mutex<Batch>,
}

impl Listener for Batches {
    fn hear(&self, event: Event) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.add(event);
        if held.is_full() {
            // The next one will be about as large.
            let next = Batch {
                events: Vec::with_capacity(held.events.len()),
                text: Vec::with_capacity(held.text.len().min(2 * BATCH.1)),
                ends: Vec::with_capacity(held.ends.len()),
                ..Batch::default()
            };
            if self.sender.send(mem::replace(&mut *held, next)).is_err() {
                bail!("nobody listens any more");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::capture::record::Heard;
    use crate::sql::record::Origin;

    /// Takes down all that it hears.
    #[derive(Default)]
    struct Told(Mutex<Vec<Event>>);

    impl Listener for Told {
        fn hear(&self, event: Event) -> Result<()> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            Ok(())
        }
    }

    #[test]
    fn statements_are_handed_on_as_they_were_told() {
        let mut events = Vec::new();
        let mut state = State::default();
        for n in 0..3000u64 {
            if n % 7 == 0 {
                state.insert("timestamp".to_owned(), n.to_string());
            }
            let origin = Origin { file: format!("{}.log", n / 900), line: n, column: n % 3 };
            let text = format!("SELECT {n}").repeat(if n == 1500 { 40_000 } else { (n % 3) as usize }).into_bytes();
            let state = if n % 5 == 0 { State::default() } else { state.clone() };
            events.push(Event::Heard(Heard { session: n % 4, text, origin, state, ..Heard::default() }));
            if n % 11 == 0 {
                events.push(Event::Ended { session: n });
            }
        }
        let told = Told::default();
        ahead(|listener| events.iter().try_for_each(|event| listener.hear(event.clone())), &told).expect("an end");
        assert_eq!(told.0.into_inner().expect("a list"), events);
    }

    /// Takes sessions that end in order, and so many of them.
    struct Most(u64, AtomicU64);

    impl Listener for Most {
        fn hear(&self, event: Event) -> Result<()> {
            let heard = self.1.fetch_add(1, Ordering::SeqCst);
            assert_eq!(event, Event::Ended { session: heard });
            if heard + 1 == self.0 { bail!("the disk is full") } else { Ok(()) }
        }
    }

    fn told(most: u64, events: u64, ends: &str) -> (String, u64) {
        let listener = Most(most, AtomicU64::new(0));
        let read = |tell: &dyn Listener| {
            (0..events).try_for_each(|session| tell.hear(Event::Ended { session }))?;
            if ends.is_empty() { Ok(()) } else { bail!("{ends}") }
        };
        let ended = ahead(read, &listener).err().map(|error| error.to_string()).unwrap_or_default();
        (ended, listener.1.into_inner())
    }

    #[test]
    fn all_is_handed_on_in_order_and_whoever_fails_first_says_why() {
        assert_eq!(told(u64::MAX, 5000, ""), (String::new(), 5000));
        assert_eq!(told(u64::MAX, 5000, "interrupted"), ("interrupted".to_owned(), 5000));
        assert_eq!(told(10, 1_000_000, ""), ("the disk is full".to_owned(), 10));
        assert_eq!(told(u64::MAX, 0, ""), (String::new(), 0));
    }
}
