//! The dispatch queue with threads, and without sockets. These tests are not in `dispatch_queue.rs`, because
//! that file is also compiled with other atomics, to check its protocol in every order
//! (`tests/dispatch_queue_model.rs`).

use std::{
    collections::HashSet,
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::dispatch_queue::{DispatchQueue, Wake};

/// Parks a thread until it is woken; one wake ends one park.
#[derive(Clone, Default)]
struct Parker(Arc<(Mutex<bool>, Condvar)>);

impl Parker {
    fn park(&self) {
        let (woken, condvar) = &*self.0;
        let mut woken = condvar.wait_while(woken.lock().unwrap(), |woken| !*woken).unwrap();
        *woken = false;
    }

    /// Returns whether there was a wake since the last call.
    fn was_woken(&self) -> bool {
        std::mem::take(&mut *self.0.0.lock().unwrap())
    }
}

impl Wake for Parker {
    fn wake(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_one();
    }
}

fn parkers(workers: usize) -> Vec<Parker> {
    (0..workers).map(|_| Parker::default()).collect()
}

#[test]
fn a_worker_takes_at_most_an_even_share() {
    let dispatch = DispatchQueue::new(8, Parker::default(), parkers(2));
    (0..6).for_each(|item| dispatch.push(item).unwrap());
    let taken: Vec<_> = std::iter::from_fn(|| dispatch.take(0)).collect();
    assert_eq!(taken, [0, 1, 2]);
    assert_eq!(std::iter::from_fn(|| dispatch.take(1)).count(), 3);
    (0..3).for_each(|_| dispatch.release(1));
    dispatch.push(6).unwrap();
    assert_eq!((dispatch.take(0), dispatch.take(1)), (None, Some(6)));
}

#[test]
fn a_push_wakes_the_least_loaded_parked_worker_once() {
    let parkers = parkers(2);
    let dispatch = DispatchQueue::new(8, Parker::default(), parkers.clone());
    dispatch.push(1).unwrap();
    assert_eq!(dispatch.take(0), Some(1));
    assert!(dispatch.prepare_park(0) && dispatch.prepare_park(1));
    dispatch.push(2).unwrap();
    assert_eq!((parkers[0].was_woken(), parkers[1].was_woken()), (false, true));
    dispatch.push(3).unwrap();
    assert!(!parkers[0].was_woken() && !parkers[1].was_woken(), "worker 1 is awake already");
}

#[test]
fn another_worker_takes_a_requeued_item_whatever_its_load() {
    let parkers = parkers(2);
    let dispatch = DispatchQueue::new(8, Parker::default(), parkers.clone());
    (0..4).for_each(|item| dispatch.push(item).unwrap());
    let mut first = [(); 2].map(|()| dispatch.take(0).unwrap());
    assert_eq!([(); 2].map(|()| dispatch.take(1).unwrap()), [2, 3]);
    assert!(dispatch.prepare_park(1));
    dispatch.set_overloaded(0, true);
    for item in &mut first {
        dispatch.requeue(0, *item).unwrap();
    }
    assert!(parkers[1].was_woken());
    assert_eq!((dispatch.take(0), dispatch.take(1), dispatch.take(1)), (None, Some(0), Some(1)));
    dispatch.set_overloaded(1, true);
    dispatch.push(4).unwrap();
    assert_eq!((dispatch.take(1), dispatch.take(0)), (None, Some(4)), "all are overloaded");
}

#[test]
fn a_worker_that_becomes_overloaded_wakes_another_for_the_queued_items() {
    let parkers = parkers(2);
    let dispatch = DispatchQueue::new(8, Parker::default(), parkers.clone());
    dispatch.push(1).unwrap();
    assert_eq!(dispatch.take(1), Some(1));
    assert!(dispatch.prepare_park(1));
    dispatch.push(2).unwrap();
    assert!(!parkers[1].was_woken(), "worker 0 has less, and is awake");
    dispatch.set_overloaded(0, true);
    assert!(parkers[1].was_woken());
    assert_eq!(dispatch.take(1), Some(2));
}

#[test]
fn a_worker_that_leaves_an_item_to_a_parked_worker_wakes_it() {
    let parkers = parkers(2);
    let dispatch = DispatchQueue::new(8, Parker::default(), parkers.clone());
    assert!(dispatch.prepare_park(1));
    (0..2).for_each(|item| dispatch.push(item).unwrap());
    assert!(!parkers[1].was_woken(), "both are for worker 0 at first, which is awake");
    assert_eq!((dispatch.take(0), dispatch.take(0)), (Some(0), None));
    assert!(parkers[1].was_woken());
    assert_eq!(dispatch.take(1), Some(1));
}

#[test]
fn after_the_close_one_worker_takes_all_items() {
    let dispatch = DispatchQueue::new(8, Parker::default(), parkers(2));
    (0..3).for_each(|item| dispatch.push(item).unwrap());
    dispatch.close();
    assert_eq!(std::iter::from_fn(|| dispatch.take(0)).count(), 3);
}

#[test]
fn a_full_queue_returns_the_item_and_wakes_the_producer_when_it_has_room() {
    let producer = Parker::default();
    let dispatch = DispatchQueue::new(1, producer.clone(), parkers(1));
    dispatch.push(1).unwrap();
    assert_eq!(dispatch.push(2), Err(2));
    assert!(!producer.was_woken());
    assert_eq!(dispatch.take(0), Some(1));
    assert!(producer.was_woken());
    dispatch.push(2).unwrap();
    assert_eq!(dispatch.take(0), Some(2));
    assert!(!producer.was_woken(), "the producer was not waiting");
}

#[test]
fn a_push_does_not_wake_a_worker_that_is_awake() {
    let parkers = parkers(1);
    let dispatch = DispatchQueue::new(1, Parker::default(), parkers.clone());
    assert!(dispatch.prepare_park(0));
    dispatch.unpark(0);
    dispatch.push(1).unwrap();
    assert!(!parkers[0].was_woken());
}

#[test]
fn pop_returns_the_items_that_no_worker_took() {
    let dispatch = DispatchQueue::new(4, Parker::default(), parkers(1));
    (0..2).for_each(|item| dispatch.push(item).unwrap());
    dispatch.close();
    assert_eq!([(); 3].map(|()| dispatch.pop()), [Some(0), Some(1), None]);
}

#[test]
fn parking_workers_take_every_pushed_item_once() {
    const ITEMS: usize = 20_000;
    let (producer, parkers) = (Parker::default(), parkers(3));
    let dispatch = DispatchQueue::new(16, producer.clone(), parkers.clone());
    let taken = thread::scope(|scope| {
        let work = |worker: usize, parker: Parker| {
            let dispatch = &dispatch;
            move || {
                let mut taken = Vec::new();
                while !dispatch.is_drained() {
                    while let Some(item) = dispatch.take(worker) {
                        taken.push(item);
                        dispatch.release(worker);
                    }
                    if !dispatch.is_drained() && dispatch.prepare_park(worker) {
                        parker.park();
                        dispatch.unpark(worker);
                    }
                }
                taken
            }
        };
        let workers: Vec<_> = parkers
            .iter()
            .enumerate()
            .map(|(worker, parker)| scope.spawn(work(worker, parker.clone())))
            .collect();
        for mut item in 0..ITEMS {
            while let Err(returned) = dispatch.push(item) {
                item = returned;
                producer.park();
            }
        }
        dispatch.close();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(taken.len(), ITEMS);
    assert_eq!(taken.into_iter().collect::<HashSet<_>>().len(), ITEMS);
}
