//! The batch of a thread: whole records that are handed to the log queue together.
//!
//! A thread that logs often decides itself when to hand over its batch ([`defer`], [`flush`]); the records
//! of other threads are handed over immediately. Without a log that was started by this crate, all of this
//! does nothing.

use std::{cell::RefCell, fmt, fmt::Write as _, mem, sync::Arc};

use super::queue::LogQueue;
use crate::config::limits;

/// Records of one thread.
#[derive(Default)]
struct Batch {
    text: String,
    records: u64,
    is_deferred: bool,
    queue: Option<Arc<LogQueue>>,
}

thread_local! {
    static BATCH: RefCell<Batch> = RefCell::default();
}

/// Makes this thread's records wait for [`flush`], or for a full batch.
pub fn defer() {
    BATCH.with_borrow_mut(|batch| batch.is_deferred = true);
}

/// Hands this thread's records to the writer. Costs nothing if there are none.
pub fn flush() {
    BATCH.with_borrow_mut(Batch::flush);
}

/// Takes this thread's records, for the writer's own thread, which must not wait for itself.
pub(super) fn take() -> String {
    BATCH.with_borrow_mut(|batch| {
        batch.records = 0;
        mem::take(&mut batch.text)
    })
}

/// Adds a formatted record to this thread's batch.
pub(super) fn add(queue: &Arc<LogQueue>, record: &fmt::Arguments<'_>) {
    BATCH.with(|batch| {
        // A value that logs while it is formatted finds the batch in use. Its record counts as dropped, so that
        // no record is written into the middle of another.
        let Ok(mut batch) = batch.try_borrow_mut() else {
            return queue.count_dropped(1);
        };
        let len = batch.text.len();
        if writeln!(batch.text, "{record}").is_err() {
            batch.text.truncate(len);
            return queue.count_dropped(1);
        }
        batch.records += 1;
        if batch.queue.is_none() {
            batch.queue = Some(Arc::clone(queue));
        }
        if !batch.is_deferred || batch.text.len() >= limits::LOG_BATCH {
            batch.flush();
        }
    });
}

impl Batch {
    fn flush(&mut self) {
        if self.records > 0
            && let Some(queue) = &self.queue
        {
            queue.push(&self.text, self.records);
            self.text.clear();
            self.records = 0;
        }
    }
}

impl Drop for Batch {
    /// Hands over the records of a thread that ends.
    fn drop(&mut self) {
        self.flush();
    }
}
