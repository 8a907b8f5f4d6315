//! Rooms without sockets: workers that take their messages in any order.

use std::{collections::VecDeque, sync::Arc};

use common::room::{ANNOUNCED_MEMBERS, Frame, Kind};
use mio::{Poll, Token, Waker};
use proptest::prelude::*;

use super::{Answer, Delivery, Form, Identity, LocalRooms, Member, Notice, RoomStats, Rooms, Send};
use crate::{
    config::{Room, limits},
    telemetry::ConnectionId,
};

/// A server of rooms with some workers, and members on them. The key of a member on its worker is its index.
struct Server {
    rooms: Arc<Rooms>,
    options: Arc<Room>,
    workers: Vec<(Poll, LocalRooms)>,
    members: Vec<TestMember>,
}

struct TestMember {
    member: Member,
    worker: usize,
    /// What the member has received: frames.
    received: Vec<u8>,
    has_left: bool,
    /// It is on its way to its worker.
    is_moving: bool,
}

/// What a member has received.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    kind: Kind,
    number: u64,
    name: String,
    text: String,
}

/// Returns the identity of the connection of a member.
fn id(index: usize) -> ConnectionId {
    ConnectionId { worker: 0, slot: 0, generation: u32::try_from(index).unwrap() }
}

impl Server {
    fn new(workers: usize, options: Room) -> Self {
        let polls: Vec<_> = (0..workers).map(|_| Poll::new().unwrap()).collect();
        let waker = |poll: &Poll| Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let rooms = Arc::new(Rooms::new(&polls.iter().map(waker).collect::<Vec<_>>()));
        let worker = |(index, poll)| (poll, LocalRooms::new(index));
        let workers = polls.into_iter().enumerate().map(worker).collect();
        Self { rooms, options: Arc::new(options), workers, members: Vec::new() }
    }

    /// Adds a member on a worker, which joins the first room. Returns its index.
    fn join(&mut self, worker: usize, user: Option<&str>) -> usize {
        let index = self.members.len();
        let mut member =
            Member::new(Arc::clone(&self.rooms), Arc::clone(&self.options), Form::Frames);
        member.begin(Self::identity(index, worker), user, None);
        let received = Vec::new();
        self.members.push(TestMember {
            member,
            worker,
            received,
            has_left: false,
            is_moving: false,
        });
        index
    }

    fn identity(index: usize, worker: usize) -> Identity {
        let connection = id(index);
        Identity { connection, worker, peer: "peer".into(), listener: "listener".into() }
    }

    fn member(&mut self, index: usize) -> &mut Member {
        &mut self.members[index].member
    }

    fn say(&mut self, index: usize, text: &str) {
        assert_eq!(self.member(index).publish(text.as_bytes()), Send::Sent);
    }

    /// Lets a worker handle its next delivery, or its next command. Returns false if it has none.
    fn step(&mut self, worker: usize, prefers_commands: bool) -> bool {
        self.rooms.begin(worker);
        let command =
            |server: &mut Self| server.workers[worker].1.directory.handle_next(&server.rooms);
        if prefers_commands && command(self) {
            return true;
        }
        match self.rooms.take_delivery(worker) {
            Some(delivery) => self.deliver(worker, delivery),
            None => return !prefers_commands && command(self),
        }
        true
    }

    fn deliver(&mut self, worker: usize, delivery: Delivery) {
        let local = &mut self.workers[worker].1;
        match delivery {
            Delivery::Event(room, event) => {
                local.begin_batch(room);
                local.batch.push(Arc::clone(&event));
                while let Some(index) = local.next_member() {
                    let TestMember { member, received, .. } = &mut self.members[index];
                    let form = member.take(local.batch.events()).expect("nobody is slow");
                    received.extend_from_slice(local.batch.bytes(form));
                }
                local.end_batch();
            }
            Delivery::Notice(id, notice) => {
                let index = id.generation as usize;
                match &notice {
                    Notice::Joined { room, .. } | Notice::Resumed { room, .. } => {
                        local.enter(id, *room, index);
                    }
                    Notice::Left => local.leave(id),
                    _ => {}
                }
                let TestMember { member, received, has_left, .. } = &mut self.members[index];
                if let Notice::Resumed { missed, .. } = &notice {
                    for event in missed {
                        let form = member.take(std::slice::from_ref(event));
                        received.extend(form.into_iter().flat_map(|form| event.bytes(form)));
                    }
                }
                let answer = member.receive(notice);
                received.extend(member.take_waiting().chunks.into_iter().flatten());
                match answer {
                    Answer::Bytes(bytes) => received.extend(bytes),
                    Answer::Left(_) => *has_left = true,
                }
            }
        }
    }

