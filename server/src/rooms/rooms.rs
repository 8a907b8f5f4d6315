//! The rooms of a server, as all of its threads share them: the mailboxes of the workers.

#[cfg(feature = "redis")]
use std::sync::OnceLock;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use bytes::Bytes;
use mio::Waker;

#[cfg(feature = "redis")]
use super::{
    event::Content,
    outbox::{Outbox, Position},
};
use super::{
    event::RoomEvent,
    mailbox::{Mailbox, Wake},
    message::{Command, Delivery},
};
use crate::config::limits;

impl Wake for Arc<Waker> {
    fn wake(&self) {
        // An eventfd write fails only for a full counter, which wakes as well, or a closed descriptor, which the waker owns.
        let _ = Waker::wake(self);
    }
}

/// What a room has had before the start of the server.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Number of the last event.
    pub(crate) last: u64,
    /// The last messages, in their order.
    pub(crate) messages: Vec<PastMessage>,
}

/// A message from before the start of the server.
#[derive(Debug)]
pub(crate) struct PastMessage {
    pub(crate) number: u64,
    pub(crate) name: Box<str>,
    /// Milliseconds since the Unix epoch.
    pub(crate) time: u64,
    pub(crate) text: Bytes,
}

/// Number of commands, and of events, that may wait when a member moves: together with a batch, a room still has them.
const FEW: usize = limits::ROOM_RECENT / 4;

const _: () = assert!(2 * FEW + limits::ROOM_BATCH < limits::ROOM_RECENT);

/// The mailboxes of the workers.
#[derive(Debug)]
pub(crate) struct Rooms {
    workers: Box<[Mailboxes]>,
    /// Number of connections in a room, or on their way into one.
    members: AtomicUsize,
    /// The server keeps a history.
    is_recorded: AtomicBool,
    /// The last messages and numbers of rooms before the start, until the room begins. It is locked for each new room.
    past: Mutex<HashMap<Box<str>, Past>>,
    /// The way to other servers, if they share the rooms.
    #[cfg(feature = "redis")]
    outbox: OnceLock<Arc<Outbox>>,
}

/// The mailboxes of one worker.
#[derive(Debug)]
struct Mailboxes {
    /// To the rooms that it owns.
    commands: Mailbox<Command, Arc<Waker>>,
    /// To the members that it serves.
    deliveries: Mailbox<Delivery, Arc<Waker>>,
    /// Number of its rooms that have members.
    open: AtomicUsize,
}

/// The rooms of a server at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomStats {
    /// Rooms that have members.
    pub rooms: usize,
    /// Connections in a room, or on their way into one.
    pub members: usize,
}

impl Rooms {
    /// Creates the mailboxes of the workers that these wake.
    pub(crate) fn new(wakers: &[Arc<Waker>]) -> Self {
        let mailboxes = |waker: &Arc<Waker>| Mailboxes {
            commands: Mailbox::new(limits::MAILBOX, Arc::clone(waker)),
            deliveries: Mailbox::new(limits::MAILBOX, Arc::clone(waker)),
            open: AtomicUsize::new(0),
        };
        Self {
            workers: wakers.iter().map(mailboxes).collect(),
            members: AtomicUsize::new(0),
            is_recorded: AtomicBool::new(false),
            past: Mutex::default(),
            #[cfg(feature = "redis")]
            outbox: OnceLock::new(),
        }
    }

    /// Returns the number of workers.
    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Returns the worker that owns the room.
    pub(super) fn owner(&self, room: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        room.hash(&mut hasher);
        usize::try_from(hasher.finish() % self.workers.len() as u64).unwrap_or_default()
    }

    /// Sends a command to a worker.
    ///
    /// # Errors
    ///
    /// The command, if there is no room for it now.
    pub(super) fn command(&self, owner: usize, command: Command) -> Result<(), Command> {
        self.workers[owner].commands.send(command.weight(), command)
    }

    /// Sends a command that must not wait. A member sends few of them.
    pub(super) fn force_command(&self, owner: usize, command: Command) {
        self.workers[owner].commands.force(command.weight(), command);
    }

    /// Sends a delivery to a worker. The owner looks for room before each command, and sends a few deliveries for it.
    pub(super) fn deliver(&self, worker: usize, delivery: Delivery) {
        self.workers[worker].deliveries.force(delivery.weight(), delivery);
    }

    /// Returns whether a worker has messages.
    pub(crate) fn has_mail(&self, worker: usize) -> bool {
        let Mailboxes { commands, deliveries, .. } = &self.workers[worker];
        commands.is_signalled() || deliveries.is_signalled()
    }

