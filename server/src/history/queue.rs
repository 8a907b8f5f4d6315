//! The queue: messages that wait for the writer. It is bounded, and decides whether a thread that records waits for room.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::stats::HistoryStats;
use crate::config::{
    HistoryOverflow,
    history_limits::{EAGER, GATHER, PENDING, STUCK},
};

/// The queue between the threads that record and the writer.
#[derive(Debug)]
pub(super) struct Queue {
    overflow: HistoryOverflow,
    state: Mutex<State>,
    /// The writer waits for messages.
    pending: Condvar,
    /// Other threads wait for room, or for the end of the writer.
    progress: Condvar,
}

#[derive(Debug)]
struct State {
    messages: Vec<u8>,
    rows: u64,
    /// Messages that found no room since the writer last took their number.
    dropped: u64,
    /// Messages since the start. Those that wait here or in a transaction are in none of the others.
    received: u64,
    stats: HistoryStats,
    writer: Activity,
    is_closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Asleep until it is notified.
    Idle,
    /// Notified; it lets more messages accumulate for a moment.
    Gathering,
    /// Writes a transaction that began at this time.
    Writing(Instant),
    /// The database takes nothing.
    Failing,
    /// Closed, and all messages are written.
    Finished,
}

/// The next job of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Number of messages.
    pub(super) rows: u64,
    /// This is the last job.
    pub(super) is_last: bool,
}

impl State {
    /// Returns how long a thread may wait for progress. `None`: the database takes nothing.
    fn budget(&self) -> Option<Duration> {
        match self.writer {
            Activity::Writing(since) => {
                STUCK.checked_sub(since.elapsed()).filter(|left| !left.is_zero())
            }
            Activity::Failing => None,
            Activity::Idle | Activity::Gathering | Activity::Finished => Some(STUCK),
        }
    }

    fn is_urgent(&self) -> bool {
        self.messages.len() >= EAGER || self.is_closing
    }
}