    /// Lets all workers handle everything.
    fn settle(&mut self) {
        while (0..self.workers.len()).any(|worker| self.step(worker, false)) {}
    }

    /// Takes a member from its worker, if it may move to this one.
    fn move_away(&mut self, index: usize, worker: usize) {
        let TestMember { member, worker: old, is_moving, .. } = &mut self.members[index];
        if *old == worker || member.is_waiting() {
            return;
        }
        member.move_away();
        self.workers[std::mem::replace(old, worker)].1.forget(id(index));
        *is_moving = true;
    }

    /// Brings a member that is on its way to its worker.
    fn arrive(&mut self, index: usize) {
        let TestMember { member, worker, is_moving, .. } = &mut self.members[index];
        if std::mem::take(is_moving) {
            self.workers[*worker].1.introduce(id(index), index);
            member.arrive(*worker);
        }
    }

    /// Returns what a member has received.
    fn events(&self, index: usize) -> Vec<Event> {
        let mut bytes = &self.members[index].received[..];
        let mut events = Vec::new();
        while let Some(len) = common::frame::payload_len(bytes) {
            let (payload, rest) = bytes[4..].split_at(len as usize);
            let frame = Frame::parse(payload).unwrap();
            events.push(Event {
                kind: frame.kind,
                number: frame.number,
                name: frame.name.to_owned(),
                text: String::from_utf8(frame.text.to_vec()).unwrap(),
            });
            bytes = rest;
        }
        events
    }

    /// Returns the events of the room that a member has received, without its welcome and answers.
    fn room_events(&self, index: usize) -> Vec<Event> {
        let is_of_room =
            |kind| matches!(kind, Kind::Message | Kind::Joined | Kind::Left | Kind::Renamed);
        self.events(index).into_iter().filter(|event| is_of_room(event.kind)).collect()
    }

    /// Returns the texts of a kind that a member has received.
    fn texts(&self, index: usize, kind: Kind) -> Vec<String> {
        let events = self.events(index).into_iter().filter(|event| event.kind == kind);
        events.map(|event| format!("{} {}", event.name, event.text)).collect()
    }
}

#[test]
fn a_sender_receives_its_message_like_everybody() {
    let mut server = Server::new(2, Room::default());
    let (first, second) = (server.join(0, None), server.join(1, None));
    server.settle();
    server.say(first, "hello");
    server.settle();
    for member in [first, second] {
        assert_eq!(server.texts(member, Kind::Message), ["guest-1 hello"]);
    }
    assert_eq!(server.texts(first, Kind::Joined), ["guest-1 ", "guest-2 "]);
    assert_eq!(server.texts(second, Kind::Joined), ["guest-2 "]);
    assert_eq!(server.events(second)[0].number, 1, "the number before its own join");
}

#[test]
fn a_name_belongs_to_one_guest_without_regard_to_case() {
    let mut server = Server::new(1, Room::default());
    let (first, second) = (server.join(0, None), server.join(0, None));
    server.settle();
    assert!(server.member(first).rename("Bob"));
    assert!(server.member(second).rename("bOB"));
    server.settle();
    assert_eq!(server.texts(second, Kind::Error), [" That name is taken"]);
    assert_eq!(server.texts(first, Kind::Renamed), ["guest-1 Bob"]);
    assert!(server.member(first).rename("bob"), "the own name in another case");
    server.settle();
    assert_eq!(server.texts(first, Kind::Renamed), ["guest-1 Bob", "Bob bob"]);
    assert!(server.member(first).leave());
    assert!(server.member(second).rename("BOB"));
    server.settle();
    assert_eq!(server.texts(second, Kind::Renamed).last().unwrap(), "guest-2 BOB");
}

