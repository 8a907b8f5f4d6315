//! What both threads of the relay share.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Instant,
};

use crossbeam::sync::{Parker, Unparker};

use super::{limits, node::Node, status::Status};
use crate::{
    config::RedisUrl,
    rooms::{Outbox, Rooms},
};

/// The relay of a server: it publishes the events of its members and receives those of other servers.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(super) url: RedisUrl,
    pub(super) node: Node,
    pub(super) rooms: Arc<Rooms>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) status: Status,
    /// The subscriber listens since a moment ago, and the other servers are to tell their last events.
    says_hello: AtomicBool,
    /// Another server has asked for the last events of this one.
    is_asked: AtomicBool,
    /// The time at which the threads end at the latest.
    end: OnceLock<Instant>,
    publisher: Unparker,
    subscriber: Unparker,
}

/// The sleep of the threads.
#[derive(Debug)]
pub(crate) struct Parkers {
    pub(super) publisher: Parker,
    pub(super) subscriber: Parker,
}

impl Relay {
    /// Creates the relay of these rooms. Their events wait until its threads run.
    pub(crate) fn new(url: &RedisUrl, rooms: &Arc<Rooms>) -> (Arc<Self>, Parkers) {
        let parkers = Parkers { publisher: Parker::new(), subscriber: Parker::new() };
        let (publisher, subscriber) =
            (parkers.publisher.unparker().clone(), parkers.subscriber.unparker().clone());
        let outbox = Arc::new(Outbox::new(limits::OUTBOX, publisher.clone()));
        rooms.share(Arc::clone(&outbox));
        let node = Node::random();
        let relay = Self {
            url: url.clone(),
            node,
            rooms: Arc::clone(rooms),
            outbox,
            status: Status::new(url, node),
            says_hello: AtomicBool::new(false),
            is_asked: AtomicBool::new(false),
            end: OnceLock::new(),
            publisher,
            subscriber,
        };
        (Arc::new(relay), parkers)
    }

    /// Makes the threads end: the publisher when everything is published, or at this time.
    pub(crate) fn end(&self, at: Instant) {
        self.end.get_or_init(|| at);
        self.publisher.unpark();
        self.subscriber.unpark();
    }

    /// Returns the time at which the threads end at the latest. `None`: the server runs.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.end.get().copied()
    }

    /// Returns whether other servers share the rooms now.
    pub(crate) fn is_shared(&self) -> bool {
        self.status.is_shared()
    }

    /// Makes the publisher ask the other servers for their last events, and tell its own.
    pub(super) fn say_hello(&self) {
        self.says_hello.store(true, SeqCst);
        self.publisher.unpark();
    }

    /// Returns whether the publisher has to ask, without taking the request.
    pub(super) fn has_hello(&self) -> bool {
        self.says_hello.load(SeqCst)
    }

    /// Takes the request to ask the other servers.
    pub(super) fn take_hello(&self) -> bool {
        self.says_hello.swap(false, SeqCst)
    }

    /// Makes the publisher tell the last events with its next heartbeat.
    pub(super) fn ask(&self) {
        self.is_asked.store(true, SeqCst);
    }

    /// Takes the request of another server.
    pub(super) fn take_question(&self) -> bool {
        self.is_asked.swap(false, SeqCst)
    }

    /// Returns the channel of the heartbeats.
    pub(super) fn servers_channel(&self) -> String {
        format!("{}:servers", self.url.prefix())
    }

    /// Returns the beginning of the channels of rooms.
    pub(super) fn rooms_prefix(&self) -> String {
        format!("{}:room:", self.url.prefix())
    }
}
