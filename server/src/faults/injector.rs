//! Faults with their seed.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use common::fault::Fault;

use super::random::Random;
use crate::config::Faults;

/// The faults that a listener got at one time, with their seed.
#[derive(Debug)]
pub(crate) struct Injector {
    faults: Arc<Faults>,
    seed: u64,
    /// The time from which windows count.
    since: Instant,
    /// Number of the next connection; over UDP, of the next source.
    next: AtomicU64,
}

impl Injector {
    pub(super) fn new(faults: Arc<Faults>, now: Instant) -> Self {
        let seed = faults.seed.unwrap_or_else(new_seed);
        Self { faults, seed, since: now, next: AtomicU64::new(0) }
    }

    /// Returns the number of the next connection.
    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the number of connections that have got a plan.
    #[cfg(feature = "admin")]
    pub(crate) fn connections(&self) -> u64 {
        self.next.load(Relaxed)
    }

    /// Returns the time from which windows count.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Returns the random function for a fault of a connection.
    pub(super) fn random(&self, connection: u64, fault: Fault) -> Random {
        Random::new(self.seed, connection, fault)
    }
}

/// Returns a seed that is short enough to be typed. The standard library draws one for each hash table, so clients cannot
/// guess it.
fn new_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000_000
}
