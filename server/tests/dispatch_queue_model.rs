//! Model check of the dispatch queue: its park and wake protocol in every order of its steps.
//!
//! The source of the dispatch queue is compiled here with atomics and a queue that return control to the checker
//! at each step. A lost wakeup shows as a deadlock, an item that is lost or taken twice as a wrong count. A push
//! beside a worker that parks runs in all orders (`make torture`; `make test` runs the first fifty thousand).
//! With more threads there are too many orders, so the checker runs random ones, and random ones with few
//! switches (PCT). `DISPATCH_SCHEDULES` sets their number.

#![expect(clippy::unwrap_used, reason = "a poisoned lock or a worker's panic fails the test")]

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

    /// A bounded queue whose operations are one step each, like those of a lock-free queue.
    #[derive(Debug)]
    pub(crate) struct ArrayQueue<T> {
        /// Loaded at each step: the checker may switch threads before the load, and not after it.
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
#[expect(dead_code, reason = "the check does not use every function")]
mod dispatch_queue;

use dispatch_queue::{DispatchQueue, Wake};

/// Parks a thread until it is woken; one wake ends one park.
#[derive(Clone, Debug)]
struct Parker(Arc<(Mutex<bool>, Condvar)>);

impl Parker {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn park(&self) {
        let (woken, condvar) = &*self.0;
        let mut woken = woken.lock().unwrap();
        while !*woken {
            woken = condvar.wait(woken).unwrap();
        }
        *woken = false;
    }
}

impl Wake for Parker {
    fn wake(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_one();
    }
}

type Queue = DispatchQueue<usize, Parker>;

/// Behaviour of a worker with the items that it takes.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Releases each immediately.
    Releases,
    /// Keeps all.
    Keeps,
    /// Becomes overloaded by its second item and requeues it; keeps the others.
    Requeues,
    /// Lets only the first worker serve from its first item on, and all workers from its second one on; keeps all.
    Consolidates,
}

/// Number of items that have been taken and not requeued.
struct Taken(Mutex<usize>, Condvar);

impl Taken {
    fn change(&self, change: impl FnOnce(&mut usize)) {
        change(&mut self.0.lock().unwrap());
        self.1.notify_all();
    }

    /// Waits until this many items are taken. The close comes later, because it wakes every worker and would
    /// hide that one was parked beside an item.
    fn wait_for(&self, items: usize) {
        let mut taken = self.0.lock().unwrap();
        while *taken < items {
            taken = self.1.wait(taken).unwrap();
        }
    }
}

fn work(dispatch: &Queue, worker: usize, parker: &Parker, behaviour: Behaviour, taken: &Taken) {
    let mut count = 0;
    loop {
        while let Some(item) = dispatch.take(worker) {
            count += 1;
            taken.change(|taken| *taken += 1);
            match behaviour {
                Behaviour::Releases => dispatch.release(worker),
                Behaviour::Requeues if count == 2 => {
                    dispatch.set_overloaded(worker, true);
                    // Before the requeue, or the item would be counted twice for a moment.
                    taken.change(|taken| *taken -= 1);
                    if dispatch.requeue(worker, item).is_err() {
                        taken.change(|taken| *taken += 1);
                    }
                }
                Behaviour::Consolidates if count <= 2 => {
                    dispatch.set_serving(if count == 1 { 1 } else { usize::MAX });
                }
                Behaviour::Keeps | Behaviour::Requeues | Behaviour::Consolidates => {}
            }
        }
        // As at the next check of a worker's rebalancer.
        dispatch.set_overloaded(worker, false);
        if dispatch.is_drained() {
            return;
        }
        if dispatch.prepare_park(worker) {
            parker.park();
            dispatch.unpark(worker);
        }
    }
}