#[test]
fn a_guest_keeps_the_name_that_it_has_chosen_and_gets_another_one_otherwise() {
    let mut server = Server::new(1, Room::default());
    let (first, second) = (server.join(0, None), server.join(0, None));
    server.settle();
    server.member(second).join("team".into());
    server.settle();
    assert_eq!(server.texts(second, Kind::Welcome), ["guest-2 lobby", "guest-1 team"]);
    server.member(first).join("team".into());
    server.settle();
    assert_eq!(server.texts(first, Kind::Welcome)[1], "guest-2 team", "no name was refused");
    assert_eq!(server.texts(first, Kind::Error), [""; 0]);
    assert!(server.member(first).rename("bob"));
    server.settle();
    server.member(first).join("lobby".into());
    server.settle();
    assert_eq!(server.texts(first, Kind::Welcome)[2], "bob lobby");
}

#[test]
fn a_user_has_the_same_name_by_every_connection_and_no_guest_can_take_it() {
    let mut server = Server::new(1, Room::default());
    let (first, second) = (server.join(0, Some("ann")), server.join(0, Some("ann")));
    server.settle();
    assert!(server.member(first).ask_who());
    server.settle();
    assert_eq!(server.texts(first, Kind::Members), ["lobby 1\n@ann"]);
    assert!(server.member(second).leave());
    assert!(server.member(first).ask_who());
    server.settle();
    assert_eq!(server.texts(first, Kind::Members)[1], "lobby 1\n@ann");
    assert_eq!(
        server.texts(first, Kind::Joined),
        ["@ann "],
        "the second connection is the same user"
    );
    assert_eq!(server.texts(first, Kind::Left), [""; 0]);
    assert!(!common::room::is_guest_name("@ann"));
}

#[test]
fn a_large_room_does_not_announce_who_comes_and_goes() {
    let mut server = Server::new(1, Room::default());
    for _ in 0..ANNOUNCED_MEMBERS + 10 {
        server.join(0, None);
    }
    server.settle();
    assert_eq!(server.texts(0, Kind::Joined).len(), ANNOUNCED_MEMBERS);
    server.say(0, "hello");
    server.settle();
    let last = server.room_events(ANNOUNCED_MEMBERS + 9);
    assert_eq!(last.len(), 1, "its own join is not announced either");
    assert_eq!(last[0].number, server.events(ANNOUNCED_MEMBERS + 9)[0].number + 1);
}

#[test]
fn a_room_is_open_while_it_has_members_also_if_it_is_kept_longer() {
    let mut server = Server::new(3, Room { history: 2, ..Room::default() });
    assert_eq!(server.rooms.stats(), RoomStats::default());
    let (first, second) = (server.join(0, None), server.join(1, None));
    server.settle();
    assert_eq!(server.rooms.stats(), RoomStats { rooms: 1, members: 2 });
    server.member(second).join("team".into());
    server.settle();
    assert_eq!(server.rooms.stats(), RoomStats { rooms: 2, members: 2 });
    server.say(first, "the room is kept for this message");
    for member in [first, second] {
        assert!(server.member(member).leave());
    }
    server.settle();
    assert_eq!(server.rooms.stats().rooms, 0);
    server.members.clear();
    assert_eq!(server.rooms.stats(), RoomStats::default());
    server.join(2, None);
    server.settle();
    assert_eq!(server.rooms.stats(), RoomStats { rooms: 1, members: 1 });
}

#[test]
fn a_new_member_receives_the_last_messages_also_of_an_empty_room() {
    let options = Room { history: 2, ..Room::default() };
    let mut server = Server::new(2, options);
    let first = server.join(0, None);
    server.settle();
    for text in ["one", "two", "three"] {
        server.say(first, text);
    }
    assert!(server.member(first).leave());
    server.settle();
    assert!(server.members[first].has_left);
    let second = server.join(1, None);
    server.settle();
    assert_eq!(server.texts(second, Kind::Replayed), ["guest-1 two", "guest-1 three"]);
}

#[test]
fn a_room_without_members_and_history_is_gone() {
    let mut server = Server::new(1, Room::default());
    for _ in 0..3 {
        let member = server.join(0, None);
        server.settle();
        assert_eq!(server.events(member)[0].number, 0, "its numbers begin anew");
        drop(server.members.pop());
        server.settle();
        assert!(server.rooms.is_empty());
    }
}

