//! The mailbox of a worker: a bounded queue from all workers to one, and its wakeup.
//!
//! No wakeup is lost, in either direction:
//!
//! - A sender puts a message into the queue and *then* sets the signal; it wakes the receiver if the signal was not set. The
//!   receiver clears the signal and *then* takes messages. So either the receiver takes the message, or it is woken after it.
//! - A sender that finds the queue full announces that it waits, and *then* looks once more. The receiver takes messages and
//!   *then* looks for the announcement. So either the sender finds room, or the receiver tells it.
//!
//! `tests/mailbox_model.rs` runs this file with threads in every order of their steps.

use super::sync::{AtomicBool, AtomicUsize, Ordering::SeqCst, SegQueue};

/// Wakes a thread.
pub(crate) trait Wake {
    /// Ends the present sleep of the thread, or its next one if it is awake.
    fn wake(&self);
}

/// A bounded queue to one worker.
#[derive(Debug)]
pub(crate) struct Mailbox<M, W> {
    queue: SegQueue<(usize, M)>,
    /// Total weight of the messages in the queue.
    weight: AtomicUsize,
    max: usize,
    /// The receiver is awake or will wake, and takes everything that is in the queue.
    is_signalled: AtomicBool,
    /// A sender waits for room.
    is_awaited: AtomicBool,
    waker: W,
}

impl<M, W: Wake> Mailbox<M, W> {
    /// Creates the mailbox of the worker that `waker` wakes, for messages of this total weight.
    pub(crate) fn new(max: usize, waker: W) -> Self {
        Self {
            queue: SegQueue::new(),
            weight: AtomicUsize::new(0),
            max,
            is_signalled: AtomicBool::new(false),
            is_awaited: AtomicBool::new(false),
            waker,
        }
    }

    /// Sends a message, unless the mailbox is full. Senders at the same time may exceed the limit, by one message each.
    ///
    /// # Errors
    ///
    /// The message, if the mailbox is full. The sender never waits.
    pub(crate) fn send(&self, weight: usize, message: M) -> Result<(), M> {
        if self.is_full() {
            return Err(message);
        }
        self.force(weight, message);
        Ok(())
    }

    /// Sends a message whatever the queue holds. The number of such messages must have another bound.
    pub(crate) fn force(&self, weight: usize, message: M) {
        self.weight.fetch_add(weight, SeqCst);
        self.queue.push((weight, message));
        self.signal();
    }

    /// Makes the receiver look at the mailbox.
    pub(crate) fn signal(&self) {
        if !self.is_signalled.swap(true, SeqCst) {
            self.waker.wake();
        }
    }

    /// Returns whether the receiver has to take messages.
    pub(crate) fn is_signalled(&self) -> bool {
        self.is_signalled.load(SeqCst)
    }

    /// Begins to take messages. All that are sent from now on signal again.
    pub(crate) fn begin(&self) {
        self.is_signalled.store(false, SeqCst);
    }

    /// Takes the first message.
    pub(crate) fn take(&self) -> Option<M> {
        let (weight, message) = self.queue.pop()?;
        self.weight.fetch_sub(weight, SeqCst);
        Some(message)
    }

    /// Returns the total weight of the messages in the queue.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(SeqCst)
    }

    fn is_full(&self) -> bool {
        self.weight.load(SeqCst) >= self.max
    }

    /// Returns whether the mailbox has room. If not, [`end_wait`](Self::end_wait) tells its receiver later that the sender waits.
    pub(crate) fn has_room_or_wait(&self) -> bool {
        if !self.is_full() {
            return true;
        }
        self.is_awaited.store(true, SeqCst);
        !self.is_full()
    }

    /// Returns whether a sender waits and there is room again. The receiver calls this after it has taken messages, and then
    /// signals the senders.
    pub(crate) fn end_wait(&self) -> bool {
        self.is_awaited.load(SeqCst) && !self.is_full() && self.is_awaited.swap(false, SeqCst)
    }
}
