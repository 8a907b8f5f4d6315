//! The list of a worker's connections, for the admin listener: a bounded number of slots for each request.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use slab::Slab;

use super::slot::Slot;
use crate::{
    config::limits,
    connection::{Order, Stream},
    shared::ListRequest,
};

/// Answers a request with connections of the worker with this index.
pub(super) fn answer<S: Stream>(
    request: ListRequest,
    connections: &mut Slab<Slot<S>>,
    worker: usize,
    now: Instant,
) {
    let end = connections.capacity().min(request.from.saturating_add(limits::LISTED_SLOTS));
    let (found, next) = match request.order {
        None => first(&request, connections, end, now),
        Some((order, least)) => (highest(&request, connections, end, (order, least), now), end),
    };
    let next = (next < connections.capacity()).then_some(next);
    let found = found
        .into_iter()
        .map(|(rank, key)| (rank, connections[key].connection.summarize(worker, now)));
    let found = found.collect();
    request.answer(found, next);
}

/// Returns the first connections from the slot of the request to `end`, and the slot after the last one.
fn first<S: Stream>(
    request: &ListRequest,
    connections: &Slab<Slot<S>>,
    end: usize,
    now: Instant,
) -> (Vec<(u64, usize)>, usize) {
    let mut found = Vec::new();
    for key in request.from..end {
        if found.len() == request.max {
            return (found, key);
        }
        let slot = connections.get(key);
        if slot.is_some_and(|slot| slot.connection.matches(&request.filter, now)) {
            found.push((0, key));
        }
    }
    (found, end)
}

/// Returns the connections with the highest ranks, from a least one on.
fn highest<S: Stream>(
    request: &ListRequest,
    connections: &Slab<Slot<S>>,
    end: usize,
    (order, least): (Order, u64),
    now: Instant,
) -> Vec<(u64, usize)> {
    let mut found = BinaryHeap::new();
    for key in request.from..end {
        let Some(Slot { connection, .. }) = connections.get(key) else { continue };
        let rank = connection.rank(order, now);
        if rank < least || !connection.matches(&request.filter, now) {
            continue;
        }
        found.push(Reverse((rank, key)));
        if found.len() > request.max {
            found.pop();
        }
    }
    found.into_iter().map(|Reverse(found)| found).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Read, Write},
        sync::Arc,
        time::Duration,
    };

    use common::protocol::Protocol;
    use crossbeam::channel::unbounded;
    use mio::{Poll, Token, Waker};

    use super::*;
    use crate::{
        admission::{ConnectionLimits, ConnectionPolicy, Peer},
        config::Config,
        connection::{Connection, Filter},
        shared::ListPage,
    };

    /// A stream on which nothing happens.
    #[derive(Debug)]
    struct Silent;

    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    impl Write for Silent {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Silent {
        fn half_close(&mut self) -> io::Result<()> {
            Ok(())
        }
        fn is_delivered(&self) -> io::Result<bool> {
            Ok(true)
        }
        fn local_name(&self) -> String {
            String::new()
        }
        fn received(&self) -> io::Result<u64> {
            Ok(0)
        }
    }

    /// Connections of which each is a second younger than the one before.
    fn connections(count: u32, begin: Instant) -> Slab<Slot<Silent>> {
        let policy = Arc::new(ConnectionPolicy::for_protocol(Protocol::Text));
        let limits =
            ConnectionLimits::new(&Config { max_connections: Some(9999), ..Config::default() });
        let mut connections = Slab::new();
        for number in 0..count {
            let peer = Peer::Local("peer".into(), number.into());
            let permit = limits.admit(&policy, None).unwrap();
            let opened_at = begin + Duration::from_secs(number.into());
            let counters = Arc::default();
            let connection = Connection::new(Silent, &peer, permit, counters, opened_at, opened_at);
            connections.insert(Slot::new(connection));
        }
        connections
    }

    fn list(
        connections: &mut Slab<Slot<Silent>>,
        (from, max): (usize, usize),
        order: Option<(Order, u64)>,
        (filter, now): (Filter, Instant),
    ) -> (Vec<serde_json::Value>, Option<usize>) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (sender, pages) = unbounded();
        let request =
            ListRequest::new((0, 0), (from, max), Arc::new(filter), order, (sender, waker));
        answer(request, connections, 0, now);
        let ListPage { connections, next, .. } = pages.try_recv().unwrap();
        let to_json = |(_, summary)| serde_json::to_value(summary).unwrap();
        (connections.into_iter().map(to_json).collect(), next)
    }

    #[test]
    fn a_worker_examines_a_bounded_number_of_slots_for_each_request() {
        let begin = Instant::now();
        let mut connections = connections(5000, begin);
        let nobody = Filter { peer: Some("nobody".to_owned()), ..Filter::default() };
        for order in [None, Some((Order::Age, 0))] {
            let part = list(&mut connections, (0, 100), order, (nobody.clone(), begin));
            assert_eq!(part, (Vec::new(), Some(limits::LISTED_SLOTS)));
        }
        let last =
            list(&mut connections, (limits::LISTED_SLOTS, 1000), None, (Filter::default(), begin));
        assert_eq!(last.0.len(), 5000 - limits::LISTED_SLOTS);
        assert_eq!(last.0[0]["peer"], "peer#4096");
        // The table may have room for more.
        assert!(last.1.is_none_or(|next| next >= 5000));
    }

    #[test]
    fn the_highest_connections_are_those_of_all_slots() {
        let begin = Instant::now();
        let mut connections = connections(10, begin);
        let now = begin + Duration::from_secs(10);
        let ages = |connections: &mut Slab<Slot<Silent>>, least: u64| {
            let order = Some((Order::Age, least));
            let (found, next) = list(connections, (0, 3), order, (Filter::default(), now));
            assert!(next.is_none_or(|next| next >= 10));
            let mut ages: Vec<_> =
                found.iter().map(|one| one["age_seconds"].as_f64().unwrap().to_string()).collect();
            ages.sort();
            ages
        };
        assert_eq!(ages(&mut connections, 0), ["10", "8", "9"]);
        assert_eq!(ages(&mut connections, 9_000_000_000), ["10", "9"]);
        let filter = Filter { min_idle: Some(Duration::from_secs(9)), ..Filter::default() };
        let (idle, _) = list(&mut connections, (0, 100), None, (filter, now));
        assert_eq!(idle.len(), 2);
    }
}
