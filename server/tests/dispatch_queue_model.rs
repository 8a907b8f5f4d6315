//! The hand-over's sleep and wake protocol, in every order that its steps can come in.
//!
//! The very source of the hand-over runs here on atomics and a queue that hand control to the checker
//! at each step. A lost wake shows as a deadlock, an item that is lost or taken twice as a wrong count.
//! A push beside a worker that falls asleep is tried in all orders there are (`make torture`; `make test`
//! tries the first fifty thousand). With more of them there are more orders than anyone can try, and a
//! great many are picked at random, and others with few switches (PCT): `DISPATCH_SCHEDULES` says how many.

#![expect(
    clippy::unwrap_used,
    reason = "a poisoned lock or a worker's panic ends a test as it should"
)]

use std::{collections::VecDeque, env};

use shuttle::{
    check_dfs, check_pct, check_random,
    sync::{Arc, Condvar, Mutex},
    thread,
};

mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use std::sync::{Mutex, MutexGuard};

    use super::VecDeque;

    /// A bounded queue, each of whose operations is one step: what a lock-free one promises.
    #[derive(Debug)]
    pub(crate) struct ArrayQueue<T> {
        /// The step: the checker may switch before it, and not within what follows.
        step: AtomicUsize,
        items: Mutex<VecDeque<T>>,
        capacity: usize,
    }

    impl<T> ArrayQueue<T> {
        pub(crate) fn new(capacity: usize) -> Self {
            Self { step: AtomicUsize::new(0), items: Mutex::new(VecDeque::new()), capacity }
        }
        fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
            self.step.load(Ordering::SeqCst);
            self.items.lock().unwrap()
        }
        pub(crate) fn push(&self, item: T) -> Result<(), T> {
            let mut items = self.items();
            if items.len() == self.capacity {
                return Err(item);
            }
            items.push_back(item);
            Ok(())
        }
        pub(crate) fn pop(&self) -> Option<T> {
            self.items().pop_front()
        }
        pub(crate) fn len(&self) -> usize {
            self.items().len()
        }
        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }
}

#[path = "../src/shared/dispatch_queue.rs"]
#[expect(dead_code, reason = "not all of it is needed to check the protocol")]
mod dispatch_queue;

use dispatch_queue::{DispatchQueue, Wake};

/// A sleep that a wake ends, once.
#[derive(Clone, Debug)]
struct Bed(Arc<(Mutex<bool>, Condvar)>);

impl Bed {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn sleep(&self) {
        let (woken, bell) = &*self.0;
        let mut woken = woken.lock().unwrap();
        while !*woken {
            woken = bell.wait(woken).unwrap();
        }
        *woken = false;
    }
}

impl Wake for Bed {
    fn wake(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_one();
    }
}

type Queue = DispatchQueue<usize, Bed>;

/// What a worker does with the items that it takes.
#[derive(Clone, Copy)]
enum Habit {
    /// It has done with each at once.
    Finishes,
    /// It keeps all.
    Keeps,
    /// It keeps all, but finds at its second that it has too much to do, and hands that one back.
    HandsBack,
}

/// How many items have been taken, and not handed back.
struct Taken(Mutex<usize>, Condvar);

impl Taken {
    fn change(&self, change: impl FnOnce(&mut usize)) {
        change(&mut self.0.lock().unwrap());
        self.1.notify_all();
    }

    /// Waits until all are. The end wakes everyone, and would hide that someone slept beside an item.
    fn wait_for(&self, items: usize) {
        let mut taken = self.0.lock().unwrap();
        while *taken < items {
            taken = self.1.wait(taken).unwrap();
        }
    }
}