    /// Begins to take the messages of a worker.
    pub(crate) fn begin(&self, worker: usize) {
        let Mailboxes { commands, deliveries, .. } = &self.workers[worker];
        commands.begin();
        deliveries.begin();
    }

    /// Takes the next delivery of a worker. If other workers wait for room, it wakes them.
    pub(crate) fn take_delivery(&self, worker: usize) -> Option<Delivery> {
        let deliveries = &self.workers[worker].deliveries;
        let delivery = deliveries.take();
        if deliveries.end_wait() {
            self.workers.iter().for_each(|worker| worker.commands.signal());
        }
        delivery
    }

    /// Takes the next command of a worker. `None`: there is none, or a worker has no room for its deliveries, and wakes this
    /// one later.
    pub(super) fn take_command(&self, worker: usize) -> Option<Command> {
        let has_room = |worker: &Mailboxes| worker.deliveries.has_room_or_wait();
        if !self.workers.iter().all(has_room) {
            return None;
        }
        self.workers[worker].commands.take()
    }

    /// Returns whether a member may move away from a worker. If many events wait there or many commands before that of the move,
    /// the room no longer has all that the member misses.
    pub(super) fn allows_move(&self, worker: usize) -> bool {
        // No command or event weighs less.
        let (commands, events) = (FEW * size_of::<Command>(), FEW * size_of::<RoomEvent>());
        self.workers[worker].deliveries.weight() <= events
            && self.workers.iter().all(|worker| worker.commands.weight() <= commands)
    }

    /// Records that the server keeps a history, which members are told.
    #[cfg(feature = "history")]
    pub(crate) fn set_recorded(&self) {
        self.is_recorded.store(true, SeqCst);
    }

    /// Returns whether the server keeps a history.
    pub(super) fn is_recorded(&self) -> bool {
        self.is_recorded.load(SeqCst)
    }

    /// Sets the way to the other servers that share the rooms.
    #[cfg(feature = "redis")]
    pub(crate) fn share(&self, outbox: Arc<Outbox>) {
        // Only the start of the server shares its rooms.
        let _ = self.outbox.set(outbox);
    }

    /// Sends an event of a member to the other servers, if there are any. `last` is the last one of the room.
    #[cfg(feature = "redis")]
    pub(super) fn relay(&self, room: &Arc<str>, last: &mut Position, content: &Content) {
        if let Some(outbox) = self.outbox.get() {
            outbox.push(room, last, content);
        }
    }

    /// Sends an event of another server to a room.
    ///
    /// # Errors
    ///
    /// The event, if there is no room for it now.
    #[cfg(feature = "redis")]
    pub(crate) fn receive(&self, room: &Arc<str>, content: Content) -> Result<(), Content> {
        let command = Command::Relayed { room: Arc::clone(room), content };
        self.command(self.owner(room), command).map_err(|command| match command {
            Command::Relayed { content, .. } => content,
            other => unreachable!("{other:?} is not the command that was sent"),
        })
    }

    /// Sets the last messages and numbers of rooms before the start.
    #[cfg(feature = "history")]
    pub(crate) fn set_past(&self, past: HashMap<Box<str>, Past>) {
        *self.past.lock().unwrap_or_else(PoisonError::into_inner) = past;
    }

    /// Takes the last messages and the last number of a room before the start.
    pub(super) fn take_past(&self, room: &str) -> Past {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.remove(room).unwrap_or_default()
    }

    /// Counts a member.
    pub(super) fn add_member(&self) {
        self.members.fetch_add(1, SeqCst);
    }

    /// Counts a member less. The workers that drain look whether it was the last one.
    pub(super) fn remove_member(&self) {
        if self.members.fetch_sub(1, SeqCst) == 1 {
            self.workers.iter().for_each(|worker| worker.commands.signal());
        }
    }

    /// Counts a room of this worker that has got its first member, or lost its last one.
    pub(super) fn set_open(&self, owner: usize, is_open: bool) {
        let open = &self.workers[owner].open;
        if is_open {
            open.fetch_add(1, Relaxed);
        } else {
            open.fetch_sub(1, Relaxed);
        }
    }

    /// Returns the number of open rooms and of members.
    pub(crate) fn stats(&self) -> RoomStats {
        RoomStats {
            rooms: self.workers.iter().map(|worker| worker.open.load(Relaxed)).sum(),
            members: self.members.load(Relaxed),
        }
    }

    /// Returns whether no connection is in a room.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.load(SeqCst) == 0
    }
}
