//! The hand-over with threads, and no sockets. They are not in `handoff.rs` because that is compiled once
//! more, on other atomics, to check its protocol in every order (`tests/handoff_model.rs`).

use std::{
    collections::HashSet,
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::dispatch_queue::{DispatchQueue, Wake};

/// A sleep that a wake ends, once.
#[derive(Clone, Default)]
struct Bed(Arc<(Mutex<bool>, Condvar)>);

impl Bed {
    fn sleep(&self) {
        let (woken, bell) = &*self.0;
        let mut woken = bell.wait_while(woken.lock().unwrap(), |woken| !*woken).unwrap();
        *woken = false;
    }
    fn was_woken(&self) -> bool {
        std::mem::take(&mut *self.0.0.lock().unwrap())
    }
}

impl Wake for Bed {
    fn wake(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_one();
    }
}

fn beds(seats: usize) -> Vec<Bed> {
    (0..seats).map(|_| Bed::default()).collect()
}

#[test]
fn nobody_takes_more_than_an_even_share() {
    let dispatch = DispatchQueue::new(8, Bed::default(), beds(2));
    (0..6).for_each(|item| dispatch.push(item).unwrap());
    let taken: Vec<_> = std::iter::from_fn(|| dispatch.take(0)).collect();
    assert_eq!(taken, [0, 1, 2]);
    assert_eq!(std::iter::from_fn(|| dispatch.take(1)).count(), 3);
    (0..3).for_each(|_| dispatch.release(1));
    dispatch.push(6).unwrap();
    assert_eq!((dispatch.take(0), dispatch.take(1)), (None, Some(6)));
}

#[test]
fn a_push_wakes_the_lightest_sleeper_and_nobody_twice() {
    let beds = beds(2);
    let dispatch = DispatchQueue::new(8, Bed::default(), beds.clone());
    dispatch.push(1).unwrap();
    assert_eq!(dispatch.take(0), Some(1));
    assert!(dispatch.prepare_park(0) && dispatch.prepare_park(1));
    dispatch.push(2).unwrap();
    assert_eq!((beds[0].was_woken(), beds[1].was_woken()), (false, true));
    dispatch.push(3).unwrap();
    assert!(!beds[0].was_woken() && !beds[1].was_woken(), "seat 1 is awake already");
}

#[test]
fn what_a_full_seat_hands_back_is_taken_by_another_whatever_its_load() {
    let beds = beds(2);
    let dispatch = DispatchQueue::new(8, Bed::default(), beds.clone());
    (0..4).for_each(|item| dispatch.push(item).unwrap());
    let mut first = [(); 2].map(|()| dispatch.take(0).unwrap());
    assert_eq!([(); 2].map(|()| dispatch.take(1).unwrap()), [2, 3]);
    assert!(dispatch.prepare_park(1));
    dispatch.set_overloaded(0, true);
    for item in &mut first {
        dispatch.requeue(0, *item).unwrap();
    }
    assert!(beds[1].was_woken());
    assert_eq!((dispatch.take(0), dispatch.take(1), dispatch.take(1)), (None, Some(0), Some(1)));
    dispatch.set_overloaded(1, true);
    dispatch.push(4).unwrap();
    assert_eq!((dispatch.take(1), dispatch.take(0)), (None, Some(4)), "all are full");
}

#[test]
fn a_seat_that_becomes_full_wakes_another_for_what_waits() {
    let beds = beds(2);
    let dispatch = DispatchQueue::new(8, Bed::default(), beds.clone());
    dispatch.push(1).unwrap();
    assert_eq!(dispatch.take(1), Some(1));
    assert!(dispatch.prepare_park(1));
    dispatch.push(2).unwrap();
    assert!(!beds[1].was_woken(), "seat 0 has less, and is awake");
    dispatch.set_overloaded(0, true);
    assert!(beds[1].was_woken());
    assert_eq!(dispatch.take(1), Some(2));
}

#[test]
fn who_leaves_an_item_to_a_sleeper_wakes_it_though_it_goes_on_itself() {
    let beds = beds(2);
    let dispatch = DispatchQueue::new(8, Bed::default(), beds.clone());
    assert!(dispatch.prepare_park(1));
    (0..2).for_each(|item| dispatch.push(item).unwrap());
    assert!(!beds[1].was_woken(), "both are for seat 0 at first, which is awake");
    assert_eq!((dispatch.take(0), dispatch.take(0)), (Some(0), None));
    assert!(beds[1].was_woken());
    assert_eq!(dispatch.take(1), Some(1));
}

#[test]
fn at_the_end_whoever_is_left_takes_all() {
    let dispatch = DispatchQueue::new(8, Bed::default(), beds(2));
    (0..3).for_each(|item| dispatch.push(item).unwrap());
    dispatch.close();
    assert_eq!(std::iter::from_fn(|| dispatch.take(0)).count(), 3);
}

#[test]
fn a_full_queue_gives_the_item_back_and_says_when_there_is_room() {
    let pusher = Bed::default();
    let dispatch = DispatchQueue::new(1, pusher.clone(), beds(1));
    dispatch.push(1).unwrap();
    assert_eq!(dispatch.push(2), Err(2));
    assert!(!pusher.was_woken());
    assert_eq!(dispatch.take(0), Some(1));
    assert!(pusher.was_woken());
    dispatch.push(2).unwrap();
    assert_eq!(dispatch.take(0), Some(2));
    assert!(!pusher.was_woken(), "it was not waiting");
}

#[test]
fn who_has_woken_by_itself_is_not_woken() {
    let beds = beds(1);
    let dispatch = DispatchQueue::new(1, Bed::default(), beds.clone());
    assert!(dispatch.prepare_park(0));
    dispatch.unpark(0);
    dispatch.push(1).unwrap();
    assert!(!beds[0].was_woken());
}

#[test]
fn what_nobody_took_is_left_for_who_clears_up() {
    let dispatch = DispatchQueue::new(4, Bed::default(), beds(1));
    (0..2).for_each(|item| dispatch.push(item).unwrap());
    dispatch.close();
    assert_eq!([(); 3].map(|()| dispatch.pop()), [Some(0), Some(1), None]);
}

#[test]
fn everything_pushed_is_taken_once_by_sleepy_workers() {
    const ITEMS: usize = 20_000;
    let (pusher, beds) = (Bed::default(), beds(3));
    let dispatch = DispatchQueue::new(16, pusher.clone(), beds.clone());
    let taken = thread::scope(|scope| {
        let work = |seat: usize, bed: Bed| {
            let dispatch = &dispatch;
            move || {
                let mut taken = Vec::new();
                while !dispatch.is_drained() {
                    while let Some(item) = dispatch.take(seat) {
                        taken.push(item);
                        dispatch.release(seat);
                    }
                    if !dispatch.is_drained() && dispatch.prepare_park(seat) {
                        bed.sleep();
                        dispatch.unpark(seat);
                    }
                }
                taken
            }
        };
        let workers: Vec<_> = beds
            .iter()
            .enumerate()
            .map(|(seat, bed)| scope.spawn(work(seat, bed.clone())))
            .collect();
        for mut item in 0..ITEMS {
            while let Err(back) = dispatch.push(item) {
                item = back;
                pusher.sleep();
            }
        }
        dispatch.close();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(taken.len(), ITEMS);
    assert_eq!(taken.into_iter().collect::<HashSet<_>>().len(), ITEMS);
}
