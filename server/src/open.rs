//! How many connections are open, in all and from each source, and whether another may come.
//!
//! It knows neither who asks nor what becomes of whoever may not come.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use crossbeam::utils::CachePadded;

use crate::config::Config;

/// Connections from the accept to the close.
#[derive(Debug)]
pub(crate) struct OpenConnections {
    now: CachePadded<AtomicUsize>,
    most: usize,
    /// Only if there is a limit: its lock is taken at the beginning and the end of every connection.
    sources: Option<Sources>,
}

#[derive(Debug)]
struct Sources {
    open: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
}

/// Why another connection may not come, with the limit that it would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are as many as there may be.
    All(usize),
    /// Its source has as many as one may have.
    Source(usize),
}

impl OpenConnections {
    pub(crate) fn new(config: &Config) -> Self {
        let sources =
            config.max_connections_per_ip.map(|most| Sources { open: Mutex::default(), most });
        Self { now: CachePadded::default(), most: config.max_connections, sources }
    }

    /// Counts one more from there, if it may come.
    pub(crate) fn acquire(&self, peer: IpAddr) -> Result<(), Full> {
        let room = |open| (open < self.most).then_some(open + 1);
        self.now.try_update(SeqCst, SeqCst, room).map_err(|_| Full::All(self.most))?;
        let Some(sources) = &self.sources else { return Ok(()) };
        sources.acquire(source(peer)).inspect_err(|_| {
            self.now.fetch_sub(1, SeqCst);
        })
    }

    /// One from there is gone.
    pub(crate) fn release(&self, peer: IpAddr) {
        if let Some(sources) = &self.sources {
            sources.release(source(peer));
        }
        self.now.fetch_sub(1, SeqCst);
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(SeqCst)
    }
}

impl Sources {
    fn acquire(&self, source: IpAddr) -> Result<(), Full> {
        let mut sources = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = sources.entry(source).or_default();
        if *open >= self.most {
            return Err(Full::Source(self.most));
        }
        *open += 1;
        Ok(())
    }

    fn release(&self, source: IpAddr) {
        let mut sources = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = sources.get_mut(&source) {
            *open -= 1;
            // Who is not here is not remembered, or the table would grow with everyone who ever was.
            if *open == 0 {
                sources.remove(&source);
            }
        }
    }
}

/// What counts as one source: an IPv4 address, also where it comes as an IPv6 one; or the 64 bits of an
/// IPv6 address that name a network, of which a single host can use all addresses (RFC 4291, 2.5.4).
fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(most: usize, per_ip: Option<usize>) -> OpenConnections {
        OpenConnections::new(&Config {
            max_connections: most,
            max_connections_per_ip: per_ip,
            ..Config::default()
        })
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn connections_are_counted_up_to_the_limit() {
        let (open, peer) = (limits(2, None), ip("10.0.0.1"));
        assert_eq!([(); 3].map(|()| open.acquire(peer)), [Ok(()), Ok(()), Err(Full::All(2))]);
        open.release(peer);
        assert_eq!(open.acquire(peer), Ok(()));
        assert_eq!(open.now(), 2);
    }

    #[test]
    fn one_source_leaves_room_for_another() {
        let (open, greedy, other) = (limits(9, Some(2)), ip("10.0.0.1"), ip("10.0.0.2"));
        assert_eq!([(); 3].map(|()| open.acquire(greedy)), [Ok(()), Ok(()), Err(Full::Source(2))]);
        assert_eq!(open.acquire(other), Ok(()));
        assert_eq!(open.now(), 3, "who was not let in is not counted");
        open.release(greedy);
        assert_eq!(open.acquire(greedy), Ok(()));
        for peer in [greedy, greedy, other] {
            open.release(peer);
        }
        assert!(open.sources.unwrap().open.lock().unwrap().is_empty(), "nobody is remembered");
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(source(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
        assert_eq!(source(ip("2001:db8:1:2:3::4")), source(ip("2001:db8:1:2::9")));
        assert_ne!(source(ip("2001:db8:1:2::9")), source(ip("2001:db8:1:3::9")));
    }
}
