//! The records that wait for the writer: bounded, and who waits when there is no more room.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Overflow;
use crate::config::limits::{LOG_EAGER, LOG_GATHER, LOG_PENDING, LOG_STUCK};

/// What stands between the threads that log and the one that writes.
#[derive(Debug)]
pub(super) struct LogQueue {
    overflow: Overflow,
    state: Mutex<State>,
    /// The writer waits here for something to write.
    for_writer: Condvar,
    /// The others wait here for room, or for the writer's end.
    for_others: Condvar,
}

#[derive(Debug)]
struct State {
    pending: String,
    /// Records that were not written, for want of room or of a sink that takes them.
    dropped: u64,
    writer: Activity,
    reopen: bool,
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Asleep until it is called.
    Idle,
    /// Called; it lets more gather for a moment.
    Gathering,
    /// Writing; the sink last took something, or was first offered it, at this time.
    Writing(Instant),
    /// Closed, and everything is written.
    Finished,
}

/// What the writer is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Open the file anew before writing.
    pub(super) reopen: bool,
    /// Nothing will follow.
    pub(super) last: bool,
}

impl State {
    /// How much longer to wait for the sink to move; `None` for one that is stuck.
    fn budget(&self) -> Option<Duration> {
        match self.writer {
            Activity::Writing(since) => {
                LOG_STUCK.checked_sub(since.elapsed()).filter(|left| !left.is_zero())
            }
            Activity::Idle | Activity::Gathering | Activity::Finished => Some(LOG_STUCK),
        }
    }

    fn is_urgent(&self) -> bool {
        self.pending.len() >= LOG_EAGER || self.closing || self.reopen
    }
}

impl LogQueue {
    pub(super) fn new(overflow: Overflow) -> Self {
        let state = State {
            pending: String::new(),
            dropped: 0,
            writer: Activity::Idle,
            reopen: false,
            closing: false,
        };
        Self {
            overflow,
            state: Mutex::new(state),
            for_writer: Condvar::new(),
            for_others: Condvar::new(),
        }
    }

    /// Adds records, each a line. Waits for room as long as the sink is merely slow; if it is stuck,
    /// or waiting was ruled out, they are dropped and counted.
    pub(super) fn push(&self, lines: &str, records: u64) {
        let mut state = self.lock();
        while state.pending.len() + lines.len() > LOG_PENDING && !state.pending.is_empty() {
            let budget = match self.overflow {
                Overflow::Block => state.budget(),
                Overflow::Drop => None,
            };
            let Some(budget) = budget else {
                state.dropped += records;
                return;
            };
            state = wait_at_most(&self.for_others, state, budget);
        }
        state.pending.push_str(lines);
        match state.writer {
            Activity::Idle => state.writer = Activity::Gathering,
            Activity::Gathering if state.is_urgent() => {}
            _ => return,
        }
        // Unlocked first, or the writer would wake only to wait for the lock.
        drop(state);
        self.for_writer.notify_one();
    }

    pub(super) fn count_dropped(&self, records: u64) {
        self.lock().dropped += records;
    }

    /// For the writer, when it has just written: how many records were dropped, as yet unsaid.
    pub(super) fn take_dropped(&self) -> u64 {
        mem::take(&mut self.lock().dropped)
    }

    pub(super) fn ask_to_reopen(&self) {
        self.lock().reopen = true;
        self.for_writer.notify_one();
    }

    /// Has everything written. Says whether that is done; it is not if the sink is stuck.
    pub(super) fn close(&self) -> bool {
        let mut state = self.lock();
        state.closing = true;
        self.for_writer.notify_one();
        while state.writer != Activity::Finished {
            let Some(budget) = state.budget() else {
                return false;
            };
            state = wait_at_most(&self.for_others, state, budget);
        }
        true
    }

    /// For the writer: waits for something to write, lets it gather, and swaps it for `written`,
    /// which must be empty.
    pub(super) fn next(&self, written: &mut String) -> Job {
        debug_assert!(written.is_empty());
        let mut state = self.lock();
        if state.pending.is_empty() && !state.is_urgent() {
            state.writer = Activity::Idle;
            // Whatever calls the writer makes one of these true; until then it uses no CPU at all.
            while state.pending.is_empty() && !state.is_urgent() {
                state = self.for_writer.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if !state.is_urgent() {
            state.writer = Activity::Gathering;
            let gathered =
                self.for_writer.wait_timeout_while(state, LOG_GATHER, |state| !state.is_urgent());
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        mem::swap(&mut state.pending, written);
        state.writer = Activity::Writing(Instant::now());
        self.for_others.notify_all();
        Job { reopen: mem::take(&mut state.reopen), last: state.closing }
    }

    /// For the writer: the sink has taken something.
    pub(super) fn moved(&self) {
        self.lock().writer = Activity::Writing(Instant::now());
    }

    /// For the writer: after its last job.
    pub(super) fn finish(&self) {
        self.lock().writer = Activity::Finished;
        self.for_others.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait_at_most<'a>(
    bell: &Condvar,
    state: MutexGuard<'a, State>,
    most: Duration,
) -> MutexGuard<'a, State> {
    bell.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    /// A line so long that one more does not fit behind it.
    fn half_and_a_bit() -> String {
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
    fn what_is_pushed_is_what_the_writer_gets() {
        let queue = LogQueue::new(Overflow::Block);
        queue.push("one\n", 1);
        queue.push("two\nthree\n", 2);
        let mut lines = String::new();
        assert_eq!(queue.next(&mut lines), Job { reopen: false, last: false });
        assert_eq!(lines, "one\ntwo\nthree\n");
        assert_eq!(queue.take_dropped(), 0);
    }

    #[test]
    fn a_stuck_sink_costs_records_and_no_time() {
        let queue = in_state(Overflow::Block, Activity::Writing(long_ago()));
        queue.push(&half_and_a_bit(), 1);
        queue.push(&half_and_a_bit(), 7);
        assert_eq!((queue.take_dropped(), queue.take_dropped()), (7, 0));
        assert!(!queue.close(), "nobody waits for it at the end either");
    }

    #[test]
    fn with_drop_nobody_waits_even_for_a_sink_that_moves() {
        let queue = in_state(Overflow::Drop, Activity::Writing(Instant::now()));
        queue.push(&half_and_a_bit(), 1);
        queue.push(&half_and_a_bit(), 7);
        assert_eq!(queue.take_dropped(), 7);
    }

    #[test]
    fn a_slow_sink_is_waited_for() {
        let queue = Arc::new(in_state(Overflow::Block, Activity::Writing(Instant::now())));
        queue.push(&half_and_a_bit(), 1);
        let pusher = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(&half_and_a_bit(), 1)
        });
        // Whether the pusher waits already or comes later, its lines are in the second job.
        let mut lines = String::new();
        queue.next(&mut lines);
        assert_eq!(lines.len(), LOG_PENDING / 2 + 1);
        pusher.join().unwrap();
        lines.clear();
        queue.next(&mut lines);
        assert_eq!(lines.len(), LOG_PENDING / 2 + 1);
        assert_eq!(queue.take_dropped(), 0);
    }

    #[test]
    fn closing_waits_until_everything_is_written() {
        let queue = Arc::new(LogQueue::new(Overflow::Block));
        queue.push("last words\n", 1);
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
        assert_eq!(writer.join().unwrap(), "last words\n");
    }
}
