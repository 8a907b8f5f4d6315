//! Limits on open connections: of the server, of a listener, and of a source.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use crossbeam::utils::CachePadded;

use super::{policy::ConnectionPolicy, rejection::LimitReached, source::source};
use crate::config::{Config, rlimit};

/// Counts open connections, from accept to close, and enforces their limits.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    open: CachePadded<AtomicUsize>,
    max: AtomicUsize,
    max_per_source: AtomicUsize,
    /// Set once there is a limit per source, since its lock is taken when a connection opens and closes.
    sources: OnceLock<Sources>,
}

/// Open connections by source. A connection that was accepted before there was a limit is not counted, and may
/// be subtracted when it closes: while such connections are open, a new limit may admit that many more.
#[derive(Debug, Default)]
struct Sources(Mutex<HashMap<IpAddr, usize>>);

const UNLIMITED: usize = usize::MAX;

impl ConnectionLimits {
    pub(crate) fn new(config: &Config) -> Self {
        let limits = Self {
            open: CachePadded::default(),
            max: AtomicUsize::new(0),
            max_per_source: AtomicUsize::new(UNLIMITED),
            sources: OnceLock::new(),
        };
        limits.set(config);
        limits
    }

    /// Sets the limits for new connections.
    pub(crate) fn set(&self, config: &Config) {
        let max = config.max_connections.unwrap_or_else(|| rlimit::max_connections(config));
        self.max.store(max, SeqCst);
        self.max_per_source.store(config.max_connections_per_ip.unwrap_or(UNLIMITED), SeqCst);
        if config.max_connections_per_ip.is_some() {
            self.sources.get_or_init(Sources::default);
        }
    }

    /// Admits a connection under this policy and, if it has one, from this address.
    ///
    /// # Errors
    ///
    /// If a limit is reached; then the connection is not counted.
    pub(crate) fn acquire(
        &self,
        policy: &ConnectionPolicy,
        peer: Option<IpAddr>,
    ) -> Result<(), LimitReached> {
        try_increment(&self.open, self.max.load(SeqCst)).map_err(LimitReached::Server)?;
        let max = policy.options.max_connections.unwrap_or(UNLIMITED);
        let admitted =
            try_increment(&policy.open, max).map_err(LimitReached::Listener).and_then(|()| {
                self.admit_source(peer).inspect_err(|_| {
                    policy.open.fetch_sub(1, SeqCst);
                })
            });
        admitted.inspect_err(|_| {
            self.open.fetch_sub(1, SeqCst);
        })
    }

    /// Counts an admitted connection for this address, with which it is then released.
    ///
    /// # Errors
    ///
    /// If the limit per source is reached.
    pub(crate) fn admit_source(&self, peer: Option<IpAddr>) -> Result<(), LimitReached> {
        match (self.sources.get(), peer) {
            (Some(sources), Some(peer)) => {
                sources.acquire(source(peer), self.max_per_source.load(SeqCst))
            }
            _ => Ok(()),
        }
    }

    /// Releases a connection that was admitted under this policy and from this address.
    pub(crate) fn release(&self, policy: &ConnectionPolicy, peer: Option<IpAddr>) {
        if let (Some(sources), Some(peer)) = (self.sources.get(), peer) {
            sources.release(source(peer));
        }
        policy.open.fetch_sub(1, SeqCst);
        self.open.fetch_sub(1, SeqCst);
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// Returns whether no connection is counted, in total or for a source.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        let sources = self.sources.get().map(|sources| sources.0.lock().unwrap());
        self.open() == 0 && sources.is_none_or(|sources| sources.is_empty())
    }
}

impl Sources {
    fn acquire(&self, source: IpAddr, max: usize) -> Result<(), LimitReached> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = sources.entry(source).or_default();
        if *open >= max {
            return Err(LimitReached::Source(max));
        }
        *open += 1;
        Ok(())
    }

    fn release(&self, source: IpAddr) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = sources.get_mut(&source) {
            *open -= 1;
            // Otherwise the table would grow with every source that ever connected.
            if *open == 0 {
                sources.remove(&source);
            }
        }
    }
}

