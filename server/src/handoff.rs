//! The only way a connection changes hands: a bounded queue, and who is woken to look at it.
//!
//! Each worker has a *seat*. The protocol that loses no wake:
//!
//! - A worker that is about to sleep says so ([`Handoff::fall_asleep`]) and *then* looks at the queue
//!   once more; only if there is nothing for it does it sleep.
//! - A pusher pushes and *then* looks for who sleeps; it wakes the seat with the lightest load, and
//!   only if that one sleeps.
//!
//! Of two such steps one comes first, so either the worker sees the item or the pusher sees the
//! sleeper. A worker takes only while it has less than an even share of all connections, so that no
//! eager one collects them all. The seat with the lightest load always has less than its share while
//! anything waits; a worker that leaves items to others wakes that seat, and once more before it
//! sleeps. So the last worker to fall asleep either takes what waits or has woken one that will.
//!
//! A worker that has more to do than it can hands items back, and is *full* for a while: it takes
//! nothing, and shares are those of the others, unless all are full. Whoever becomes full wakes the
//! lightest other seat for what waits, and whoever no longer is looks at the queue before it sleeps,
//! so the argument stands.
//!
//! It knows nothing of what it hands over, and nothing of polls: only of something to wake.

use crossbeam::utils::CachePadded;

use super::sync::{
    ArrayQueue, AtomicBool, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

/// Makes a sleeper look around.
pub(crate) trait Wake {
    /// Makes the sleeper's present sleep, or if it does not sleep its next one, end at once.
    fn wake(&self);
}

impl Wake for mio::Waker {
    fn wake(&self) {
        // An eventfd write fails only for a full counter, which wakes as well, or a closed
        // descriptor, which the waker owns.
        let _ = Self::wake(self);
    }
}

/// The queue between one pusher and the seats that drain it, and may hand back.
#[derive(Debug)]
pub(crate) struct Handoff<T, W> {
    queue: ArrayQueue<T>,
    seats: Box<[CachePadded<Seat<W>>]>,
    pusher: W,
    /// The pusher waits for room.
    pusher_waits: AtomicBool,
    /// The pusher will push nothing any more.
    closed: AtomicBool,
}

#[derive(Debug)]
struct Seat<W> {
    waker: W,
    /// Says that its worker sleeps, or is about to and has yet to look at the queue once more.
    asleep: AtomicBool,
    /// Items that its worker has taken and not yet let go.
    load: AtomicUsize,
    /// Its worker has enough to do, whatever its load.
    full: AtomicBool,
}

impl<T, W: Wake> Handoff<T, W> {
    /// A queue for `capacity` items between the one that `pusher` wakes and a seat for each of `wakers`.
    pub(crate) fn new(capacity: usize, pusher: W, wakers: impl IntoIterator<Item = W>) -> Self {
        let seat = |waker| Seat {
            waker,
            asleep: AtomicBool::new(false),
            load: AtomicUsize::new(0),
            full: AtomicBool::new(false),
        };
        Self {
            queue: ArrayQueue::new(capacity),
            seats: wakers.into_iter().map(|waker| CachePadded::new(seat(waker))).collect(),
            pusher,
            pusher_waits: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Hands an item to whoever has room for it.
    ///
    /// # Errors
    ///
    /// Gives the item back if the queue is full. The pusher is woken when there is room again.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if let Err(item) = self.queue.push(item) {
            // Say that we wait, then try once more: room made in between wakes nobody.
            self.pusher_waits.store(true, SeqCst);
            self.queue.push(item)?;
            self.pusher_waits.store(false, SeqCst);
        }
        self.wake_lightest();
        Ok(())
    }

    /// Hands back an item that `seat` has taken, for another seat to take.
    ///
    /// # Errors
    ///
    /// Gives the item back, to keep, if the queue is full.
    pub(crate) fn hand_back(&self, seat: usize, item: T) -> Result<(), T> {
        self.queue.push(item)?;
        self.let_go(seat);
        self.wake_lightest();
        Ok(())
    }

    /// Says whether `seat` has so much to do that it is to take nothing more, whatever its load.
    pub(crate) fn set_full(&self, seat: usize, full: bool) {
        let was = self.seats[seat].full.swap(full, SeqCst);
        // What waits may have been for this seat until now.
        if full && !was {
            self.leave_to_others();
        }
    }

    /// Says that nothing will be pushed any more, and wakes everyone to see it. A worker that has not
    /// seen it yet may still hand something back; then it is still there to take it itself.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.wake_all();
    }

    /// Whether everything that was ever pushed has been taken, and nothing will follow.
    pub(crate) fn is_drained(&self) -> bool {
        // In this order: a push comes before the close, or from one who will look again.
        self.closed.load(SeqCst) && self.queue.is_empty()
    }

    /// Makes every seat and the pusher look around.
    pub(crate) fn wake_all(&self) {
        self.seats.iter().for_each(|seat| seat.waker.wake());
        self.pusher.wake();
    }

    /// Takes an item, if there is one and `seat` has less than its share.
    pub(crate) fn take(&self, seat: usize) -> Option<T> {
        if !self.is_for(seat) {
            // Whose it is may sleep, and we may have much to do before we do.
            self.leave_to_others();
            return None;
        }
        // The load first: counted twice for a moment makes others only readier to take.
        self.seats[seat].load.fetch_add(1, SeqCst);
        let item = self.queue.pop();
        if item.is_none() {
            self.seats[seat].load.fetch_sub(1, SeqCst);
            return None;
        }
        if self.pusher_waits.load(SeqCst) && self.pusher_waits.swap(false, SeqCst) {
            self.pusher.wake();
        }
        // Others may be about to sleep because it was not drained when they looked.
        if self.is_drained() {
            self.wake_all();
        }
        item
    }

    /// Takes an item for nobody: for whoever clears up behind the workers.
    pub(crate) fn take_any(&self) -> Option<T> {
        self.queue.pop()
    }

    /// Says that an item which `seat` took is gone.
    pub(crate) fn let_go(&self, seat: usize) {
        self.seats[seat].load.fetch_sub(1, SeqCst);
    }

    /// To be called right before sleeping. `false`: there is something to take, do not sleep.
    #[must_use]
    pub(crate) fn fall_asleep(&self, seat: usize) -> bool {
        self.seats[seat].asleep.store(true, SeqCst);
        if self.is_for(seat) {
            self.woke(seat);
            return false;
        }
        self.leave_to_others();
        true
    }

    /// To be called right after sleeping, whatever ended the sleep.
    pub(crate) fn woke(&self, seat: usize) {
        self.seats[seat].asleep.store(false, Relaxed);
    }

    /// Whether something waits that `seat` should take.
    pub(crate) fn is_for(&self, seat: usize) -> bool {
        // The common case costs one look.
        let waiting = self.queue.len();
        if waiting == 0 {
            return false;
        }
        // Near the end others may have gone, and would leave it for ever.
        if self.closed.load(SeqCst) {
            return true;
        }
        // If all are full, all share.
        let all_full = self.seats.iter().all(|seat| seat.full.load(SeqCst));
        let is_open = |seat: &Seat<W>| all_full || !seat.full.load(SeqCst);
        let seat = &self.seats[seat];
        if !is_open(seat) {
            return false;
        }
        // At least this one is open: nobody but its worker says whether it is full.
        let (mut open, mut loads) = (0, waiting);
        for seat in self.seats.iter().filter(|seat| is_open(seat)) {
            open += 1;
            loads += seat.load.load(SeqCst);
        }
        seat.load.load(SeqCst) < loads.div_ceil(open)
    }

    /// Wakes whoever should take what waits, if anything does.
    fn leave_to_others(&self) {
        if !self.queue.is_empty() {
            self.wake_lightest();
        }
    }

    fn wake_lightest(&self) {
        // One that is full only if all are.
        let key = |seat: &&CachePadded<Seat<W>>| (seat.full.load(SeqCst), seat.load.load(SeqCst));
        let lightest = self.seats.iter().min_by_key(key);
        let lightest = lightest.expect("there is a seat for every worker, and at least one worker");
        if lightest.asleep.swap(false, SeqCst) {
            lightest.waker.wake();
        }
    }
}
