//! Messages to workers: a bounded queue for each.
//!
//! A worker receives its messages when it is woken. Connections do not travel this way: any worker may take those, from
//! the dispatch queue.

use crossbeam::channel::{Receiver, Sender, unbounded};

#[cfg(feature = "admin")]
use super::listing::ListRequest;
use crate::{config::limits, udp::UdpEchoSocket};

/// A message to one worker.
#[derive(Debug)]
pub(crate) enum WorkerMessage {
    /// Serve this socket of a new UDP listener.
    OpenUdp(Box<UdpEchoSocket>),
    /// List some connections.
    #[cfg(feature = "admin")]
    List(Box<ListRequest>),
}

/// The sending ends of all queues.
#[derive(Debug)]
pub(crate) struct WorkerMessages<M>(Box<[Sender<M>]>);

/// The receiving end of one worker. Dropping it drops the messages in the queue, and all later ones.
pub(crate) type MessageReceiver = Receiver<WorkerMessage>;

/// The queue of a worker is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<M> WorkerMessages<M> {
    /// Creates a queue for each worker.
    pub(super) fn new(workers: usize) -> (Self, Vec<Receiver<M>>) {
        // Bounded in `send`: a bounded channel takes all of its memory at once.
        let queues = (0..workers).map(|_| unbounded());
        let (senders, receivers): (Vec<_>, _) = queues.unzip();
        (Self(senders.into()), receivers)
    }

    /// Sends a message to a worker, which must be woken afterwards. A message to a worker that has ended is dropped.
    /// Senders at the same time may exceed the limit, by one message each.
    ///
    /// # Errors
    ///
    /// If the queue is full. The sender never waits: a worker must not wait for another one.
    pub(crate) fn send(&self, worker: usize, message: M) -> Result<(), Full> {
        let queue = &self.0[worker];
        if queue.len() >= limits::WORKER_MESSAGES {
            return Err(Full);
        }
        // It fails if the worker has ended.
        let _ = queue.send(message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_full_queue_refuses_a_message_and_another_queue_takes_it() {
        let (messages, receivers) = WorkerMessages::new(2);
        for number in 0..limits::WORKER_MESSAGES {
            assert_eq!(messages.send(0, number), Ok(()));
        }
        assert_eq!(messages.send(0, 0), Err(Full));
        assert_eq!(messages.send(1, 0), Ok(()));
        receivers[0].try_recv().unwrap();
        assert_eq!(messages.send(0, 0), Ok(()));
    }

    #[test]
    fn the_messages_of_a_worker_that_has_ended_are_dropped() {
        let message = Arc::new(());
        let (messages, mut receivers) = WorkerMessages::new(1);
        assert_eq!(messages.send(0, Arc::clone(&message)), Ok(()));
        receivers.clear();
        assert_eq!(Arc::strong_count(&message), 1, "those in the queue are dropped");
        assert_eq!(messages.send(0, Arc::clone(&message)), Ok(()));
        assert_eq!(Arc::strong_count(&message), 1);
    }
}
