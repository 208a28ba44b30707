//! What the two directions of a session share: the commands that wait for their answers, and a file that is being sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::capability::Capabilities;
use super::command::{self, Command};
use super::greeting::{Greeting, Hello};
use super::local::Saved;
use super::stream::{Client, Socket, lock};

/// A COM_CHANGE_USER whose client was let in, and that the server is asked for.
#[derive(Debug)]
pub(super) struct Change {
    pub hello: Hello,
    /// The number of the packet that tells the client how it ended.
    pub sequence: u8,
}

/// A session's two ends, and what is under way between them.
#[derive(Debug)]
pub(super) struct Link {
    pub client: Client,
    pub server: Arc<Socket>,
    /// As the server greeted.
    pub greeting: Greeting,
    /// As it was agreed with the server.
    pub capabilities: Capabilities,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// What passes is not followed any more.
    raw: AtomicBool,
    /// The client sends a file, not commands.
    receiving: AtomicBool,
    /// Files of the current command, in order; none for one that is not kept.
    files: Mutex<Vec<Option<Saved>>>,
    /// Bytes of commands that are held.
    held: AtomicUsize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Command>,
    /// Commands whose answers have not ended.
    unanswered: usize,
    closed: bool,
    change: Option<Change>,
}

impl Link {
    pub fn new(client: Client, server: Arc<Socket>, greeting: Greeting, capabilities: Capabilities) -> Self {
        Self {
            client,
            server,
            greeting,
            capabilities,
            queue: Mutex::default(),
            changed: Condvar::new(),
            raw: AtomicBool::new(false),
            receiving: AtomicBool::new(false),
            files: Mutex::default(),
            held: AtomicUsize::new(0),
        }
    }

    /// A command is about to be sent on. None of its answer can come before this.
    pub fn push(&self, command: Command) {
        self.held.fetch_add(command.payload.len(), Ordering::Relaxed);
        let mut queue = lock(&self.queue);
        match command::shape(command.code) {
            Ok(None) => {}
            Ok(Some(_)) => queue.unanswered += 1,
            Err(()) => self.raw.store(true, Ordering::SeqCst),
        }
        queue.waiting.push_back(command);
    }

    /// The next command in line.
    pub fn next(&self) -> Option<Command> {
        lock(&self.queue).waiting.pop_front()
    }

    /// An answer has ended, and was passed on.
    pub fn answered(&self) {
        let mut queue = lock(&self.queue);
        queue.unanswered = queue.unanswered.saturating_sub(1);
        if queue.unanswered == 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until every answer has ended; false when none will come any more.
    pub fn wait_until_idle(&self) -> bool {
        let mut queue = lock(&self.queue);
        while queue.unanswered > 0 && !queue.closed {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        !queue.closed
    }

    /// No more answers will come.
    pub fn close(&self) {
        lock(&self.queue).closed = true;
        self.changed.notify_all();
    }

    pub fn set_change(&self, change: Change) {
        lock(&self.queue).change = Some(change);
    }

    pub fn take_change(&self) -> Option<Change> {
        lock(&self.queue).change.take()
    }

    /// What passes is not followed any more.
    pub fn is_raw(&self) -> bool {
        self.raw.load(Ordering::SeqCst)
    }

    /// Bytes that are held of commands.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// So many bytes are held no more.
    pub fn release(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The server asked for a file: what the client sends next is none of its commands.
    pub fn expect_file(&self, into: Option<Saved>) {
        lock(&self.files).push(into);
        self.receiving.store(true, Ordering::SeqCst);
    }

    /// The client sends a file.
    pub fn is_receiving(&self) -> bool {
        self.receiving.load(Ordering::SeqCst)
    }

    /// Adds a piece of the file.
    pub fn add_to_file(&self, piece: &[u8]) -> anyhow::Result<()> {
        match lock(&self.files).last_mut() {
            Some(Some(file)) => file.add(piece),
            _ => Ok(()),
        }
    }

    /// The file has come to its end.
    pub fn end_file(&self) -> anyhow::Result<()> {
        let ended = match lock(&self.files).last_mut() {
            Some(Some(file)) => file.end(),
            _ => Ok(()),
        };
        self.receiving.store(false, Ordering::SeqCst);
        ended
    }

    /// The files that came.
    pub fn take_files(&self) -> Vec<Option<Saved>> {
        std::mem::take(&mut lock(&self.files))
    }
}
