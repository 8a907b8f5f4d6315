//! One room: its members, their names, and the order of its events.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use common::room::{ANNOUNCED_MEMBERS, Event, LISTED_MEMBERS, is_guest_name};

#[cfg(feature = "redis")]
use super::outbox::Position;
use super::{
    event::{Content, Form, RoomEvent},
    message::{Delivery, Join, Name, Notice, Origin, RoomId},
    record::{Source, record},
    rooms::{Past, PastMessage, Rooms},
};
use crate::{config::limits, telemetry::ConnectionId};

/// A room. Only its owner touches it.
#[derive(Debug)]
pub(super) struct Room {
    id: RoomId,
    name: Arc<str>,
    /// Number of the last event.
    last: u64,
    members: HashMap<ConnectionId, RoomMember>,
    /// The names of the members in lower case: nobody can take a name that differs from another in its case only.
    names: BTreeMap<Box<str>, Taken>,
    /// Number of members on each worker.
    on_worker: Box<[usize]>,
    /// Number of members for each form.
    in_form: [usize; Form::COUNT],
    /// The last events, for members that join or move.
    recent: VecDeque<Arc<RoomEvent>>,
    recent_weight: usize,
    /// The events that members miss on their way to another worker.
    moving: HashMap<ConnectionId, VecDeque<Arc<RoomEvent>>>,
    /// Number of messages that new members receive: the highest of its listeners.
    history: usize,
    /// Number of the last guest without a name of its own.
    last_guest: u64,
    /// The last event that was for other servers.
    #[cfg(feature = "redis")]
    relayed: Position,
}

#[derive(Debug)]
struct RoomMember {
    name: Arc<str>,
    worker: usize,
    form: Form,
    origin: Origin,
}

/// A name in use.
#[derive(Debug)]
struct Taken {
    shown: Arc<str>,
    /// A user may be here by several connections.
    members: usize,
}

/// Why a name cannot be taken.
const TAKEN: &str = "That name is taken";

impl Room {
    pub(super) fn new(id: RoomId, name: Arc<str>, workers: usize) -> Self {
        Self {
            id,
            name,
            last: 0,
            members: HashMap::new(),
            names: BTreeMap::new(),
            on_worker: vec![0; workers].into(),
            in_form: [0; Form::COUNT],
            recent: VecDeque::new(),
            recent_weight: 0,
            moving: HashMap::new(),
            history: 0,
            last_guest: 0,
            #[cfg(feature = "redis")]
            relayed: Position::default(),
        }
    }

    /// Continues the room with its last messages and its numbers from before the start of the server.
    pub(super) fn restore(&mut self, past: Past) {
        self.last = self.last.max(past.last);
        for PastMessage { number, name, time, text } in past.messages {
            let content = Content::Message { name: name.into(), text, time };
            self.history = self.history.max(limits::ROOM_HISTORY);
            self.keep(Arc::new(RoomEvent::new(number, content, &self.in_form)));
        }
    }

    /// Returns whether nobody is in the room.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns whether the room is worth keeping without members.
    pub(super) fn has_history(&self) -> bool {
        self.history > 0 && self.recent.iter().any(|event| event.is_message())
    }

    pub(super) fn join(&mut self, join: Join, rooms: &Rooms) {
        let Join { member, worker, name, form, options, origin, .. } = join;
        let (name, error) = self.assign(&name);
        self.history = self.history.max(options.history);
        let next = self.last + 1;
        let is_first = self.take_name(&name);
        self.on_worker[worker] += 1;
        self.in_form[form as usize] += 1;
        let entry = RoomMember { name: Arc::clone(&name), worker, form, origin };
        self.members.insert(member, entry);
        let mut bytes = Vec::new();
        let welcome = Event::Welcome {
            number: self.last,
            room: &self.name,
            name: &name,
            members: self.names.len(),
            is_recorded: rooms.is_recorded(),
        };
        form.encode(&welcome, &mut bytes);
        if let Some(text) = error {
            form.encode(&Event::Error { text }, &mut bytes);
        }
        let history = self.last_messages(options.history);
        if !history.is_empty() {
            form.encode_header(history.len(), &mut bytes);
        }
        let history = history.iter().rev().map(|event| event.replayed_bytes(form));
        let chunks = [bytes.into()].into_iter().chain(history).collect();
        let notice = Notice::Joined { room: self.id, name: Arc::clone(&name), next, chunks };
        rooms.deliver(worker, Delivery::Notice(member, notice));
        if is_first {
            self.announce(Content::Joined { name }, rooms);
        }
    }

