//! A source that is read ahead of whoever listens: to take a log apart takes about as long as to write down what is in it, and
//! each has a processor of its own.

use std::mem;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, bail};

use crate::capture::record::{Event, Listener};

/// Events that are handed on at once, and bytes of their statements: one of 1 GiB waits alone.
const BATCH: (usize, usize) = (1024, 256 * 1024);

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
            let _ = batches.sender.send(last.events);
            ended
        });
        // When the listener fails the receiver is dropped, and the reading ends at its next batch.
        for event in receiver.into_iter().flat_map(|batch: Vec<Event>| batch) {
            listener.hear(event)?;
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What is to be handed on at once.
#[derive(Debug, Default)]
struct Held {
    events: Vec<Event>,
    bytes: usize,
}

struct Batches {
    sender: SyncSender<Vec<Event>>,
    held: Mutex<Held>,
}

impl Listener for Batches {
    fn hear(&self, event: Event) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += if let Event::Heard(heard) = &event { heard.text.len() } else { 0 };
        held.events.push(event);
        if held.events.len() >= BATCH.0 || held.bytes >= BATCH.1 {
            held.bytes = 0;
            let next = Vec::with_capacity(held.events.len());
            if self.sender.send(mem::replace(&mut held.events, next)).is_err() {
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
