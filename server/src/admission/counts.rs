//! Counts of open connections and of handshakes under way: of the server and of each source.

#[cfg(feature = "login")]
use std::sync::Arc;
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
#[cfg(feature = "login")]
use crate::login::Authenticator;

/// A limit that is never reached.
pub(super) const UNLIMITED: usize = usize::MAX;

/// Open connections of a server, from accept to close, and those whose handshake is under way.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) open: CachePadded<AtomicUsize>,
    pub(super) handshakes: CachePadded<AtomicUsize>,
    #[cfg(feature = "login")]
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) max_per_source: AtomicUsize,
    pub(super) max_handshakes_per_source: AtomicUsize,
    /// Counts of the connections that were accepted under a limit per source. Without such a limit the lock is
    /// never taken.
    sources: Mutex<HashMap<IpAddr, SourceCounts>>,
}

/// Connections of one source.
#[derive(Clone, Copy, Debug, Default)]
struct SourceCounts {
    open: usize,
    handshakes: usize,
}

/// One connection in the counts of its source.
#[derive(Debug)]
pub(super) struct CountedSource {
    source: IpAddr,
    /// Its handshake is under way, and counted.
    is_handshake: bool,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            open: CachePadded::default(),
            handshakes: CachePadded::default(),
            #[cfg(feature = "login")]
            authenticator: Arc::default(),
            max_per_source: AtomicUsize::new(UNLIMITED),
            max_handshakes_per_source: AtomicUsize::new(UNLIMITED),
            sources: Mutex::default(),
        }
    }
}

impl Counts {
    /// Counts a connection, and its handshake if it has one, for the source of this address. Returns `None` if no
    /// limit per source applies.
    pub(super) fn acquire_source(
        &self,
        peer: IpAddr,
        is_handshake: bool,
    ) -> Result<Option<CountedSource>, LimitReached> {
        let max = self.max_per_source.load(SeqCst);
        let max_handshakes =
            if is_handshake { self.max_handshakes_per_source.load(SeqCst) } else { UNLIMITED };
        if max == UNLIMITED && max_handshakes == UNLIMITED {
            return Ok(None);
        }
        let source = source(peer);
        let mut sources = self.lock_sources();
        let mut counts = sources.get(&source).copied().unwrap_or_default();
        if counts.open >= max {
            return Err(LimitReached::Source(max));
        }
        if counts.handshakes >= max_handshakes {
            return Err(LimitReached::SourceHandshakes(max_handshakes));
        }
        counts.open += 1;
        counts.handshakes += usize::from(is_handshake);
        sources.insert(source, counts);
        Ok(Some(CountedSource { source, is_handshake }))
    }

    /// Counts the end of a handshake.
    pub(super) fn end_source_handshake(&self, counted: &mut CountedSource) {
        if std::mem::take(&mut counted.is_handshake)
            && let Some(counts) = self.lock_sources().get_mut(&counted.source)
        {
            counts.handshakes -= 1;
        }
    }

    pub(super) fn release_source(&self, counted: &CountedSource) {
        if let Entry::Occupied(mut entry) = self.lock_sources().entry(counted.source) {
            let counts = entry.get_mut();
            counts.open -= 1;
            counts.handshakes -= usize::from(counted.is_handshake);
            // Otherwise the table would grow with every source that ever connected.
            if counts.open == 0 {
                entry.remove();
            }
        }
    }

    /// Returns whether no connection is counted, in total or for a source.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let counts = [&self.open, &self.handshakes].map(|count| count.load(SeqCst));
        counts == [0, 0] && self.lock_sources().is_empty()
    }

    fn lock_sources(&self) -> MutexGuard<'_, HashMap<IpAddr, SourceCounts>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Increments a counter below `max`, or returns `max`.
pub(super) fn try_increment(open: &AtomicUsize, max: usize) -> Result<(), usize> {
    let next = |open| (open < max).then_some(open + 1);
    open.try_update(SeqCst, SeqCst, next).map(drop).map_err(|_| max)
}
