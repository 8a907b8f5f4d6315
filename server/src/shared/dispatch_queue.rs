//! The dispatch queue: a bounded queue from the acceptor to the workers, and the wakeups for it.
//!
//! It is the only way by which a connection changes threads. Its protocol loses no wakeup:
//!
//! - A worker that is about to sleep marks itself as parked ([`DispatchQueue::prepare_park`]) and *then* checks
//!   the queue once more; it sleeps only if the queue has no work for it.
//! - A producer pushes and *then* checks for a parked worker; it wakes the worker with the lowest load, if
//!   that worker is parked.
//!
//! One of the two steps comes first, so either the worker sees the item or the producer sees the parked
//! worker. A worker takes an item only while it has less than an even share of all connections, so that the
//! first worker that is awake does not take a whole burst. The worker with the lowest load has less than its
//! share while anything is queued; a worker that leaves items to others wakes that worker, and again
//! before it sleeps. So the last worker to park either takes the queued item or has woken one that will.
//!
//! An overloaded worker puts items back, and takes none while it is *overloaded*: then shares are those of
//! the other workers, unless all are overloaded. A worker that becomes overloaded wakes the least loaded
//! other worker for the queued items, and one that no longer is checks the queue before it sleeps, so the
//! argument holds. It holds for the first workers too, if only they *serve*: the others take nothing until the queue is closed. Who
//! changes their number wakes the least loaded of them for the queued items.
//!
//! The queue knows neither its items nor polls: a thread is something that can be woken.

use crossbeam::utils::CachePadded;