fn work(dispatch: &Queue, seat: usize, bed: &Bed, habit: Habit, taken: &Taken) {
    let mut seen = 0;
    loop {
        while let Some(item) = dispatch.take(seat) {
            seen += 1;
            taken.change(|taken| *taken += 1);
            match habit {
                Habit::Finishes => dispatch.release(seat),
                Habit::HandsBack if seen == 2 => {
                    dispatch.set_overloaded(seat, true);
                    // First, or it is counted twice for a moment.
                    taken.change(|taken| *taken -= 1);
                    if dispatch.requeue(seat, item).is_err() {
                        taken.change(|taken| *taken += 1);
                    }
                }
                Habit::Keeps | Habit::HandsBack => {}
            }
        }
        // As the worker does: its next look at the others' load.
        dispatch.set_overloaded(seat, false);
        if dispatch.is_drained() {
            return;
        }
        if dispatch.prepare_park(seat) {
            bed.sleep();
            dispatch.unpark(seat);
        }
    }
}

/// One pusher, and a worker for each habit: every item is taken once, and nobody sleeps for ever.
fn scenario(items: usize, capacity: usize, habits: &'static [Habit]) {
    let pusher = Bed::new();
    let beds: Vec<_> = habits.iter().map(|_| Bed::new()).collect();
    let dispatch = Arc::new(DispatchQueue::new(capacity, pusher.clone(), beds.clone()));
    let taken = Arc::new(Taken(Mutex::new(0), Condvar::new()));
    let workers: Vec<_> = beds
        .into_iter()
        .zip(habits)
        .enumerate()
        .map(|(seat, (bed, habit))| {
            let (dispatch, taken) = (Arc::clone(&dispatch), Arc::clone(&taken));
            thread::spawn(move || work(&dispatch, seat, &bed, *habit, &taken))
        })
        .collect();
    for mut item in 0..items {
        while let Err(back) = dispatch.push(item) {
            item = back;
            pusher.sleep();
        }
    }
    taken.wait_for(items);
    dispatch.close();
    for worker in workers {
        worker.join().unwrap();
    }
    taken.change(|taken| assert_eq!(*taken, items));
}

/// Of the orders of one push and one sleep, so many are enough for every test run; all of them are
/// tried where more schedules are asked for.
const QUICK_ORDERS: usize = 50_000;

fn asked_schedules() -> Option<usize> {
    env::var("DISPATCH_SCHEDULES").ok().map(|asked| asked.parse().expect("a number"))
}

fn schedules() -> usize {
    asked_schedules().unwrap_or(2_000)
}

/// At random, and with few switches at the worst moments.
fn in_many_orders(scenario: fn()) {
    check_random(scenario, schedules());
    check_pct(scenario, schedules(), 4);
}

/// The heart of it: a push beside a worker that falls asleep.
#[test]
fn a_push_beside_a_worker_that_falls_asleep() {
    let push_and_sleep = || {
        let bed = Bed::new();
        let dispatch = Arc::new(DispatchQueue::new(1, Bed::new(), [bed.clone()]));
        let pusher = {
            let dispatch = Arc::clone(&dispatch);
            thread::spawn(move || dispatch.push(7))
        };
        // It has just found nothing to take.
        while dispatch.prepare_park(0) {
            bed.sleep();
            dispatch.unpark(0);
        }
        assert_eq!(dispatch.take(0), Some(7));
        pusher.join().unwrap().unwrap();
    };
    check_dfs(push_and_sleep, asked_schedules().is_none().then_some(QUICK_ORDERS));
}

#[test]
fn the_pusher_is_woken_when_a_full_queue_has_room() {
    in_many_orders(|| scenario(4, 1, &[Habit::Finishes]));
    in_many_orders(|| scenario(5, 2, &[Habit::Finishes, Habit::Finishes]));
}

#[test]
fn workers_that_keep_what_they_take_share_it() {
    in_many_orders(|| scenario(4, 4, &[Habit::Keeps, Habit::Keeps]));
    in_many_orders(|| scenario(5, 2, &[Habit::Keeps, Habit::Keeps, Habit::Keeps]));
}

#[test]
fn what_is_handed_back_is_taken_again() {
    in_many_orders(|| scenario(4, 4, &[Habit::HandsBack, Habit::Keeps]));
    in_many_orders(|| scenario(4, 2, &[Habit::HandsBack, Habit::HandsBack]));
    in_many_orders(|| scenario(5, 1, &[Habit::HandsBack, Habit::Finishes, Habit::Keeps]));
}
