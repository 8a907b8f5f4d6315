//! How many connections are open, in all and from each source, and whether another may come.
//!
//! It knows neither who asks nor what becomes of whoever may not come.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use crossbeam::utils::CachePadded;

use crate::{config::Config, descriptors, terms::Terms};

/// Connections from the accept to the close.
#[derive(Debug)]
pub(crate) struct OpenConnections {
    now: CachePadded<AtomicUsize>,
    most: AtomicUsize,
    most_per_source: AtomicUsize,
    /// Only if there has been a limit: its lock is taken at the beginning and the end of every connection.
    sources: OnceLock<Sources>,
}

/// How many are open from each source. Who came while there was no limit is not counted, and may end as one
/// who is: as long as such are there, a limit that is new may let in so many more of their source.
#[derive(Debug, Default)]
struct Sources(Mutex<HashMap<IpAddr, usize>>);

/// A limit that nobody reaches.
const NONE: usize = usize::MAX;

/// Why another connection may not come, with the limit that it would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are as many as there may be.
    All(usize),
    /// Its listener has as many as it may have.
    Listener(usize),
    /// Its source has as many as one may have.
    Source(usize),
}

impl OpenConnections {
    pub(crate) fn new(config: &Config) -> Self {
        let open = Self {
            now: CachePadded::default(),
            most: AtomicUsize::new(0),
            most_per_source: AtomicUsize::new(NONE),
            sources: OnceLock::new(),
        };
        open.limit(config);
        open
    }

    /// Sets the limits for those who come from now on.
    pub(crate) fn limit(&self, config: &Config) {
        let most =
            config.max_connections.unwrap_or_else(|| descriptors::room_for_connections(config));
        self.most.store(most, SeqCst);
        self.most_per_source.store(config.max_connections_per_ip.unwrap_or(NONE), SeqCst);
        if config.max_connections_per_ip.is_some() {
            self.sources.get_or_init(Sources::default);
        }
    }

    /// Counts one more on these terms and, if it has one, from this address, if it may come.
    pub(crate) fn acquire(&self, terms: &Terms, peer: Option<IpAddr>) -> Result<(), Full> {
        count_one_more(&self.now, self.most.load(SeqCst)).map_err(Full::All)?;
        let admitted = count_one_more(&terms.open, terms.most.unwrap_or(NONE))
            .map_err(Full::Listener)
            .and_then(|()| {
                self.admit_source(peer).inspect_err(|_| {
                    terms.open.fetch_sub(1, SeqCst);
                })
            });
        admitted.inspect_err(|_| {
            self.now.fetch_sub(1, SeqCst);
        })
    }

    /// Counts one that has been acquired as one from this address, if it may come. It is released with
    /// the address then.
    pub(crate) fn admit_source(&self, peer: Option<IpAddr>) -> Result<(), Full> {
        match (self.sources.get(), peer) {
            (Some(sources), Some(peer)) => {
                sources.acquire(source(peer), self.most_per_source.load(SeqCst))
            }
            _ => Ok(()),
        }
    }

    /// One on these terms, from there, is gone.
    pub(crate) fn release(&self, terms: &Terms, peer: Option<IpAddr>) {
        if let (Some(sources), Some(peer)) = (self.sources.get(), peer) {
            sources.release(source(peer));
        }
        terms.open.fetch_sub(1, SeqCst);
        self.now.fetch_sub(1, SeqCst);
    }

    /// Whether nobody is counted, in all or from anywhere.
    #[cfg(test)]
    pub(crate) fn has_forgotten_all(&self) -> bool {
        let sources = self.sources.get().map(|sources| sources.0.lock().unwrap());
        self.now() == 0 && sources.is_none_or(|sources| sources.is_empty())
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(SeqCst)
    }
}

impl Sources {
    fn acquire(&self, source: IpAddr, most: usize) -> Result<(), Full> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = sources.entry(source).or_default();
        if *open >= most {
            return Err(Full::Source(most));
        }
        *open += 1;
        Ok(())
    }

    fn release(&self, source: IpAddr) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = sources.get_mut(&source) {
            *open -= 1;
            // Who is not here is not remembered, or the table would grow with everyone who ever was.
            if *open == 0 {
                sources.remove(&source);
            }
        }
    }
}