impl Queue {
    pub(super) fn new(overflow: HistoryOverflow) -> Self {
        let state = State {
            messages: Vec::new(),
            rows: 0,
            dropped: 0,
            received: 0,
            stats: HistoryStats::default(),
            writer: Activity::Idle,
            is_closing: false,
        };
        Self {
            overflow,
            state: Mutex::new(state),
            pending: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// Adds messages. Waits for room while the database is slow; if it takes nothing, or the overflow behaviour forbids
    /// waiting, the messages are dropped and counted.
    pub(super) fn push(&self, messages: &[u8], rows: u64) {
        let mut state = self.lock();
        state.received += rows;
        while state.messages.len() + messages.len() > PENDING && !state.messages.is_empty() {
            let budget = match self.overflow {
                HistoryOverflow::Block => state.budget(),
                HistoryOverflow::Drop => None,
            };
            let Some(budget) = budget else {
                state.dropped += rows;
                state.stats.dropped += rows;
                return;
            };
            let waited = self.progress.wait_timeout(state, budget);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.messages.extend_from_slice(messages);
        state.rows += rows;
        match state.writer {
            Activity::Idle => state.writer = Activity::Gathering,
            Activity::Gathering if state.is_urgent() => {}
            _ => return,
        }
        // Unlock first, so that the writer does not wake up only to wait for the lock.
        drop(state);
        self.pending.notify_one();
    }

    /// Returns the number of messages that were dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        mem::take(&mut self.lock().dropped)
    }

    /// Counts messages that are committed. Called by the writer only.
    pub(super) fn count_recorded(&self, rows: u64) {
        self.lock().stats.recorded += rows;
    }

    /// Counts messages that the writer drops at its end.
    pub(super) fn count_dropped(&self, rows: u64) {
        self.lock().stats.dropped += rows;
    }

    /// Returns the numbers since the start.
    pub(super) fn stats(&self) -> HistoryStats {
        let state = self.lock();
        let HistoryStats { recorded, dropped, .. } = state.stats;
        HistoryStats { waiting: state.received.saturating_sub(recorded + dropped), ..state.stats }
    }

    /// Waits for messages, lets them accumulate, and swaps them into `messages`, which must be empty. After `max_wait`
    /// without any, the job is empty. Called by the writer only.
    pub(super) fn next(&self, messages: &mut Vec<u8>, max_wait: Option<Duration>) -> Job {
        debug_assert!(messages.is_empty());
        let mut state = self.lock();
        let has_nothing = |state: &State| state.messages.is_empty() && !state.is_closing;
        if has_nothing(&state) {
            state.writer = Activity::Idle;
            state = match max_wait {
                None => {
                    let waited = self.pending.wait_while(state, |state| has_nothing(state));
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Some(max) => {
                    let waited =
                        self.pending.wait_timeout_while(state, max, |state| has_nothing(state));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if !state.messages.is_empty() && !state.is_urgent() {
            state.writer = Activity::Gathering;
            let gathered =
                self.pending.wait_timeout_while(state, GATHER, |state| !state.is_urgent());
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        mem::swap(&mut state.messages, messages);
        state.writer = Activity::Writing(Instant::now());
        self.progress.notify_all();
        Job { rows: mem::take(&mut state.rows), is_last: state.is_closing }
    }

    /// Records that a transaction begins. Called by the writer only.
    pub(super) fn record_progress(&self) {
        self.lock().writer = Activity::Writing(Instant::now());
    }

    /// Records that the database takes nothing, and waits for `interval`, or until the queue is closed. Returns whether it
    /// is closed. Called by the writer only.
    pub(super) fn wait_to_retry(&self, interval: Duration) -> bool {
        let mut state = self.lock();
        state.writer = Activity::Failing;
        self.progress.notify_all();
        let waited = self.pending.wait_timeout_while(state, interval, |state| !state.is_closing);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_closing
    }

    /// Returns whether the database takes nothing.
    #[cfg(test)]
    pub(super) fn is_failing(&self) -> bool {
        self.lock().writer == Activity::Failing
    }

    /// Lets the writer finish: what is queued is its last job.
    pub(super) fn close(&self) {
        self.lock().is_closing = true;
        self.pending.notify_one();
    }

    /// Ends the queue after the last job. Called by the writer only.
    pub(super) fn finish(&self) {
        self.lock().writer = Activity::Finished;
        self.progress.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder of the lock can leave the state inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    /// Messages of which only one fits into the queue.
    fn more_than_half() -> Vec<u8> {
        vec![0; PENDING / 2 + 1]
    }

    fn in_state(overflow: HistoryOverflow, writer: Activity) -> Queue {
        let queue = Queue::new(overflow);
        queue.lock().writer = writer;
        queue
    }

    #[test]
    fn a_database_that_takes_nothing_drops_messages_without_waiting() {
        let long_ago = Instant::now().checked_sub(STUCK).expect("this machine is up for a second");
        for writer in [Activity::Writing(long_ago), Activity::Failing] {
            let queue = in_state(HistoryOverflow::Block, writer);
            queue.push(&more_than_half(), 1);
            queue.push(&more_than_half(), 7);
            assert_eq!((queue.take_dropped(), queue.take_dropped()), (7, 0));
            assert_eq!(queue.stats(), HistoryStats { recorded: 0, dropped: 7, waiting: 1 });
        }
    }

    #[test]
    fn overflow_drop_never_waits_for_a_slow_database() {
        let queue = in_state(HistoryOverflow::Drop, Activity::Writing(Instant::now()));
        queue.push(&more_than_half(), 1);
        queue.push(&more_than_half(), 7);
        assert_eq!(queue.take_dropped(), 7);
    }

    #[test]
    fn a_push_to_a_full_queue_waits_for_a_slow_database() {
        let queue = Arc::new(in_state(HistoryOverflow::Block, Activity::Writing(Instant::now())));
        queue.push(&more_than_half(), 1);
        let push = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(&more_than_half(), 2)
        });
        // Whether the push waits already or happens later, its messages are in the second job.
        let mut messages = Vec::new();
        assert_eq!(queue.next(&mut messages, None).rows, 1);
        push.join().unwrap();
        messages.clear();
        assert_eq!(queue.next(&mut messages, None), Job { rows: 2, is_last: false });
        assert_eq!(queue.take_dropped(), 0);
        queue.count_recorded(1);
        queue.count_dropped(1);
        assert_eq!(queue.stats(), HistoryStats { recorded: 1, dropped: 1, waiting: 1 });
    }

    #[test]
    fn the_last_job_has_what_was_pushed_before_the_close() {
        let queue = Queue::new(HistoryOverflow::Block);
        queue.push(b"last", 1);
        queue.close();
        let mut messages = Vec::new();
        assert_eq!(queue.next(&mut messages, None), Job { rows: 1, is_last: true });
        assert_eq!(messages, b"last");
    }

    #[test]
    fn a_job_is_empty_if_nothing_comes_in_time() {
        let queue = Queue::new(HistoryOverflow::Block);
        let job = queue.next(&mut Vec::new(), Some(Duration::from_millis(1)));
        assert_eq!(job, Job { rows: 0, is_last: false });
    }
}
