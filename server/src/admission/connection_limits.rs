//! Limits on open connections and on handshakes under way: of the server, of a listener, and of a source.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use super::{
    counts::{Counts, UNLIMITED, try_increment},
    permit::Permit,
    policy::ConnectionPolicy,
    rejection::LimitReached,
};
use crate::config::{Config, rlimit};

/// The limits of a server, and its open connections.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    counts: Arc<Counts>,
    max: AtomicUsize,
    max_handshakes: AtomicUsize,
    /// Number of reloads that have removed users whose sessions must close.
    #[cfg(feature = "login")]
    removals: AtomicUsize,
}

impl ConnectionLimits {
    pub(crate) fn new(config: &Config) -> Self {
        let limits = Self {
            counts: Arc::default(),
            max: AtomicUsize::new(0),
            max_handshakes: AtomicUsize::new(0),
            #[cfg(feature = "login")]
            removals: AtomicUsize::new(0),
        };
        limits.set(config);
        limits
    }

    /// Sets the limits for new connections. A new limit per source counts the connections from then on.
    pub(crate) fn set(&self, config: &Config) {
        #[cfg(feature = "login")]
        self.set_users(config);
        let max = config.max_connections.unwrap_or_else(|| rlimit::max_connections(config));
        self.max.store(max, SeqCst);
        let max_per_source = config.max_connections_per_ip.unwrap_or(UNLIMITED);
        self.counts.max_per_source.store(max_per_source, SeqCst);
        let max_handshakes = config.max_handshakes.unwrap_or_else(|| max.div_ceil(2));
        self.max_handshakes.store(max_handshakes, SeqCst);
        let max_per_source = config.max_handshakes_per_ip.unwrap_or(UNLIMITED);
        self.counts.max_handshakes_per_source.store(max_per_source, SeqCst);
    }

    /// Sets the users and their limits. The workers look for sessions that must close.
    #[cfg(feature = "login")]
    fn set_users(&self, config: &Config) {
        if self.counts.authenticator.set(config) {
            self.removals.fetch_add(1, SeqCst);
        }
    }

    /// Returns whether users with open sessions were removed since `seen`.
    #[cfg(feature = "login")]
    pub(crate) fn has_removed_users(&self, seen: &mut usize) -> bool {
        let removals = self.removals.load(SeqCst);
        std::mem::replace(seen, removals) != removals
    }

    /// Admits a connection under this policy and, if it has one, from this address.
    ///
    /// # Errors
    ///
    /// If a limit is reached; then the connection is not counted.
    pub(crate) fn admit(
        &self,
        policy: &Arc<ConnectionPolicy>,
        peer: Option<IpAddr>,
    ) -> Result<Permit, LimitReached> {
        let open = &self.counts.open;
        try_increment(open, self.max.load(SeqCst)).map_err(LimitReached::Server)?;
        let max = policy.options.max_connections.unwrap_or(UNLIMITED);
        if let Err(max) = try_increment(&policy.open, max) {
            open.fetch_sub(1, SeqCst);
            return Err(LimitReached::Listener(max));
        }
        let mut permit = Permit::new(Arc::clone(&self.counts), Arc::clone(policy));
        if policy.has_layer() {
            permit.begin_handshake(self.max_handshakes.load(SeqCst))?;
        }
        if let Some(peer) = peer {
            permit.count_source(peer)?;
        }
        Ok(permit)
    }

    /// Returns the limit on open connections.
    #[cfg(feature = "admin")]
    pub(crate) fn max(&self) -> usize {
        self.max.load(SeqCst)
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.counts.open.load(SeqCst)
    }

    /// Returns whether no connection is counted, in total or for a source.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Listener, layer::NewScrambled};

    fn config(max: usize, per_ip: Option<usize>) -> Config {
        Config { max_connections: Some(max), max_connections_per_ip: per_ip, ..Config::default() }
    }