    /// Sends a message of a member to all members.
    pub(super) fn publish(&mut self, member: ConnectionId, text: Bytes, time: u64, rooms: &Rooms) {
        let Some(entry) = self.members.get(&member) else { return };
        let content = Content::Message { name: Arc::clone(&entry.name), text, time };
        if rooms.is_recorded() {
            record(&self.name, self.last + 1, &content, Source::Member(&entry.origin));
        }
        self.send_own(content, rooms);
    }

    pub(super) fn rename(&mut self, member: ConnectionId, to: &Arc<str>, rooms: &Rooms) {
        let Some(entry) = self.members.get_mut(&member) else { return };
        let is_same = entry.name.eq_ignore_ascii_case(to);
        if self.names.contains_key(&*key(to)) && !is_same {
            return self.answer(member, &Event::Error { text: TAKEN }, rooms);
        }
        let name = std::mem::replace(&mut entry.name, Arc::clone(to));
        self.release_name(&name);
        self.take_name(to);
        let text = format!("You are now {to}");
        self.answer(member, &Event::Info { text: &text }, rooms);
        if name != *to {
            self.announce(Content::Renamed { name, to: Arc::clone(to) }, rooms);
        }
    }

    pub(super) fn who(&self, member: ConnectionId, rooms: &Rooms) {
        let names: Vec<&str> =
            self.names.values().map(|taken| &*taken.shown).take(LISTED_MEMBERS).collect();
        let names = names.join("\n");
        // A user counts once, however many connections it has.
        let event = Event::Members { room: &self.name, count: self.names.len(), names: &names };
        self.answer(member, &event, rooms);
    }

    pub(super) fn set_form(&mut self, member: ConnectionId, form: Form, rooms: &Rooms) {
        let Some(entry) = self.members.get_mut(&member) else { return };
        self.in_form[entry.form as usize] -= 1;
        self.in_form[form as usize] += 1;
        entry.form = form;
        let text = if form == form.with_numbers(true) {
            format!("Sequence numbers are on; the last one is {}", self.last)
        } else {
            "Sequence numbers are off".to_owned()
        };
        self.answer(member, &Event::Info { text: &text }, rooms);
    }

    /// Keeps the events from `next` on for a member that is on its way to another worker.
    pub(super) fn move_away(&mut self, member: ConnectionId, next: u64) {
        let Some(entry) = self.members.get(&member) else { return };
        self.on_worker[entry.worker] -= 1;
        let missed = self.recent.iter().filter(|event| event.number >= next).cloned();
        self.moving.insert(member, missed.collect());
    }

    /// Sends the events that a member has missed on its way. Later events follow them.
    pub(super) fn arrive(&mut self, member: ConnectionId, worker: usize, rooms: &Rooms) {
        let Some(entry) = self.members.get_mut(&member) else { return };
        self.on_worker[worker] += 1;
        entry.worker = worker;
        let missed = self.moving.remove(&member).unwrap_or_default().into();
        let notice = Notice::Resumed { room: self.id, missed, next: self.last + 1 };
        rooms.deliver(worker, Delivery::Notice(member, notice));
    }

    pub(super) fn leave(&mut self, member: ConnectionId, rooms: &Rooms) {
        let Some(entry) = self.members.remove(&member) else { return };
        if self.moving.remove(&member).is_none() {
            self.on_worker[entry.worker] -= 1;
        }
        self.in_form[entry.form as usize] -= 1;
        if self.release_name(&entry.name) {
            self.announce(Content::Left { name: entry.name }, rooms);
        }
    }

    /// Sends an event of another server to all members.
    #[cfg(feature = "redis")]
    pub(super) fn receive(&mut self, content: Content, rooms: &Rooms) {
        if self.is_announced(&content) {
            if rooms.is_recorded() {
                record(&self.name, self.last + 1, &content, Source::Relay);
            }
            self.send(content, rooms);
        }
    }

    /// Sends an event of a member to all members, and to other servers.
    fn send_own(&mut self, content: Content, rooms: &Rooms) {
        #[cfg(feature = "redis")]
        rooms.relay(&self.name, &mut self.relayed, &content);
        self.send(content, rooms);
    }

