//! The log queue: records that wait for the writer. It is bounded, and decides whether a thread that logs waits
//! for room.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{options::Overflow, totals::Totals};
use crate::config::limits::{LOG_EAGER, LOG_GATHER, LOG_PENDING, LOG_STUCK};

/// The queue between the threads that log and the writer.
#[derive(Debug)]
pub(crate) struct LogQueue {
    overflow: Overflow,
    state: Mutex<State>,
    /// The writer waits for records.
    records_pending: Condvar,
    /// Other threads wait for room, or for the end of the writer.
    progress: Condvar,
}

#[derive(Debug)]
struct State {
    pending: String,
    /// Number of the pending records.
    records: u64,
    /// Number of the records that the writer is writing.
    in_writer: u64,
    /// Records that were not written, because the queue was full or the sink refused them, until they are logged.
    dropped: u64,
    totals: Totals,
    writer: Activity,
    reopen: bool,
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Asleep until it is notified.
    Idle,
    /// Notified; it lets more records accumulate for a moment.
    Gathering,
    /// Writing; the time at which the sink last took bytes, or at which the write began.
    Writing(Instant),
    /// Closed, and all records are written.
    Finished,
}

/// The next job of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Reopen the file before writing.
    pub(crate) reopen: bool,
    /// This is the last job.
    pub(crate) last: bool,
    /// Number of records.
    pub(crate) records: u64,
}

impl State {
    /// Returns how much longer to wait for progress. `None`: the sink is stuck.
    fn budget(&self) -> Option<Duration> {
        match self.writer {
            Activity::Writing(since) => {
                LOG_STUCK.checked_sub(since.elapsed()).filter(|left| !left.is_zero())
            }
            Activity::Idle | Activity::Gathering | Activity::Finished => Some(LOG_STUCK),
        }
    }

    fn count_dropped(&mut self, records: u64) {
        self.dropped += records;
        self.totals.dropped += records;
    }

    fn is_urgent(&self) -> bool {
        self.pending.len() >= LOG_EAGER || self.closing || self.reopen
    }
}

