//! The thread that publishes the events of this server.

use std::time::Instant;

use crossbeam::sync::Parker;
use log::{debug, warn};
use redis::{RedisError, RedisResult};

use super::{
    backoff::Backoff,
    connection::{Connection, reason},
    ledger::Ledger,
    limits,
    node::random,
    payload::{Heartbeat, encode_event, encode_heartbeat},
    relay::Relay,
};
use crate::{
    config,
    rooms::{Dropped, Outgoing},
    telemetry::LogThrottle,
};

/// Publishes the events in the outbox, and a heartbeat at each interval.
pub(super) struct Publisher<'a> {
    relay: &'a Relay,
    parker: Parker,
    servers_channel: String,
    rooms_prefix: String,
    /// Events that were taken from the outbox. They are published again if Redis has not confirmed them: the other servers
    /// ignore an event that they have.
    batch: Vec<Outgoing>,
    ledger: Ledger,
    /// Events that were dropped before those which are in the outbox now.
    dropped: Dropped,
    /// Dropped events that the log does not name yet.
    overflowed: u64,
    overflow: LogThrottle,
    backoff: Backoff,
    next_heartbeat: Instant,
}

impl<'a> Publisher<'a> {
    pub(super) fn new(relay: &'a Relay, parker: Parker) -> Self {
        Self {
            relay,
            parker,
            servers_channel: relay.servers_channel(),
            rooms_prefix: relay.rooms_prefix(),
            batch: Vec::new(),
            ledger: Ledger::default(),
            dropped: Dropped::default(),
            overflowed: 0,
            overflow: LogThrottle::new(config::limits::LOG_THROTTLE),
            backoff: Backoff::new(limits::BACKOFF, limits::MAX_BACKOFF),
            next_heartbeat: Instant::now(),
        }
    }

    /// Publishes until the relay ends and everything is published.
    pub(super) fn run(mut self) {
        loop {
            let start = Instant::now();
            match self.connect() {
                Ok(mut connection) => match self.serve(&mut connection) {
                    Ok(()) => break,
                    Err(error) => {
                        self.fail(&error);
                        if !error.is_io_error() {
                            // Redis has refused the events, and would do so again.
                            self.drop_events();
                        }
                        self.backoff.disconnected(start.elapsed());
                    }
                },
                Err(error) => {
                    self.fail(&error);
                    self.drop_events();
                    if self.relay.ends_at().is_some() {
                        break;
                    }
                }
            }
            let until = Instant::now() + self.backoff.next(random());
            while self.relay.ends_at().is_none() && Instant::now() < until {
                self.parker.park_deadline(until);
            }
        }
        self.drop_events();
        let events = self.relay.status.take_not_sent() + self.overflowed;
        if events > 0 {
            warn!(event = "relay-not-sent", events;
                "{events} messages were not sent to other servers before the end of this one");
        }
    }

    fn fail(&self, error: &RedisError) {
        self.relay.status.fail(&reason(error), Instant::now());
    }

    /// Connects, and publishes a heartbeat.
    fn connect(&mut self) -> RedisResult<Connection> {
        let mut connection = Connection::open(&self.relay.url)?;
        // Other servers may have missed anything.
        self.ledger.call();
        self.beat(&mut connection)?;
        Ok(connection)
    }

    /// Drops what waits. A connection that fails does not do this, only an attempt to connect: a short interruption loses
    /// nothing here.
    fn drop_events(&mut self) {
        self.relay.outbox.begin();
        let dropped = self.relay.outbox.take_dropped();
        let mut events = dropped.events;
        let waiting = std::iter::from_fn(|| self.relay.outbox.take());
        for event in self.batch.drain(..).chain(waiting) {
            events += 1;
            self.ledger.record(&event.room, event.position);
        }
        for (room, position) in &dropped.last {
            self.ledger.record(room, *position);
        }
        if events == 0 {
            return;
        }
        self.relay.status.add_not_sent(events);
        debug!(event = "relay-dropped", events; "Dropped {events} messages for other servers");
    }

    /// Publishes over one connection. Returns when the relay ends.
    fn serve(&mut self, connection: &mut Connection) -> RedisResult<()> {
        loop {
            self.relay.outbox.begin();
            if self.relay.has_hello() || Instant::now() >= self.next_heartbeat {
                self.beat(connection)?;
            }
            if self.publish_batch(connection)? {
                continue;
            }
            if self.take_dropped() {
                continue;
            }
            if self.relay.ends_at().is_some() {
                // The subscriber receives this one, and ends as well.
                return self.beat(connection);
            }
            self.parker.park_deadline(self.next_heartbeat);
        }
    }

    /// Publishes some events. Returns false if there are none.
    fn publish_batch(&mut self, connection: &mut Connection) -> RedisResult<bool> {
        let mut bytes: usize = self.batch.iter().map(Outgoing::weight).sum();
        while self.batch.len() < limits::BATCH && bytes < limits::BATCH_BYTES {
            let Some(event) = self.relay.outbox.take() else { break };
            bytes += event.weight();
            self.batch.push(event);
        }
        if self.batch.is_empty() || self.relay.ends_at().is_some_and(|end| Instant::now() >= end) {
            return Ok(false);
        }
        let payloads = self.batch.iter().filter_map(|event| {
            let payload = encode_event(self.relay.node, event.position, &event.content)?;
            Some((format!("{}{}", self.rooms_prefix, event.room), payload))
        });
        let payloads: Vec<_> = payloads.collect();
        connection
            .publish(payloads.iter().map(|(channel, payload)| (&channel[..], &payload[..])))?;
        for event in self.batch.drain(..) {
            self.ledger.record(&event.room, event.position);
        }
        Ok(true)
    }

