//! The derivation of keys from passwords, in a thread of its own.
//!
//! It takes milliseconds, in which a worker would serve nobody. The queue is bounded, so a flood of logins waits, or is
//! refused, and no echo does.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    thread,
};

use common::login::{Keys, Secret};
use crossbeam::channel::{Receiver, Sender, bounded};
use log::error;

use crate::config::limits;

const PENDING: u8 = 0;
const RIGHT: u8 = 1;
const WRONG: u8 = 2;

/// A password that is being verified.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verification(Arc<AtomicU8>);

#[derive(Debug)]
struct Job {
    keys: Keys,
    password: Secret,
    verification: Verification,
}

/// The thread, which starts with the first password.
#[derive(Debug, Default)]
pub(super) struct Verifier(OnceLock<Option<Sender<Job>>>);

impl Verification {
    /// Returns whether the password is right. `None`: it is not known yet.
    pub(crate) fn result(&self) -> Option<bool> {
        match self.0.load(SeqCst) {
            PENDING => None,
            result => Some(result == RIGHT),
        }
    }
}

impl Verifier {
    /// Begins to verify a password. `None`: too many are waiting.
    pub(super) fn begin(&self, keys: Keys, password: Secret) -> Option<Verification> {
        let jobs = self.0.get_or_init(start).as_ref()?;
        let verification = Verification::default();
        let job = Job { keys, password, verification: verification.clone() };
        jobs.try_send(job).ok().map(|()| verification)
    }
}

fn start() -> Option<Sender<Job>> {
    let (sender, receiver) = bounded(limits::PASSWORD_QUEUE);
    let started = thread::Builder::new().name("passwords".to_owned()).spawn(|| run(receiver));
    match started {
        Ok(_) => Some(sender),
        Err(reason) => {
            error!("Cannot start the thread that verifies passwords: {reason}");
            None
        }
    }
}

/// Verifies passwords until the server has ended.
#[expect(clippy::needless_pass_by_value, reason = "it ends with the thread")]
fn run(jobs: Receiver<Job>) {
    for Job { keys, password, verification } in &jobs {
        let result = if keys.matches(&password) { RIGHT } else { WRONG };
        verification.0.store(result, SeqCst);
    }
}
