//! The batch of a thread: whole records that are handed to the log queue together.
//!
//! A thread that logs often decides itself when to hand over its batch ([`defer`], [`flush`]); the records
//! of other threads are handed over immediately. Without a log that was started by this crate, all of this
//! does nothing.

use std::{cell::RefCell, fmt, fmt::Write as _, mem, sync::Arc};

use super::{flush_hook::FlushHook, queue::LogQueue};
use crate::config::limits;

/// Records of one thread.
#[derive(Default)]
struct Batch {
    text: String,
    records: u64,
    is_deferred: bool,
    queue: Option<Arc<LogQueue>>,
    /// The functions to call at the next flush, each at the index of its [`FlushHook`].
    hooks: [Option<fn()>; FlushHook::COUNT],
    /// There are records or hooks.
    has_work: bool,
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
    let hooks = BATCH.with_borrow_mut(|batch| {
        if !batch.has_work {
            return None;
        }
        let hooks = mem::take(&mut batch.hooks);
        batch.flush();
        Some(hooks)
    });
    let Some(hooks) = hooks else { return };
    for hook in hooks.into_iter().flatten() {
        hook();
    }
    // A hook may log.
    BATCH.with_borrow_mut(Batch::flush);
}

/// Makes the next [`flush`] of this thread call a function. So a thread checks one flag for all of its batches.
pub(crate) fn set_flush_hook(hook: FlushHook, function: fn()) {
    BATCH.with_borrow_mut(|batch| {
        batch.hooks[hook as usize] = Some(function);
        batch.has_work = true;
    });
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
        if batch.records == 1 {
            batch.has_work = true;
            batch.queue.get_or_insert_with(|| Arc::clone(queue));
        }
        if !batch.is_deferred || batch.text.len() >= limits::LOG_BATCH {
            batch.flush();
        }
    });
}

impl Batch {
    fn flush(&mut self) {
        self.has_work = self.hooks.iter().any(Option::is_some);
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

#[cfg(all(test, feature = "history"))]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
    }

    #[test]
    fn a_flush_calls_each_hook_once_and_hands_over_the_records() {
        let queue = Arc::new(LogQueue::new(super::super::Overflow::Block));
        defer();
        flush();
        set_flush_hook(FlushHook::History, || CALLS.set(CALLS.get() + 1));
        add(&queue, &format_args!("record"));
        assert_eq!(CALLS.get(), 0);
        flush();
        flush();
        assert_eq!(CALLS.get(), 1);
        let mut lines = String::new();
        queue.next(&mut lines);
        assert_eq!(lines, "record\n");
    }

    #[test]
    fn a_full_batch_of_records_keeps_the_hooks_of_the_flush() {
        let queue = Arc::new(LogQueue::new(super::super::Overflow::Block));
        defer();
        set_flush_hook(FlushHook::History, || CALLS.set(CALLS.get() + 1));
        set_flush_hook(FlushHook::FaultLog, || CALLS.set(CALLS.get() + 10));
        add(&queue, &format_args!("{}", "x".repeat(limits::LOG_BATCH)));
        assert_eq!(CALLS.get(), 0);
        flush();
        assert_eq!(CALLS.get(), 11);
    }
}