    /// Takes the counts of events for which the outbox had no room, when it is empty. What was in the outbox at the previous
    /// call is published now, so the counts of that call may be announced. Returns whether there are new ones.
    fn take_dropped(&mut self) -> bool {
        let complete = std::mem::replace(&mut self.dropped, self.relay.outbox.take_dropped());
        for (room, position) in &complete.last {
            self.ledger.record(room, *position);
            self.ledger.call_room(room);
        }
        let events = self.dropped.events;
        if events == 0 {
            return false;
        }
        self.overflowed += events;
        if self.overflow.allow(Instant::now()).is_some() {
            let events = std::mem::take(&mut self.overflowed);
            warn!(event = "relay-overflow", events;
                "Dropped {events} messages for other servers: more arrive than {} takes", self.relay.url);
        }
        true
    }

    /// Publishes a heartbeat, with the last events of the rooms that are due.
    fn beat(&mut self, connection: &mut Connection) -> RedisResult<()> {
        self.next_heartbeat = Instant::now() + limits::HEARTBEAT;
        let is_hello = self.relay.take_hello();
        // A server that begins to listen may have missed the question of another one.
        if self.relay.take_question() || is_hello {
            self.ledger.call();
        }
        let mut payloads = Vec::new();
        while payloads.is_empty() || self.ledger.is_due() {
            payloads.push(encode_heartbeat(&Heartbeat {
                node: self.relay.node,
                number: self.relay.status.next_heartbeat(),
                latest: self.ledger.latest(),
                is_hello: is_hello && payloads.is_empty(),
                rooms: self.ledger.take_due(),
            }));
        }
        let channel = &self.servers_channel[..];
        let sent = connection.publish(payloads.iter().map(|payload| (channel, &payload[..])));
        if sent.is_err() && is_hello {
            self.relay.say_hello();
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::{TcpListener, TcpStream},
        sync::Arc,
        thread,
        time::Duration,
    };

    use super::*;
    use crate::rooms::{Content, Position, Rooms};

    /// Answers every command over one connection. Returns the channel of each that publishes.
    fn answer_all(stream: TcpStream) -> Vec<String> {
        let (mut answers, mut channels) = (stream.try_clone().unwrap(), Vec::new());
        let mut commands = BufReader::new(stream);
        let mut line = String::new();
        while commands.read_line(&mut line).unwrap() > 0 {
            let count: usize = line[1..].trim().parse().unwrap();
            let mut arguments = Vec::new();
            for _ in 0..count {
                line.clear();
                commands.read_line(&mut line).unwrap();
                let len: usize = line[1..].trim().parse().unwrap();
                let mut argument = vec![0; len + 2];
                commands.read_exact(&mut argument).unwrap();
                arguments.push(argument[..len].to_vec());
            }
            if arguments[0] == b"PUBLISH" {
                channels.push(String::from_utf8(arguments.swap_remove(1)).unwrap());
            }
            answers.write_all(b":1\r\n").unwrap();
            line.clear();
        }
        channels
    }

    #[test]
    fn what_waits_at_the_end_is_published_before_the_last_heartbeat() {
        const EVENTS: usize = 3 * limits::BATCH - 1;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap()).parse().unwrap();
        let redis = thread::spawn(move || answer_all(listener.accept().unwrap().0));
        let (relay, _) = Relay::new(&url, &Arc::new(Rooms::new(&[])));
        let (room, mut last) = (Arc::from("lobby"), Position::default());
        for _ in 0..EVENTS {
            relay.outbox.push(&room, &mut last, &Content::Joined { name: "bob".into() });
        }
        relay.end(Instant::now() + Duration::from_hours(1));
        Publisher::new(&relay, Parker::new()).run();
        let channels = redis.join().unwrap();
        let events = channels.iter().filter(|channel| *channel == "echo-server:room:lobby");
        assert_eq!(events.count(), EVENTS);
        assert_eq!(channels.last().unwrap(), "echo-server:servers");
        assert_eq!(relay.status.take_not_sent(), 0);
    }

    #[test]
    fn the_last_dropped_event_of_a_room_is_told_after_those_before_it() {
        let url = "redis://127.0.0.1".parse().unwrap();
        let (relay, _) = Relay::new(&url, &Arc::new(Rooms::new(&[])));
        let mut publisher = Publisher::new(&relay, Parker::new());
        let (room, mut last) = (Arc::from("lobby"), Position::default());
        let content = Content::Joined { name: "bob".into() };
        let size = size_of::<Outgoing>();
        for _ in 0..limits::OUTBOX / size + 10 {
            relay.outbox.push(&room, &mut last, &content);
        }
        assert!(publisher.take_dropped());
        assert!(!publisher.ledger.is_due(), "events before it are in the outbox");
        while relay.outbox.take().is_some() {}
        assert!(!publisher.take_dropped());
        assert_eq!(publisher.ledger.take_due(), [(room, last)]);
    }

    #[test]
    fn an_attempt_to_connect_that_fails_drops_what_waits() {
        let url = "redis://127.0.0.1".parse().unwrap();
        let (relay, _) = Relay::new(&url, &Arc::new(Rooms::new(&[])));
        let mut publisher = Publisher::new(&relay, Parker::new());
        let (room, mut last) = (Arc::from("lobby"), Position::default());
        for name in ["bob", "carol", "dave"] {
            relay.outbox.push(&room, &mut last, &Content::Joined { name: name.into() });
        }
        publisher.batch.extend(relay.outbox.take());
        publisher.drop_events();
        assert!(relay.outbox.take().is_none() && publisher.batch.is_empty());
        assert_eq!(relay.status.take_not_sent(), 3);
        publisher.ledger.call();
        assert_eq!(publisher.ledger.take_due(), [(room, last)], "the other servers are told");
    }
}