    fn connection_limits(max: usize, per_ip: Option<usize>) -> ConnectionLimits {
        ConnectionLimits::new(&config(max, per_ip))
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn policy(max: Option<usize>) -> Arc<ConnectionPolicy> {
        let mut listener = Listener::tcp("localhost", 0);
        listener.options.max_connections = max;
        Arc::new(ConnectionPolicy::alone(&listener))
    }

    #[test]
    fn admits_connections_up_to_the_limit() {
        let (limits, policy) = (connection_limits(2, None), policy(None));
        let admit = || limits.admit(&policy, None);
        let permits = [(); 3].map(|()| admit());
        assert_eq!(permits.each_ref().map(Result::is_ok), [true, true, false]);
        assert_eq!(permits[2].as_ref().unwrap_err(), &LimitReached::Server(2));
        let [first, second, _] = permits;
        drop(first);
        let third = admit();
        assert!(third.is_ok());
        assert_eq!(limits.open(), 2);
        drop((second, third));
        assert!(limits.is_empty());
    }

    #[test]
    fn a_full_listener_does_not_affect_another() {
        let (limits, small, other) = (connection_limits(9, None), policy(Some(1)), policy(None));
        let permit = limits.admit(&small, None).unwrap();
        assert_eq!(limits.admit(&small, None).unwrap_err(), LimitReached::Listener(1));
        let _other = limits.admit(&other, None).unwrap();
        assert_eq!(limits.open(), 2, "a refused connection is not counted");
        drop(permit);
        limits.admit(&small, None).unwrap();
    }

    #[test]
    fn a_source_at_its_limit_does_not_affect_another() {
        let (limits, policy) = (connection_limits(9, Some(2)), policy(None));
        let (greedy, other) = (Some(ip("10.0.0.1")), Some(ip("10.0.0.2")));
        let admit = |peer| limits.admit(&policy, peer);
        let mut permits = vec![admit(greedy).unwrap(), admit(greedy).unwrap()];
        assert_eq!(admit(greedy).unwrap_err(), LimitReached::Source(2));
        permits.extend([other, None].map(|peer| admit(peer).unwrap()));
        assert_eq!(limits.open(), 4, "a refused connection is not counted");
        assert_eq!(policy.open.load(SeqCst), 4);
        permits.remove(0);
        permits.push(admit(greedy).unwrap());
        drop(permits);
        assert!(limits.is_empty());
    }

    #[test]
    fn changed_limits_apply_to_new_connections() {
        let (limits, policy) = (connection_limits(9, None), policy(None));
        let admit = || limits.admit(&policy, Some(ip("10.0.0.1")));
        let mut permits = vec![admit().unwrap(), admit().unwrap()];
        limits.set(&config(2, None));
        assert_eq!(admit().unwrap_err(), LimitReached::Server(2));
        limits.set(&config(9, Some(1)));
        permits.push(admit().unwrap());
        assert_eq!(admit().unwrap_err(), LimitReached::Source(1));
        limits.set(&config(9, None));
        permits.push(admit().unwrap());
        drop(permits);
        assert!(limits.is_empty());
    }

    #[test]
    fn connections_from_before_a_limit_are_not_subtracted_from_it() {
        let (limits, policy) = (connection_limits(9, None), policy(None));
        let admit = || limits.admit(&policy, Some(ip("10.0.0.1")));
        let before = admit().unwrap();
        limits.set(&config(9, Some(1)));
        let counted = admit().unwrap();
        drop(before);
        assert_eq!(admit().unwrap_err(), LimitReached::Source(1));
        drop(counted);
        admit().unwrap();
    }

    #[test]
    fn a_refused_source_leaves_no_entry() {
        let (limits, policy) = (connection_limits(9, Some(0)), policy(None));
        assert_eq!(
            limits.admit(&policy, Some(ip("10.0.0.1"))).unwrap_err(),
            LimitReached::Source(0)
        );
        assert!(limits.is_empty());
    }

    fn layered() -> Arc<ConnectionPolicy> {
        Arc::new(ConnectionPolicy::alone(&Listener::tcp("localhost", 0)).with_layer(NewScrambled))
    }

    #[test]
    fn handshakes_leave_half_of_the_connections_to_others() {
        let (limits, tls, plain) = (connection_limits(4, None), layered(), policy(None));
        let admit = || limits.admit(&tls, None);
        let mut permits = vec![admit().unwrap(), admit().unwrap()];
        assert_eq!(admit().unwrap_err(), LimitReached::Handshakes(2));
        permits.push(limits.admit(&plain, None).unwrap());
        permits[0].end_handshake();
        permits.push(admit().unwrap());
        assert_eq!(admit().unwrap_err(), LimitReached::Server(4));
        drop(permits);
        assert!(limits.is_empty());
    }

    #[test]
    fn a_source_at_its_limit_of_handshakes_may_have_connections_without_one() {
        let config = Config { max_handshakes_per_ip: Some(1), ..config(9, None) };
        let (limits, tls) = (ConnectionLimits::new(&config), layered());
        let admit = |address: &str| limits.admit(&tls, Some(ip(address)));
        let mut first = admit("10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), LimitReached::SourceHandshakes(1));
        let other = admit("10.0.0.2").unwrap();
        let plain = limits.admit(&policy(None), Some(ip("10.0.0.1"))).unwrap();
        first.end_handshake();
        first.end_handshake();
        let second = admit("10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), LimitReached::SourceHandshakes(1));
        drop((first, second, other, plain));
        assert!(limits.is_empty(), "a refused connection is not counted");
    }
}
