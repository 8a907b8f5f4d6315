//! The hand-over with threads, and no sockets. They are not in `handoff.rs` because that is compiled once
//! more, on other atomics, to check its protocol in every order (`tests/handoff_model.rs`).

use std::{
    collections::HashSet,
    sync::{Arc, Condvar, Mutex},
    thread,
};

use crate::handoff::{Handoff, Wake};

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
    let handoff = Handoff::new(8, Bed::default(), beds(2));
    (0..6).for_each(|item| handoff.push(item).unwrap());
    let taken: Vec<_> = std::iter::from_fn(|| handoff.take(0)).collect();
    assert_eq!(taken, [0, 1, 2]);
    assert_eq!(std::iter::from_fn(|| handoff.take(1)).count(), 3);
    (0..3).for_each(|_| handoff.let_go(1));
    handoff.push(6).unwrap();
    assert_eq!((handoff.take(0), handoff.take(1)), (None, Some(6)));
}

#[test]
fn a_push_wakes_the_lightest_sleeper_and_nobody_twice() {
    let beds = beds(2);
    let handoff = Handoff::new(8, Bed::default(), beds.clone());
    handoff.push(1).unwrap();
    assert_eq!(handoff.take(0), Some(1));
    assert!(handoff.fall_asleep(0) && handoff.fall_asleep(1));
    handoff.push(2).unwrap();
    assert_eq!((beds[0].was_woken(), beds[1].was_woken()), (false, true));
    handoff.push(3).unwrap();
    assert!(!beds[0].was_woken() && !beds[1].was_woken(), "seat 1 is awake already");
}

#[test]
fn what_a_full_seat_hands_back_is_taken_by_another_whatever_its_load() {
    let beds = beds(2);
    let handoff = Handoff::new(8, Bed::default(), beds.clone());
    (0..4).for_each(|item| handoff.push(item).unwrap());
    let mut first = [(); 2].map(|()| handoff.take(0).unwrap());
    assert_eq!([(); 2].map(|()| handoff.take(1).unwrap()), [2, 3]);
    assert!(handoff.fall_asleep(1));
    handoff.set_full(0, true);
    for item in &mut first {
        handoff.hand_back(0, *item).unwrap();
    }
    assert!(beds[1].was_woken());
    assert_eq!((handoff.take(0), handoff.take(1), handoff.take(1)), (None, Some(0), Some(1)));
    handoff.set_full(1, true);
    handoff.push(4).unwrap();
    assert_eq!((handoff.take(1), handoff.take(0)), (None, Some(4)), "all are full");
}

#[test]
fn a_seat_that_becomes_full_wakes_another_for_what_waits() {
    let beds = beds(2);
    let handoff = Handoff::new(8, Bed::default(), beds.clone());
    handoff.push(1).unwrap();
    assert_eq!(handoff.take(1), Some(1));
    assert!(handoff.fall_asleep(1));
    handoff.push(2).unwrap();
    assert!(!beds[1].was_woken(), "seat 0 has less, and is awake");
    handoff.set_full(0, true);
    assert!(beds[1].was_woken());
    assert_eq!(handoff.take(1), Some(2));
}

#[test]
fn who_leaves_an_item_to_a_sleeper_wakes_it_though_it_goes_on_itself() {
    let beds = beds(2);
    let handoff = Handoff::new(8, Bed::default(), beds.clone());
    assert!(handoff.fall_asleep(1));
    (0..2).for_each(|item| handoff.push(item).unwrap());
    assert!(!beds[1].was_woken(), "both are for seat 0 at first, which is awake");
    assert_eq!((handoff.take(0), handoff.take(0)), (Some(0), None));
    assert!(beds[1].was_woken());
    assert_eq!(handoff.take(1), Some(1));
}

#[test]
fn at_the_end_whoever_is_left_takes_all() {
    let handoff = Handoff::new(8, Bed::default(), beds(2));
    (0..3).for_each(|item| handoff.push(item).unwrap());
    handoff.close();
    assert_eq!(std::iter::from_fn(|| handoff.take(0)).count(), 3);
}

#[test]
fn a_full_queue_gives_the_item_back_and_says_when_there_is_room() {
    let pusher = Bed::default();
    let handoff = Handoff::new(1, pusher.clone(), beds(1));
    handoff.push(1).unwrap();
    assert_eq!(handoff.push(2), Err(2));
    assert!(!pusher.was_woken());
    assert_eq!(handoff.take(0), Some(1));
    assert!(pusher.was_woken());
    handoff.push(2).unwrap();
    assert_eq!(handoff.take(0), Some(2));
    assert!(!pusher.was_woken(), "it was not waiting");
}

#[test]
fn who_has_woken_by_itself_is_not_woken() {
    let beds = beds(1);
    let handoff = Handoff::new(1, Bed::default(), beds.clone());
    assert!(handoff.fall_asleep(0));
    handoff.woke(0);
    handoff.push(1).unwrap();
    assert!(!beds[0].was_woken());
}

#[test]
fn what_nobody_took_is_left_for_who_clears_up() {
    let handoff = Handoff::new(4, Bed::default(), beds(1));
    (0..2).for_each(|item| handoff.push(item).unwrap());
    handoff.close();
    assert_eq!([(); 3].map(|()| handoff.take_any()), [Some(0), Some(1), None]);
}

#[test]
fn everything_pushed_is_taken_once_by_sleepy_workers() {
    const ITEMS: usize = 20_000;
    let (pusher, beds) = (Bed::default(), beds(3));
    let handoff = Handoff::new(16, pusher.clone(), beds.clone());
    let taken = thread::scope(|scope| {
        let work = |seat: usize, bed: Bed| {
            let handoff = &handoff;
            move || {
                let mut taken = Vec::new();
                while !handoff.is_drained() {
                    while let Some(item) = handoff.take(seat) {
                        taken.push(item);
                        handoff.let_go(seat);
                    }
                    if !handoff.is_drained() && handoff.fall_asleep(seat) {
                        bed.sleep();
                        handoff.woke(seat);
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
            while let Err(back) = handoff.push(item) {
                item = back;
                pusher.sleep();
            }
        }
        handoff.close();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(taken.len(), ITEMS);
    assert_eq!(taken.into_iter().collect::<HashSet<_>>().len(), ITEMS);
}