/// Runs one producer and a worker for each behaviour: every item is taken once, and no thread parks forever.
fn scenario(items: usize, capacity: usize, behaviours: &'static [Behaviour]) {
    let producer = Parker::new();
    let parkers: Vec<_> = behaviours.iter().map(|_| Parker::new()).collect();
    let dispatch = Arc::new(DispatchQueue::new(capacity, producer.clone(), parkers.clone()));
    let taken = Arc::new(Taken(Mutex::new(0), Condvar::new()));
    let workers: Vec<_> = parkers
        .into_iter()
        .zip(behaviours)
        .enumerate()
        .map(|(worker, (parker, behaviour))| {
            let (dispatch, taken) = (Arc::clone(&dispatch), Arc::clone(&taken));
            thread::spawn(move || work(&dispatch, worker, &parker, *behaviour, &taken))
        })
        .collect();
    for mut item in 0..items {
        while let Err(returned) = dispatch.push(item) {
            item = returned;
            producer.park();
        }
    }
    taken.wait_for(items);
    dispatch.close();
    for worker in workers {
        worker.join().unwrap();
    }
    taken.change(|taken| assert_eq!(*taken, items));
}

/// Maximum orders of one push and one park in every test run. With `DISPATCH_SCHEDULES` all orders run.
const QUICK_ORDERS: usize = 50_000;

fn requested_schedules() -> Option<usize> {
    let requested = env::var("DISPATCH_SCHEDULES").ok()?;
    Some(requested.parse().expect("DISPATCH_SCHEDULES is a number"))
}

fn schedules() -> usize {
    requested_schedules().unwrap_or(2_000)
}

/// Checks random orders, and random orders with few switches (PCT).
fn check_many_orders(scenario: fn()) {
    check_random(scenario, schedules());
    check_pct(scenario, schedules(), 4);
}

#[test]
fn a_push_beside_a_worker_that_parks_loses_no_wakeup() {
    let push_and_park = || {
        let parker = Parker::new();
        let dispatch = Arc::new(DispatchQueue::new(1, Parker::new(), [parker.clone()]));
        let producer = {
            let dispatch = Arc::clone(&dispatch);
            thread::spawn(move || dispatch.push(7))
        };
        // The worker has just found nothing to take.
        while dispatch.prepare_park(0) {
            parker.park();
            dispatch.unpark(0);
        }
        assert_eq!(dispatch.take(0), Some(7));
        producer.join().unwrap().unwrap();
    };
    check_dfs(push_and_park, requested_schedules().is_none().then_some(QUICK_ORDERS));
}

#[test]
fn the_producer_is_woken_when_a_full_queue_has_room() {
    check_many_orders(|| scenario(4, 1, &[Behaviour::Releases]));
    check_many_orders(|| scenario(5, 2, &[Behaviour::Releases, Behaviour::Releases]));
}

#[test]
fn workers_that_keep_their_items_share_them() {
    check_many_orders(|| scenario(4, 4, &[Behaviour::Keeps, Behaviour::Keeps]));
    check_many_orders(|| scenario(5, 2, &[Behaviour::Keeps, Behaviour::Keeps, Behaviour::Keeps]));
}

#[test]
fn a_requeued_item_is_taken_again() {
    check_many_orders(|| scenario(4, 4, &[Behaviour::Requeues, Behaviour::Keeps]));
    check_many_orders(|| scenario(4, 2, &[Behaviour::Requeues, Behaviour::Requeues]));
    check_many_orders(|| {
        scenario(5, 1, &[Behaviour::Requeues, Behaviour::Releases, Behaviour::Keeps]);
    });
}

#[test]
fn a_change_of_the_workers_that_serve_loses_no_wakeup() {
    check_many_orders(|| scenario(4, 4, &[Behaviour::Keeps, Behaviour::Consolidates]));
    check_many_orders(|| scenario(5, 2, &[Behaviour::Consolidates, Behaviour::Requeues]));
    check_many_orders(|| {
        scenario(5, 1, &[Behaviour::Releases, Behaviour::Keeps, Behaviour::Consolidates]);
    });
}
