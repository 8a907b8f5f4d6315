//! The sink behind fern: gathers whole records in the thread that logs.
//!
//! A thread that logs often takes on to hand over its batch itself, when it suits it
//! ([`defer`]); any other thread's records go on at once.

use std::{cell::RefCell, fmt::Write as _, mem, sync::Arc};

use super::queue::LogQueue;
use crate::config::limits;

/// Records of one thread on their way to the writer.
#[derive(Default)]
struct Batch {
    text: String,
    records: u64,
    deferred: bool,
    queue: Option<Arc<LogQueue>>,
}

thread_local! {
    static BATCH: RefCell<Batch> = RefCell::default();
}

/// From now on this thread's records wait for [`flush`], or for a full batch.
pub fn defer() {
    BATCH.with_borrow_mut(|batch| batch.deferred = true);
}

/// Gives what this thread has logged to the writer. Costs nothing if that is nothing.
pub fn flush() {
    BATCH.with_borrow_mut(Batch::flush);
}

/// Takes what this thread has logged, for the writer's own thread: it must not wait for itself.
pub(super) fn take() -> String {
    BATCH.with_borrow_mut(|batch| {
        batch.records = 0;
        mem::take(&mut batch.text)
    })
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

/// What fern logs to.
pub(super) struct Sink(Arc<LogQueue>);

impl Sink {
    pub(super) fn new(queue: Arc<LogQueue>) -> Self {
        Self(queue)
    }
}

impl log::Log for Sink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        BATCH.with(|batch| {
            // A value that logs while it is being written finds its own batch in use; what it says is
            // counted as lost rather than woven into the middle of a record.
            let Ok(mut batch) = batch.try_borrow_mut() else {
                return self.0.count_dropped(1);
            };
            let whole = batch.text.len();
            if writeln!(batch.text, "{}", record.args()).is_err() {
                batch.text.truncate(whole);
                return self.0.count_dropped(1);
            }
            batch.records += 1;
            if batch.queue.is_none() {
                batch.queue = Some(Arc::clone(&self.0));
            }
            if !batch.deferred || batch.text.len() >= limits::LOG_BATCH {
                batch.flush();
            }
        });
    }

    fn flush(&self) {
        flush();
    }
}

impl Drop for Batch {
    /// The thread ends: nothing of what it logged is lost.
    fn drop(&mut self) {
        self.flush();
    }
}