/// Increments a counter below `max`, or returns `max`.
fn try_increment(open: &AtomicUsize, max: usize) -> Result<(), usize> {
    let next = |open| (open < max).then_some(open + 1);
    open.try_update(SeqCst, SeqCst, next).map(drop).map_err(|_| max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Listener;

    fn connection_limits(max: usize, per_ip: Option<usize>) -> ConnectionLimits {
        ConnectionLimits::new(&Config {
            max_connections: Some(max),
            max_connections_per_ip: per_ip,
            ..Config::default()
        })
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn policy(max: Option<usize>) -> ConnectionPolicy {
        let mut listener = Listener::tcp("localhost", 0);
        listener.options.max_connections = max;
        ConnectionPolicy::new(&listener)
    }

    #[test]
    fn admits_connections_up_to_the_limit() {
        let (limits, policy) = (connection_limits(2, None), policy(None));
        let acquire = || limits.acquire(&policy, None);
        assert_eq!([(); 3].map(|()| acquire()), [Ok(()), Ok(()), Err(LimitReached::Server(2))]);
        limits.release(&policy, None);
        assert_eq!(acquire(), Ok(()));
        assert_eq!(limits.open(), 2);
    }

    #[test]
    fn a_full_listener_does_not_affect_another() {
        let (limits, small, other) = (connection_limits(9, None), policy(Some(1)), policy(None));
        assert_eq!(limits.acquire(&small, None), Ok(()));
        assert_eq!(limits.acquire(&small, None), Err(LimitReached::Listener(1)));
        assert_eq!(limits.acquire(&other, None), Ok(()));
        assert_eq!(limits.open(), 2, "a refused connection is not counted");
        limits.release(&small, None);
        assert_eq!(limits.acquire(&small, None), Ok(()));
    }

    #[test]
    fn a_source_at_its_limit_does_not_affect_another() {
        let (limits, policy) = (connection_limits(9, Some(2)), policy(None));
        let (greedy, other) = (Some(ip("10.0.0.1")), Some(ip("10.0.0.2")));
        let acquire = |peer| limits.acquire(&policy, peer);
        assert_eq!(
            [(); 3].map(|()| acquire(greedy)),
            [Ok(()), Ok(()), Err(LimitReached::Source(2))]
        );
        assert_eq!([other, None].map(acquire), [Ok(()), Ok(())]);
        assert_eq!(limits.open(), 4, "a refused connection is not counted");
        assert_eq!(policy.open.load(SeqCst), 4);
        limits.release(&policy, greedy);
        assert_eq!(acquire(greedy), Ok(()));
        for peer in [greedy, greedy, other, None] {
            limits.release(&policy, peer);
        }
        assert!(limits.is_empty());
    }

    #[test]
    fn changed_limits_apply_to_new_connections() {
        let (limits, policy) = (connection_limits(9, None), policy(None));
        let (peer, acquire) = (Some(ip("10.0.0.1")), |peer| limits.acquire(&policy, peer));
        let limit = |max, per_ip| {
            limits.set(&Config {
                max_connections: Some(max),
                max_connections_per_ip: per_ip,
                ..Config::default()
            });
        };
        assert_eq!([peer, peer].map(acquire), [Ok(()), Ok(())]);
        limit(2, None);
        assert_eq!(acquire(peer), Err(LimitReached::Server(2)));
        limit(9, Some(1));
        assert_eq!([peer, peer].map(acquire), [Ok(()), Err(LimitReached::Source(1))]);
        limit(9, None);
        assert_eq!(acquire(peer), Ok(()));
        for _ in 0..4 {
            limits.release(&policy, peer);
        }
        assert!(limits.is_empty());
    }
}