#[test]
fn of_the_rooms_without_members_only_the_last_ones_keep_their_history() {
    let mut server = Server::new(1, Room { history: 1, ..Room::default() });
    let member = server.join(0, None);
    for number in 0..2 * limits::KEPT_ROOMS {
        server.member(member).join(format!("room-{number}").into());
        server.settle();
        server.say(member, "hello");
    }
    for number in [0, 2 * limits::KEPT_ROOMS - 2] {
        server.member(member).join(format!("room-{number}").into());
        server.settle();
    }
    assert_eq!(server.texts(member, Kind::Replayed), ["guest-1 hello"], "of the last but one");
}

#[test]
fn a_member_that_moves_misses_nothing_however_much_may_wait_for_it() {
    let mut server = Server::new(2, Room::default());
    let owner = server.rooms.owner(&server.options.first);
    let (sender, member) = (server.join(owner, None), server.join(1 - owner, None));
    server.settle();
    let mut sent = 0;
    while server.member(member).may_move() {
        server.say(sender, "an event that its worker has not taken");
        assert!(server.workers[owner].1.directory.handle_next(&server.rooms));
        sent += 1;
    }
    assert!(server.step(1 - owner, false));
    while server.member(member).may_move() {
        server.say(sender, "a command that the owner has not taken");
        sent += 1;
    }
    assert!(sent > 10, "{sent}");
    server.move_away(member, owner);
    while server.step(1 - owner, false) {}
    while server.step(owner, true) {}
    server.arrive(member);
    server.settle();
    let messages = server.events(member).into_iter().filter(|event| event.kind == Kind::Message);
    assert_eq!(messages.count(), sent);
    assert_eq!(server.texts(member, Kind::Gap), [""; 0]);
}

#[test]
fn a_member_whose_join_is_refused_while_it_leaves_has_left() {
    let mut server = Server::new(1, Room::default());
    for number in 0..limits::ROOMS + limits::KEPT_ROOMS {
        let member = server.join(0, None);
        server.member(member).join(format!("room-{number}").into());
        server.settle();
    }
    let last = server.join(0, None);
    assert!(server.member(last).leave());
    server.settle();
    assert_eq!(server.texts(last, Kind::Error), [" The server has too many rooms"]);
    assert!(server.members[last].has_left && !server.member(last).is_waiting());
}

#[test]
fn a_sender_waits_while_a_worker_has_no_room() {
    let mut server = Server::new(2, Room::default());
    let members = [server.join(0, None), server.join(1, None)];
    server.settle();
    let text = "x".repeat(8000);
    let owner = server.rooms.owner("lobby");
    let mut sent = 0;
    // Only the owner works: the other worker takes nothing.
    while server.member(members[0]).publish(text.as_bytes()) == Send::Sent {
        sent += 1;
        while server.workers[owner].1.directory.handle_next(&server.rooms) {}
        assert!(sent < 10 * limits::MAILBOX / text.len(), "the queues have limits");
    }
    assert!(sent > limits::MAILBOX / text.len());
    server.settle();
    for member in members {
        assert_eq!(server.texts(member, Kind::Message).len(), sent, "nothing is lost");
    }
    assert_eq!(server.member(members[0]).publish(b"again"), Send::Sent);
}

/// Something that happens on a server.
#[derive(Clone, Debug)]
enum Act {
    Say(usize),
    Step(usize, bool),
    /// Begins or ends the way to a worker.
    Move(usize, usize),
    Leave(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..MEMBERS).prop_map(Act::Say),
        8 => (0..WORKERS, any::<bool>()).prop_map(|(worker, first)| Act::Step(worker, first)),
        2 => (0..MEMBERS, 0..WORKERS).prop_map(|(member, worker)| Act::Move(member, worker)),
        1 => (0..MEMBERS).prop_map(Act::Leave),
    ]
}

const MEMBERS: usize = 4;
const WORKERS: usize = 3;

