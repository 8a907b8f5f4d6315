//! The batch of a thread: messages that are handed to the queue together.
//!
//! A thread that serves peers is attached to the history of its server ([`attach`]). It then records messages
//! ([`record`]) and hands them over with the records of its log, once per iteration of its loop. On any other thread these do nothing.

use std::{
    cell::RefCell,
    mem,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    encoding::{encode, encode_origin},
    message::{Message, Origin},
    queue::Queue,
    run_file::Counter,
};
use crate::{
    config::history_limits,
    logging::{self, FlushHook},
};

/// What a thread needs to record.
#[derive(Debug)]
pub(crate) struct ThreadRecorder {
    pub(super) queue: Arc<Queue>,
    pub(super) counter: Counter,
}

/// Messages of one thread.
struct Batch {
    recorder: ThreadRecorder,
    messages: Vec<u8>,
    rows: u64,
    /// Time of the messages. An iteration of the loop reads the clock once.
    time: i64,
    /// Encoded origin of the last message.
    origin: Vec<u8>,
    /// Encoded origin of the next message.
    next_origin: Vec<u8>,
}

thread_local! {
    static BATCH: RefCell<Option<Batch>> = const { RefCell::new(None) };
}

/// Makes this thread record messages, until [`detach`] or its end.
pub(crate) fn attach(recorder: ThreadRecorder) {
    BATCH.set(Some(Batch {
        recorder,
        messages: Vec::new(),
        rows: 0,
        time: 0,
        origin: Vec::new(),
        next_origin: Vec::new(),
    }));
}

/// Hands over the messages of this thread, which records no more.
pub(crate) fn detach() {
    BATCH.take();
}

/// Records a message, and counts it first: a message whose echo has been sent is either in the history or known to be lost.
pub(crate) fn record(origin: &Origin<'_>, message: &Message<'_>) {
    BATCH.with_borrow_mut(|batch| {
        if let Some(batch) = batch {
            batch.record(origin, message);
        }
    });
}

/// Hands over the messages of this thread.
pub(crate) fn flush() {
    BATCH.with_borrow_mut(|batch| {
        if let Some(batch) = batch {
            batch.flush();
        }
    });
}

impl Batch {
    fn record(&mut self, origin: &Origin<'_>, message: &Message<'_>) {
        self.recorder.counter.add_one();
        if self.rows == 0 {
            self.time = unix_micros();
        }
        encode_origin(&mut self.next_origin, origin);
        let changes = self.rows == 0 || self.next_origin != self.origin;
        if changes {
            mem::swap(&mut self.next_origin, &mut self.origin);
        }
        let origin = changes.then_some(&self.origin[..]);
        encode(&mut self.messages, self.time, origin, message);
        self.rows += 1;
        if self.rows == 1 {
            logging::set_flush_hook(FlushHook::History, flush);
        }
        if self.messages.len() >= history_limits::BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.rows > 0 {
            self.recorder.queue.push(&self.messages, self.rows);
            self.messages.clear();
            self.rows = 0;
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Returns the time of the wall clock in Unix microseconds.
pub(super) fn unix_micros() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the history has the time of the wall clock")]
    let now = SystemTime::now();
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(error) => i64::try_from(error.duration().as_micros()).map_or(i64::MIN, |time| -time),
    }
}