use super::sync::{
    ArrayQueue, AtomicBool, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

/// Wakes a thread.
pub(crate) trait Wake {
    /// Ends the present sleep of the thread, or its next one if it is awake.
    fn wake(&self);
}

impl<W: Wake> Wake for std::sync::Arc<W> {
    fn wake(&self) {
        (**self).wake();
    }
}

impl Wake for mio::Waker {
    fn wake(&self) {
        // An eventfd write fails only for a full counter, which wakes as well, or a closed
        // descriptor, which the waker owns.
        let _ = Self::wake(self);
    }
}

/// A queue from one producer to the workers, which may put items back.
#[derive(Debug)]
pub(crate) struct DispatchQueue<T, W> {
    queue: ArrayQueue<T>,
    workers: Box<[CachePadded<WorkerEntry<W>>]>,
    producer: W,
    /// The producer waits for room in the queue.
    producer_waits: AtomicBool,
    /// The producer pushes nothing more.
    closed: AtomicBool,
    /// Number of workers that take items: the first ones; at least one.
    serving: AtomicUsize,
}

/// The queue's view of one worker.
#[derive(Debug)]
struct WorkerEntry<W> {
    waker: W,
    /// The worker sleeps, or has yet to check the queue once more before it sleeps.
    parked: AtomicBool,
    /// Items that the worker has taken and not released.
    load: AtomicUsize,
    /// The worker takes nothing, whatever its load.
    overloaded: AtomicBool,
}

impl<T, W: Wake> DispatchQueue<T, W> {
    /// Creates a queue for `capacity` items from the thread that `producer` wakes to a worker for each of `wakers`.
    pub(crate) fn new(capacity: usize, producer: W, wakers: impl IntoIterator<Item = W>) -> Self {
        let entry = |waker| WorkerEntry {
            waker,
            parked: AtomicBool::new(false),
            load: AtomicUsize::new(0),
            overloaded: AtomicBool::new(false),
        };
        let workers: Box<[_]> =
            wakers.into_iter().map(|waker| CachePadded::new(entry(waker))).collect();
        Self {
            queue: ArrayQueue::new(capacity),
            serving: AtomicUsize::new(workers.len()),
            workers,
            producer,
            producer_waits: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Queues an item for a worker.
    ///
    /// # Errors
    ///
    /// Returns the item if the queue is full. The producer is woken when there is room again.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if let Err(item) = self.queue.push(item) {
            // Announce the wait, then try once more: room made in between wakes no producer.
            self.producer_waits.store(true, SeqCst);
            self.queue.push(item)?;
            self.producer_waits.store(false, SeqCst);
        }
        self.wake_least_loaded();
        Ok(())
    }

    /// Puts back an item that `worker` has taken, for another worker.
    ///
    /// # Errors
    ///
    /// Returns the item if the queue is full.
    pub(crate) fn requeue(&self, worker: usize, item: T) -> Result<(), T> {
        self.queue.push(item)?;
        self.release(worker);
        self.wake_least_loaded();
        Ok(())
    }

    /// Sets whether `worker` is overloaded and takes no more items.
    pub(crate) fn set_overloaded(&self, worker: usize, overloaded: bool) {
        let was = self.workers[worker].overloaded.swap(overloaded, SeqCst);
        // The queued items may have been for this worker until now.
        if overloaded && !was {
            self.wake_for_queued();
        }
    }

    /// Sets how many workers serve: this many of the first ones, at least one.
    pub(crate) fn set_serving(&self, workers: usize) {
        self.serving.store(workers.clamp(1, self.workers.len()), SeqCst);
        self.wake_for_queued();
    }

    /// Returns the number of workers that serve.
    pub(crate) fn serving(&self) -> usize {
        self.serving.load(SeqCst)
    }

    /// Returns whether `worker` serves and is not overloaded.
    pub(crate) fn is_accepting(&self, worker: usize) -> bool {
        worker < self.serving() && !self.workers[worker].overloaded.load(SeqCst)
    }

    /// Ends the pushing, and wakes all threads to see it. A worker that has not seen it yet may still put an
    /// item back; then that worker is still there to take it again.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.wake_all();
    }

    /// Returns whether every item that was ever pushed has been taken, and none will follow.
    pub(crate) fn is_drained(&self) -> bool {
        // In this order: a push precedes the close, or comes from a worker that checks again.
        self.closed.load(SeqCst) && self.queue.is_empty()
    }

    /// Wakes every worker and the producer.
    pub(crate) fn wake_all(&self) {
        self.workers.iter().for_each(|worker| worker.waker.wake());
        self.producer.wake();
    }

    /// Wakes a worker.
    #[cfg(feature = "admin")]
    pub(crate) fn wake(&self, worker: usize) {
        self.workers[worker].waker.wake();
    }

    /// Takes an item, if there is one and `worker` has less than its share.
    pub(crate) fn take(&self, worker: usize) -> Option<T> {
        if !self.has_work_for(worker) {
            // The worker that should take the item may sleep, and this one may be busy before it does.
            self.wake_for_queued();
            return None;
        }
        // The load first: counting an item twice for a moment only makes other workers readier to take.
        self.workers[worker].load.fetch_add(1, SeqCst);
        let item = self.queue.pop();
        if item.is_none() {
            self.workers[worker].load.fetch_sub(1, SeqCst);
            return None;
        }
        if self.producer_waits.load(SeqCst) && self.producer_waits.swap(false, SeqCst) {
            self.producer.wake();
        }
        // Other workers may be about to sleep because the queue was not drained when they checked.
        if self.is_drained() {
            self.wake_all();
        }
        item
    }

    /// Takes an item for no worker: for the cleanup after the workers have ended.
    pub(crate) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// Returns the number of queued items.
    #[cfg(feature = "admin")]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns the number of items that `worker` has taken and not released.
    #[cfg(feature = "admin")]
    pub(crate) fn load_of(&self, worker: usize) -> usize {
        self.workers[worker].load.load(SeqCst)
    }

    /// Releases an item that `worker` took.
    pub(crate) fn release(&self, worker: usize) {
        self.workers[worker].load.fetch_sub(1, SeqCst);
    }

    /// Marks `worker` as parked, right before it sleeps. Returns false if it must not sleep, because there
    /// is work for it.
    #[must_use]
    pub(crate) fn prepare_park(&self, worker: usize) -> bool {
        self.workers[worker].parked.store(true, SeqCst);
        if self.has_work_for(worker) {
            self.unpark(worker);
            return false;
        }
        self.wake_for_queued();
        true
    }

    /// Marks `worker` as awake, right after it slept.
    pub(crate) fn unpark(&self, worker: usize) {
        self.workers[worker].parked.store(false, Relaxed);
    }

    /// Returns whether an item is queued that `worker` should take.
    pub(crate) fn has_work_for(&self, worker: usize) -> bool {
        // The common case costs one load.
        let queued = self.queue.len();
        if queued == 0 {
            return false;
        }
        // Near the end the other workers may be gone, so shares no longer count.
        if self.closed.load(SeqCst) {
            return true;
        }
        let serving = &self.workers[..self.serving()];
        let Some(worker) = serving.get(worker) else { return false };
        // If all workers that serve are overloaded, all of them accept items.
        let all_overloaded = serving.iter().all(|worker| worker.overloaded.load(SeqCst));
        let accepts = |worker: &WorkerEntry<W>| all_overloaded || !worker.overloaded.load(SeqCst);
        if !accepts(worker) {
            return false;
        }
        // At least this worker accepts: only the worker itself changes whether it is overloaded.
        let (mut accepting, mut loads) = (0, queued);
        for worker in serving.iter().filter(|worker| accepts(worker)) {
            accepting += 1;
            loads += worker.load.load(SeqCst);
        }
        worker.load.load(SeqCst) < loads.div_ceil(accepting)
    }

    /// Wakes the worker that should take the queued items, if there are any.
    fn wake_for_queued(&self) {
        if !self.queue.is_empty() {
            self.wake_least_loaded();
        }
    }

    fn wake_least_loaded(&self) {
        // An overloaded worker is chosen only if all are.
        let key = |worker: &&CachePadded<WorkerEntry<W>>| {
            (worker.overloaded.load(SeqCst), worker.load.load(SeqCst))
        };
        let least = self.workers[..self.serving()].iter().min_by_key(key);
        let least = least.expect("a server has at least one worker");
        if least.parked.swap(false, SeqCst) {
            least.waker.wake();
        }
    }
}