proptest! {
    /// Whatever the workers do first, and wherever the members move.
    #[test]
    fn members_receive_every_event_once_in_one_order(acts in proptest::collection::vec(act(), 1..200)) {
        let mut server = Server::new(WORKERS, Room::default());
        let members: Vec<_> = (0..MEMBERS).map(|member| server.join(member % WORKERS, None)).collect();
        server.settle();
        let mut sent = vec![VecDeque::new(); MEMBERS];
        let mut left = [false; MEMBERS];
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Say(member) if !left[member] && !server.members[member].is_moving => {
                    server.say(members[member], &number.to_string());
                    sent[member].push_back(number.to_string());
                }
                Act::Leave(member) if !left[member] && !server.members[member].is_moving => {
                    left[member] = true;
                    server.member(members[member]).leave();
                }
                Act::Step(worker, prefers_commands) => {
                    server.step(worker, prefers_commands);
                }
                Act::Move(member, _) if server.members[member].is_moving => server.arrive(member),
                Act::Move(member, worker) => server.move_away(member, worker),
                Act::Say(_) | Act::Leave(_) => {}
            }
        }
        (0..MEMBERS).for_each(|member| server.arrive(member));
        server.settle();
        let all = server.room_events(members[0]);
        for (member, sent) in members.iter().zip(&mut sent) {
            let events = server.room_events(*member);
            let welcome = server.events(*member)[0].number;
            for (event, number) in events.iter().zip(welcome + 1..) {
                prop_assert_eq!(event.number, number, "no gap, no duplicate");
                let other = all.iter().find(|other| other.number == number);
                prop_assert!(other.is_none_or(|other| other == event), "the same for all");
            }
            let name = format!("guest-{}", member + 1);
            let own = events.iter().filter(|event| event.kind == Kind::Message && event.name == name);
            prop_assert!(own.map(|event| &event.text).eq(sent.iter()), "its own messages are receipts");
            prop_assert_eq!(server.members[*member].has_left, left[*member]);
        }
    }
}

/// Events of other servers.
#[cfg(feature = "redis")]
mod relayed {
    use bytes::Bytes;
    use crossbeam::sync::Parker;

    use super::*;
    use crate::rooms::{Content, Outbox};

    /// Returns a server that shares its rooms, and what it sends to others.
    fn shared() -> (Server, Arc<Outbox>) {
        let server = Server::new(2, Room::default());
        let outbox = Arc::new(Outbox::new(usize::MAX, Parker::new().unparker().clone()));
        server.rooms.share(Arc::clone(&outbox));
        (server, outbox)
    }

    fn receive(server: &mut Server, content: Content) {
        server.rooms.receive(&"lobby".into(), content).unwrap();
        server.settle();
    }

    fn message(name: &str) -> Content {
        Content::Message { name: name.into(), text: Bytes::from_static(b"hello"), time: 0 }
    }

    #[test]
    fn an_event_of_another_server_takes_the_next_number_and_is_not_sent_back() {
        let (mut server, outbox) = shared();
        receive(&mut server, message("nobody~a1b2c3"));
        let (first, second) = (server.join(0, None), server.join(1, None));
        server.settle();
        receive(&mut server, message("bob~a1b2c3"));
        receive(&mut server, Content::RelayGap { server: "a1b2c3".into(), count: 2 });
        server.say(first, "own");
        server.settle();
        for member in [first, second] {
            assert_eq!(server.texts(member, Kind::Message), ["bob~a1b2c3 hello", "guest-1 own"]);
            assert_eq!(server.texts(member, Kind::RelayGap), ["a1b2c3 2"]);
        }
        let numbers: Vec<_> = server.events(first).iter().map(|event| event.number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "the welcome, two joins, and three events");
        let sent: Vec<_> = std::iter::from_fn(|| outbox.take()).collect();
        let counts: Vec<_> = sent.iter().map(|event| event.position.count).collect();
        assert_eq!(counts, [1, 2, 3]);
        assert!(matches!(&sent[2].content, Content::Message { text, .. } if text == "own"));
    }

    #[test]
    fn who_comes_and_goes_elsewhere_is_not_announced_in_a_large_room() {
        let (mut server, outbox) = shared();
        for _ in 0..=ANNOUNCED_MEMBERS {
            server.join(0, None);
        }
        server.settle();
        let joins = std::iter::from_fn(|| outbox.take()).count();
        assert_eq!(joins, ANNOUNCED_MEMBERS, "the last one is not announced to others either");
        let before = server.room_events(0).len();
        receive(&mut server, Content::Joined { name: "bob~a1b2c3".into() });
        assert_eq!(server.room_events(0).len(), before);
        receive(&mut server, message("bob~a1b2c3"));
        assert_eq!(server.room_events(0).len(), before + 1);
    }
}
