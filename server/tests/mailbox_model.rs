//! Model check of the mailbox: its two protocols of wakeups in every order of their steps.
//!
//! The source of the mailbox is compiled here with atomics and a queue that return control to the checker at each step. A lost
//! wakeup shows as a deadlock, a message that is lost or taken twice as a wrong count. One sender with one message runs in all
//! orders (`make torture`; `make test` runs the first fifty thousand). With more there are too many orders, so the checker runs
//! random ones, and random ones with few switches (PCT). `DISPATCH_SCHEDULES` sets their number.

#![expect(clippy::unwrap_used, reason = "a poisoned lock or a panic of a thread fails the test")]

use std::{collections::VecDeque, env};

use shuttle::{
    check_dfs, check_pct, check_random,
    sync::{Arc, Condvar, Mutex},
    thread,
};

mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use std::sync::Mutex;

    use super::VecDeque;

    /// A queue whose operations are one step each, like those of a lock-free queue.
    #[derive(Debug)]
    pub(crate) struct SegQueue<T> {
        /// Loaded at each step: the checker may switch threads before the load, and not after it.
        step: AtomicUsize,
        items: Mutex<VecDeque<T>>,
    }

    impl<T> SegQueue<T> {
        pub(crate) fn new() -> Self {
            Self { step: AtomicUsize::new(0), items: Mutex::new(VecDeque::new()) }
        }
        pub(crate) fn push(&self, item: T) {
            self.step.load(Ordering::SeqCst);
            self.items.lock().unwrap().push_back(item);
        }
        pub(crate) fn pop(&self) -> Option<T> {
            self.step.load(Ordering::SeqCst);
            self.items.lock().unwrap().pop_front()
        }
    }
}

#[path = "../src/rooms/mailbox.rs"]
#[expect(dead_code, reason = "the check does not use every function")]
mod mailbox;

use mailbox::{Mailbox, Wake};

/// Parks a thread until it is woken; one wake ends one park, as the wakeup of a poll does.
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

type TestMailbox = Mailbox<usize, Parker>;

/// Takes this many messages, and wakes the senders when they wait for room. Returns the messages.
fn receive(mailbox: &TestMailbox, parker: &Parker, senders: &[Parker], count: usize) -> Vec<usize> {
    let mut taken = Vec::new();
    loop {
        mailbox.begin();
        while let Some(message) = mailbox.take() {
            taken.push(message);
            if mailbox.end_wait() {
                senders.iter().for_each(Wake::wake);
            }
        }
        if taken.len() == count {
            return taken;
        }
        parker.park();
    }
}

/// Sends each of these messages. While the mailbox is full, the sender parks.
fn send(mailbox: &TestMailbox, parker: &Parker, messages: std::ops::Range<usize>) {
    for mut message in messages {
        while let Err(returned) = mailbox.send(1, message) {
            message = returned;
            if !mailbox.has_room_or_wait() {
                parker.park();
            }
        }
    }
}

/// Runs a receiver and some senders of two messages each: every message is taken once, those of a sender in their order, and
/// no thread parks forever.
fn scenario(senders: usize, max: usize) {
    const EACH: usize = 2;
    let parker = Parker::new();
    let parkers: Vec<_> = (0..senders).map(|_| Parker::new()).collect();
    let mailbox = Arc::new(Mailbox::new(max, parker.clone()));
    let threads: Vec<_> = parkers
        .iter()
        .cloned()
        .enumerate()
        .map(|(sender, parker)| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || send(&mailbox, &parker, sender * EACH..(sender + 1) * EACH))
        })
        .collect();
    let taken = receive(&mailbox, &parker, &parkers, senders * EACH);
    for thread in threads {
        thread.join().unwrap();
    }
    for sender in 0..senders {
        let own = taken.iter().filter(|message| **message / EACH == sender);
        assert_eq!(own.copied().collect::<Vec<_>>(), [sender * EACH, sender * EACH + 1]);
    }
}

/// Maximum orders of one message and one park in every test run. With `DISPATCH_SCHEDULES` all orders run.
const QUICK_ORDERS: usize = 50_000;

fn requested_schedules() -> Option<usize> {
    let requested = env::var("DISPATCH_SCHEDULES").ok()?;
    Some(requested.parse().expect("DISPATCH_SCHEDULES is a number"))
}

/// Checks random orders, and random orders with few switches (PCT).
fn check_many_orders(scenario: fn()) {
    let schedules = requested_schedules().unwrap_or(2_000);
    check_random(scenario, schedules);
    check_pct(scenario, schedules, 4);
}

#[test]
fn a_message_beside_a_receiver_that_parks_loses_no_wakeup() {
    let one_message = || {
        let parker = Parker::new();
        let mailbox = Arc::new(Mailbox::new(1, parker.clone()));
        let sender = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.send(1, 7))
        };
        assert_eq!(receive(&mailbox, &parker, &[], 1), [7]);
        sender.join().unwrap().unwrap();
    };
    check_dfs(one_message, requested_schedules().is_none().then_some(QUICK_ORDERS));
}

#[test]
fn a_sender_that_waits_for_room_is_woken() {
    check_many_orders(|| scenario(1, 1));
    check_many_orders(|| scenario(2, 1));
    check_many_orders(|| scenario(3, 2));
}