impl LogQueue {
    pub(crate) fn new(overflow: Overflow) -> Self {
        let state = State {
            pending: String::new(),
            records: 0,
            in_writer: 0,
            dropped: 0,
            totals: Totals::default(),
            writer: Activity::Idle,
            reopen: false,
            closing: false,
        };
        Self {
            overflow,
            state: Mutex::new(state),
            records_pending: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// Adds records, a line each. Waits for room while the sink is slow; if it is stuck, or the overflow
    /// behaviour forbids waiting, the records are dropped and counted. Returns whether a loss begins: these records are
    /// dropped, and no others since [`take_dropped`](Self::take_dropped).
    pub(crate) fn push(&self, lines: &str, records: u64) -> bool {
        let mut state = self.lock();
        while state.pending.len() + lines.len() > LOG_PENDING && !state.pending.is_empty() {
            let budget = match self.overflow {
                Overflow::Block => state.budget(),
                Overflow::Drop => None,
            };
            let Some(budget) = budget else {
                let is_first = state.dropped == 0;
                state.count_dropped(records);
                return is_first;
            };
            state = wait_timeout(&self.progress, state, budget);
        }
        state.pending.push_str(lines);
        state.records += records;
        match state.writer {
            Activity::Idle => state.writer = Activity::Gathering,
            Activity::Gathering if state.is_urgent() => {}
            _ => return false,
        }
        // Unlock first, so that the writer does not wake up only to wait for the lock.
        drop(state);
        self.records_pending.notify_one();
        false
    }

    pub(crate) fn count_dropped(&self, records: u64) {
        self.lock().count_dropped(records);
    }

    pub(crate) fn count_written(&self, records: u64) {
        self.lock().totals.written += records;
    }

    /// Returns the totals since the start.
    pub(crate) fn totals(&self) -> Totals {
        self.lock().totals
    }

    /// Returns the number of dropped records that has not been logged, and resets it.
    pub(crate) fn take_dropped(&self) -> u64 {
        mem::take(&mut self.lock().dropped)
    }

    /// Returns the number of records that are lost if the process ends now: those that were dropped since
    /// [`take_dropped`](Self::take_dropped), those that wait, and those of the present write, which may have written a part.
    pub(crate) fn unwritten(&self) -> u64 {
        let state = self.lock();
        state.dropped + state.records + state.in_writer
    }

    /// Takes back a number of dropped records that could not be logged.
    pub(super) fn return_dropped(&self, records: u64) {
        self.lock().dropped += records;
    }

    pub(crate) fn request_reopen(&self) {
        self.lock().reopen = true;
        self.records_pending.notify_one();
    }

    /// Waits until all records are written. Returns false if the sink is stuck.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.lock();
        state.closing = true;
        self.records_pending.notify_one();
        while state.writer != Activity::Finished {
            let Some(budget) = state.budget() else {
                return false;
            };
            state = wait_timeout(&self.progress, state, budget);
        }
        true
    }

    /// Waits for records, lets them accumulate, and swaps them into `written`, which must be empty. Called by the
    /// writer only.
    pub(crate) fn next(&self, written: &mut String) -> Job {
        debug_assert!(written.is_empty());
        let mut state = self.lock();
        if state.pending.is_empty() && !state.is_urgent() {
            state.writer = Activity::Idle;
            // Every notification makes one of these true; until then the writer uses no CPU time.
            while state.pending.is_empty() && !state.is_urgent() {
                state = self.records_pending.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if !state.is_urgent() {
            state.writer = Activity::Gathering;
            let accumulated = self
                .records_pending
                .wait_timeout_while(state, LOG_GATHER, |state| !state.is_urgent());
            state = accumulated.unwrap_or_else(PoisonError::into_inner).0;
        }
        mem::swap(&mut state.pending, written);
        state.writer = Activity::Writing(Instant::now());
        state.in_writer = mem::take(&mut state.records);
        self.progress.notify_all();
        Job { reopen: mem::take(&mut state.reopen), last: state.closing, records: state.in_writer }
    }

    /// Records that the sink has taken bytes. Called by the writer only.
    pub(crate) fn record_progress(&self) {
        self.lock().writer = Activity::Writing(Instant::now());
    }

    /// Ends the queue after the last job. Called by the writer only.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.writer = Activity::Finished;
        state.in_writer = 0;
        drop(state);
        self.progress.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder of the lock can leave the state inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait_timeout<'a>(
    condvar: &Condvar,
    state: MutexGuard<'a, State>,
    timeout: Duration,
) -> MutexGuard<'a, State> {
    condvar.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    /// A line of which only one fits into the queue.
    fn more_than_half() -> String {
        "x".repeat(LOG_PENDING / 2 + 1)
    }

    fn in_state(overflow: Overflow, writer: Activity) -> LogQueue {
        let queue = LogQueue::new(overflow);
        queue.lock().writer = writer;
        queue
    }

    fn long_ago() -> Instant {
        Instant::now().checked_sub(LOG_STUCK).expect("this machine has been up for a second")
    }

    #[test]
    fn the_writer_receives_the_pushed_records() {
        let queue = LogQueue::new(Overflow::Block);
        queue.push("one\n", 1);
        queue.push("two\nthree\n", 2);
        let mut lines = String::new();
        assert_eq!(queue.next(&mut lines), Job { reopen: false, last: false, records: 3 });
        assert_eq!(lines, "one\ntwo\nthree\n");
        assert_eq!(queue.take_dropped(), 0);
    }

    #[test]
    fn a_stuck_sink_drops_records_without_waiting() {
        let queue = in_state(Overflow::Block, Activity::Writing(long_ago()));
        assert!(!queue.push(&more_than_half(), 1));
        assert!(queue.push(&more_than_half(), 7), "a loss begins");
        assert!(!queue.push(&more_than_half(), 2), "it goes on");
        assert_eq!(queue.unwritten(), 10);
        assert_eq!((queue.take_dropped(), queue.take_dropped()), (9, 0));
        assert_eq!(
            queue.totals(),
            Totals { written: 0, dropped: 9 },
            "a logged number stays in it"
        );
        assert!(queue.push(&more_than_half(), 1), "another loss begins");
        assert!(!queue.close(), "close does not wait for a stuck sink");
    }

    #[test]
    fn overflow_drop_never_waits_for_a_slow_sink() {
        let queue = in_state(Overflow::Drop, Activity::Writing(Instant::now()));
        queue.push(&more_than_half(), 1);
        queue.push(&more_than_half(), 7);
        assert_eq!(queue.take_dropped(), 7);
    }

    #[test]
    fn a_push_to_a_full_queue_waits_for_a_slow_sink() {
        let queue = Arc::new(in_state(Overflow::Block, Activity::Writing(Instant::now())));
        queue.push(&more_than_half(), 1);
        let push = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(&more_than_half(), 1)
        });
        // Whether the push waits already or happens later, its lines are in the second job.
        let mut lines = String::new();
        queue.next(&mut lines);
        assert_eq!(lines.len(), LOG_PENDING / 2 + 1);
        push.join().unwrap();
        lines.clear();
        queue.next(&mut lines);
        assert_eq!(lines.len(), LOG_PENDING / 2 + 1);
        assert_eq!(queue.take_dropped(), 0);
    }

    #[test]
    fn close_waits_until_all_records_are_written() {
        let queue = Arc::new(LogQueue::new(Overflow::Block));
        queue.push("last record\n", 1);
        let writer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let (mut lines, mut written) = (String::new(), String::new());
                while !queue.next(&mut lines).last {
                    written.push_str(&std::mem::take(&mut lines));
                }
                written.push_str(&lines);
                queue.finish();
                written
            }
        });
        assert!(queue.close());
        assert_eq!(writer.join().unwrap(), "last record\n");
    }
}
