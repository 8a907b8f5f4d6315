//! The thread that receives the events of other servers.

use std::{sync::Arc, time::Instant};

use common::room::is_room_name;
use crossbeam::sync::Parker;
use log::{debug, warn};
use redis::{Msg, RedisResult};

use super::{
    backoff::Backoff,
    connection::{Connection, reason},
    limits,
    node::{Node, random},
    payload::{PayloadError, parse_event, parse_heartbeat},
    relay::Relay,
    tracker::{Tracker, Verdict},
};
use crate::{config, rooms::Content, telemetry::LogThrottle};

/// Gives the events of other servers to the owners of the rooms.
pub(super) struct Subscriber<'a> {
    relay: &'a Relay,
    parker: Parker,
    servers_channel: String,
    rooms_prefix: String,
    tracker: Tracker,
    backoff: Backoff,
    foreign: LogThrottle,
    lost: LogThrottle,
}

impl<'a> Subscriber<'a> {
    pub(super) fn new(relay: &'a Relay, parker: Parker) -> Self {
        Self {
            relay,
            parker,
            servers_channel: relay.servers_channel(),
            rooms_prefix: relay.rooms_prefix(),
            tracker: Tracker::default(),
            backoff: Backoff::new(limits::BACKOFF, limits::MAX_BACKOFF),
            foreign: LogThrottle::new(config::limits::LOG_THROTTLE),
            lost: LogThrottle::new(config::limits::LOG_THROTTLE),
        }
    }

    /// Receives until the relay ends.
    pub(super) fn run(mut self) {
        while self.relay.ends_at().is_none() {
            let start = Instant::now();
            if let Err(error) = self.serve() {
                self.relay.status.fail(&reason(&error), Instant::now());
                self.backoff.disconnected(start.elapsed());
                let until = Instant::now() + self.backoff.next(random());
                while self.relay.ends_at().is_none() && Instant::now() < until {
                    self.parker.park_deadline(until);
                }
            }
        }
    }

    /// Receives over one connection. Returns when the relay ends.
    fn serve(&mut self) -> RedisResult<()> {
        let mut connection = Connection::open(&self.relay.url)?;
        connection.subscribe(&self.servers_channel, &format!("{}*", self.rooms_prefix))?;
        self.relay.say_hello();
        while self.relay.ends_at().is_none() {
            let message = connection.receive()?;
            if let Err(error) = self.handle(&message) {
                self.refuse(&message, error);
            }
        }
        Ok(())
    }

    /// Handles a payload.
    fn handle(&mut self, message: &Msg) -> Result<(), PayloadError> {
        let (channel, payload) = (message.get_channel_name(), message.get_payload_bytes());
        if channel == self.servers_channel {
            return self.handle_heartbeat(payload);
        }
        let room = channel.strip_prefix(&self.rooms_prefix[..]);
        let room: Arc<str> =
            room.filter(|room| is_room_name(room)).ok_or(PayloadError::Name)?.into();
        let event = parse_event(payload)?;
        if event.node == self.relay.node {
            return Ok(());
        }
        match self.tracker.receive(event.node, &room, event.position) {
            Verdict::New { lost } => {
                self.report_lost(event.node, &room, lost);
                self.deliver(&room, event.content);
            }
            Verdict::Old => {
                debug!(event = "relay-old", tag = event.node.to_string(), room;
                    "Ignored an old message of server {} to the room {room}", event.node);
            }
        }
        Ok(())
    }

    fn handle_heartbeat(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let heartbeat = parse_heartbeat(payload)?;
        if heartbeat.node == self.relay.node {
            self.relay.status.prove(heartbeat.number, Instant::now());
            return Ok(());
        }
        self.tracker.meet(heartbeat.node, heartbeat.latest);
        for (room, last) in heartbeat.rooms {
            let lost = self.tracker.learn(heartbeat.node, &room, last);
            self.report_lost(heartbeat.node, &room, lost);
        }
        if heartbeat.is_hello {
            self.relay.ask();
        }
        Ok(())
    }

    /// Tells the members of a room and the log that events of another server were lost.
    fn report_lost(&mut self, node: Node, room: &Arc<str>, count: u64) {
        if count == 0 {
            return;
        }
        if let Some(suppressed) = self.lost.allow(Instant::now()) {
            warn!(event = "relay-gap", tag = node.to_string(), room, count;
                "Lost {count} messages of server {node} to the room {room}{suppressed}");
        }
        self.deliver(room, Content::RelayGap { server: node.to_string().into(), count });
    }

    /// Gives an event to the owner of the room, and waits until there is room for it.
    fn deliver(&self, room: &Arc<str>, mut content: Content) {
        while let Err(refused) = self.relay.rooms.receive(room, content) {
            if self.relay.ends_at().is_some() {
                return;
            }
            content = refused;
            self.parker.park_timeout(config::limits::ROOM_RETRY);
        }
    }

    fn refuse(&mut self, message: &Msg, error: PayloadError) {
        if let Some(suppressed) = self.foreign.allow(Instant::now()) {
            let channel = message.get_channel_name().escape_debug().to_string();
            warn!(event = "relay-foreign", channel;
                "Ignored a message on the channel {channel} of Redis: {error}{suppressed}");
        }
    }
}