    /// Sends an event to all members, with the next number.
    fn send(&mut self, content: Content, rooms: &Rooms) {
        self.last += 1;
        let event = Arc::new(RoomEvent::new(self.last, content, &self.in_form));
        for (worker, members) in self.on_worker.iter().enumerate() {
            if *members > 0 {
                rooms.deliver(worker, Delivery::Event(self.id, Arc::clone(&event)));
            }
        }
        for missed in self.moving.values_mut() {
            if missed.len() == limits::ROOM_MISSED {
                missed.pop_front();
            }
            missed.push_back(Arc::clone(&event));
        }
        self.keep(event);
    }

    /// Sends who comes and goes, unless the room is so large that this would be most of its traffic.
    fn announce(&mut self, content: Content, rooms: &Rooms) {
        if self.is_announced(&content) {
            if rooms.is_recorded() {
                record(&self.name, self.last + 1, &content, Source::Server);
            }
            self.send_own(content, rooms);
        }
    }

    fn is_announced(&self, content: &Content) -> bool {
        match content {
            Content::Message { .. } => true,
            #[cfg(feature = "redis")]
            Content::RelayGap { .. } => true,
            Content::Joined { .. } | Content::Left { .. } | Content::Renamed { .. } => {
                self.members.len() <= ANNOUNCED_MEMBERS
            }
        }
    }

    /// Keeps an event for members that join or move.
    fn keep(&mut self, event: Arc<RoomEvent>) {
        self.recent_weight += event.weight();
        self.recent.push_back(event);
        let (max, max_weight) = if self.history > 0 {
            (limits::ROOM_RECENT.max(self.history), limits::ROOM_HISTORY_BYTES)
        } else {
            (limits::ROOM_RECENT, limits::ROOM_RECENT_BYTES)
        };
        while self.recent.len() > max || self.recent_weight > max_weight {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.recent_weight -= oldest.weight();
        }
    }

    /// Returns the last messages, at most this many, first the last one.
    fn last_messages(&self, max: usize) -> Vec<&RoomEvent> {
        let messages = self.recent.iter().rev().filter(|event| event.is_message());
        messages.take(max).map(|event| &**event).collect()
    }

    /// Returns a name for a new member, and why it is not the one that it wants.
    fn assign(&mut self, name: &Name) -> (Arc<str>, Option<&'static str>) {
        match name {
            Name::User(user) => (Arc::clone(user), None),
            Name::Guest(name) if !self.names.contains_key(&*key(name)) => (Arc::clone(name), None),
            Name::Guest(_) => (self.next_guest(), Some(TAKEN)),
            Name::Any => (self.next_guest(), None),
        }
    }

    fn next_guest(&mut self) -> Arc<str> {
        loop {
            self.last_guest += 1;
            let name = format!("guest-{}", self.last_guest);
            debug_assert!(is_guest_name(&name), "a number has at most 20 digits");
            if !self.names.contains_key(&*name) {
                return name.into();
            }
        }
    }

    /// Counts a member with this name. Returns whether it is the first one: a user may have several connections.
    fn take_name(&mut self, name: &Arc<str>) -> bool {
        let taken = || Taken { shown: Arc::clone(name), members: 0 };
        let taken = self.names.entry(key(name)).or_insert_with(taken);
        taken.members += 1;
        taken.members == 1
    }

    /// Counts a member with this name less. Returns whether it was the last one.
    fn release_name(&mut self, name: &str) -> bool {
        let key = key(name);
        let Some(taken) = self.names.get_mut(&key) else { return false };
        taken.members -= 1;
        let is_free = taken.members == 0;
        if is_free {
            self.names.remove(&key);
        }
        is_free
    }

    /// Answers a command of a member.
    fn answer(&self, member: ConnectionId, event: &Event<'_>, rooms: &Rooms) {
        let Some(RoomMember { name, worker, form, .. }) = self.members.get(&member) else { return };
        let mut bytes = Vec::new();
        form.encode(event, &mut bytes);
        let notice = Notice::Answered { form: *form, name: Arc::clone(name), bytes };
        rooms.deliver(*worker, Delivery::Notice(member, notice));
    }
}

/// Returns the form in which names are compared. Names of users are not changed: they begin with `@`, which those of guests do
/// not.
fn key(name: &str) -> Box<str> {
    if name.starts_with('@') { name.into() } else { name.to_ascii_lowercase().into() }
}