/// Or says how many there may be.
fn count_one_more(open: &AtomicUsize, most: usize) -> Result<(), usize> {
    let room = |open| (open < most).then_some(open + 1);
    open.try_update(SeqCst, SeqCst, room).map(drop).map_err(|_| most)
}

/// What counts as one source: an IPv4 address, also where it comes as an IPv6 one; or the 64 bits of an
/// IPv6 address that name a network, of which a single host can use all addresses (RFC 4291, 2.5.4).
pub(crate) fn source(peer: IpAddr) -> IpAddr {
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
    use crate::config::Listener;

    fn limits(most: usize, per_ip: Option<usize>) -> OpenConnections {
        OpenConnections::new(&Config {
            max_connections: Some(most),
            max_connections_per_ip: per_ip,
            ..Config::default()
        })
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn terms(most: Option<usize>) -> Terms {
        Terms::new(&Listener { max_connections: most, ..Listener::tcp("localhost", 0) })
    }

    #[test]
    fn connections_are_counted_up_to_the_limit() {
        let (open, terms) = (limits(2, None), terms(None));
        let acquire = || open.acquire(&terms, None);
        assert_eq!([(); 3].map(|()| acquire()), [Ok(()), Ok(()), Err(Full::All(2))]);
        open.release(&terms, None);
        assert_eq!(acquire(), Ok(()));
        assert_eq!(open.now(), 2);
    }

    #[test]
    fn one_listener_leaves_room_for_another() {
        let (open, small, other) = (limits(9, None), terms(Some(1)), terms(None));
        assert_eq!(open.acquire(&small, None), Ok(()));
        assert_eq!(open.acquire(&small, None), Err(Full::Listener(1)));
        assert_eq!(open.acquire(&other, None), Ok(()));
        assert_eq!(open.now(), 2, "who was not let in is not counted");
        open.release(&small, None);
        assert_eq!(open.acquire(&small, None), Ok(()));
    }

    #[test]
    fn one_source_leaves_room_for_another() {
        let (open, terms) = (limits(9, Some(2)), terms(None));
        let (greedy, other) = (Some(ip("10.0.0.1")), Some(ip("10.0.0.2")));
        let acquire = |peer| open.acquire(&terms, peer);
        assert_eq!([(); 3].map(|()| acquire(greedy)), [Ok(()), Ok(()), Err(Full::Source(2))]);
        assert_eq!([other, None].map(acquire), [Ok(()), Ok(())]);
        assert_eq!(open.now(), 4, "who was not let in is not counted");
        assert_eq!(terms.open.load(SeqCst), 4);
        open.release(&terms, greedy);
        assert_eq!(acquire(greedy), Ok(()));
        for peer in [greedy, greedy, other, None] {
            open.release(&terms, peer);
        }
        assert!(open.has_forgotten_all());
    }

    #[test]
    fn limits_can_change_while_some_are_there() {
        let (open, terms) = (limits(9, None), terms(None));
        let (peer, acquire) = (Some(ip("10.0.0.1")), |peer| open.acquire(&terms, peer));
        let limit = |most, per_ip| {
            open.limit(&Config {
                max_connections: Some(most),
                max_connections_per_ip: per_ip,
                ..Config::default()
            });
        };
        assert_eq!([peer, peer].map(acquire), [Ok(()), Ok(())]);
        limit(2, None);
        assert_eq!(acquire(peer), Err(Full::All(2)));
        limit(9, Some(1));
        assert_eq!([peer, peer].map(acquire), [Ok(()), Err(Full::Source(1))]);
        limit(9, None);
        assert_eq!(acquire(peer), Ok(()));
        for _ in 0..4 {
            open.release(&terms, peer);
        }
        assert!(open.has_forgotten_all());
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(source(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
        assert_eq!(source(ip("2001:db8:1:2:3::4")), source(ip("2001:db8:1:2::9")));
        assert_ne!(source(ip("2001:db8:1:2::9")), source(ip("2001:db8:1:3::9")));
    }
}
