//! Counts of open connections: of the server and of each source.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use crossbeam::utils::CachePadded;

use super::{rejection::LimitReached, source::source};

/// A limit that is never reached.
pub(super) const UNLIMITED: usize = usize::MAX;

/// Open connections of a server, from accept to close.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) open: CachePadded<AtomicUsize>,
    pub(super) max_per_source: AtomicUsize,
    /// Open connections by source, of those that were accepted under a limit per source. Without that limit
    /// the lock is never taken.
    sources: Mutex<HashMap<IpAddr, usize>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            open: CachePadded::default(),
            max_per_source: AtomicUsize::new(UNLIMITED),
            sources: Mutex::default(),
        }
    }
}

impl Counts {
    /// Counts a connection for the source of this address. Returns the source, or `None` if there is no limit
    /// per source.
    pub(super) fn acquire_source(&self, peer: IpAddr) -> Result<Option<IpAddr>, LimitReached> {
        let max = self.max_per_source.load(SeqCst);
        if max == UNLIMITED {
            return Ok(None);
        }
        let source = source(peer);
        let mut sources = self.lock_sources();
        let open = sources.get(&source).copied().unwrap_or_default();
        if open >= max {
            return Err(LimitReached::Source(max));
        }
        sources.insert(source, open + 1);
        Ok(Some(source))
    }

    pub(super) fn release_source(&self, source: IpAddr) {
        if let Entry::Occupied(mut open) = self.lock_sources().entry(source) {
            *open.get_mut() -= 1;
            // Otherwise the table would grow with every source that ever connected.
            if *open.get() == 0 {
                open.remove();
            }
        }
    }

    /// Returns whether no connection is counted, in total or for a source.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.load(SeqCst) == 0 && self.lock_sources().is_empty()
    }

    fn lock_sources(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Increments a counter below `max`, or returns `max`.
pub(super) fn try_increment(open: &AtomicUsize, max: usize) -> Result<(), usize> {
    let next = |open| (open < max).then_some(open + 1);
    open.try_update(SeqCst, SeqCst, next).map(drop).map_err(|_| max)
}
