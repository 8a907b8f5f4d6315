//! Members against a scripted room.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use common::{
    frame::{PREFIX_LEN, encode, payload_len},
    room::{Event, Frame},
};

use super::{MIN_TEXT, Member};
use crate::load::{
    ipc::{
        message::{Command, WorkerMessage},
        worker_config::{Framing, Pace, RoomConfig, Server, Stop, WorkerConfig},
    },
    stats::{counters::Stats, error_kind::ErrorKind, fault::FaultKind},
    worker::{
        io::wire::PlainWire,
        testing::{self, stats},
    },
};

/// What a room does with an event for one member.
type Deliver = fn(member: usize, number: u64, frame: &[u8], socket: &mut TcpStream);

/// Room that counts its events, and delivers each to all members in the order of their joins.
struct Room {
    framing: Framing,
    deliver: Deliver,
    last: u64,
    members: Vec<TcpStream>,
}

impl Room {
    fn start(framing: Framing, deliver: Deliver) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let room = Self { framing, deliver, last: 7, members: Vec::new() };
        let room = Arc::new(Mutex::new(room));
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let (room, stream) = (Arc::clone(&room), stream.unwrap());
                stream.set_nodelay(true).unwrap();
                room.lock().unwrap().join(stream.try_clone().unwrap(), index);
                thread::spawn(move || serve(&room, framing, stream, index));
            }
        });
        Server::Tcp(address)
    }

    fn join(&mut self, mut socket: TcpStream, index: usize) {
        let name = format!("guest-{index}");
        let welcome = Event::Welcome {
            number: self.last,
            room: "lobby",
            name: &name,
            members: index + 1,
            is_recorded: false,
        };
        socket.write_all(&self.encode(&welcome)).unwrap();
        self.members.push(socket);
        self.broadcast(|number| Event::Joined { number, name: &name });
    }

    fn broadcast<'e>(&mut self, event: impl Fn(u64) -> Event<'e>) {
        self.last += 1;
        let bytes = self.encode(&event(self.last));
        for (index, socket) in self.members.iter_mut().enumerate() {
            (self.deliver)(index, self.last, &bytes, socket);
        }
    }

    fn encode(&self, event: &Event<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.framing == Framing::Text {
            event.write_lines(true, &mut bytes);
            return bytes;
        }
        Frame::of(event, |frame| frame.encode(&mut bytes));
        encode(&bytes).unwrap()
    }
}

/// Serves one member until its end.
fn serve(room: &Mutex<Room>, framing: Framing, mut socket: TcpStream, index: usize) {
    let name = format!("guest-{index}");
    let (mut input, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = socket.read(&mut chunk) {
        input.extend_from_slice(&chunk[..read]);
        while let Some(text) = take_message(framing, &mut input) {
            let mut room = room.lock().unwrap();
            if text == b"/seq on" {
                let last = room.last;
                writeln!(socket, "* Sequence numbers are on; the last one is {last}").unwrap();
                continue;
            }
            room.broadcast(|number| Event::Message {
                number,
                name: &name,
                text: &text,
                time: 0,
                is_replayed: false,
            });
        }
    }
    let _ = socket.shutdown(std::net::Shutdown::Write);
}

fn take_message(framing: Framing, input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (start, end) = match framing {
        Framing::Text => (0, memchr::memchr(b'\n', input)? + 1),
        Framing::Length => (PREFIX_LEN, PREFIX_LEN + payload_len(input)? as usize),
    };
    if input.len() < end {
        return None;
    }
    let message: Vec<_> = input.drain(..end).skip(start).collect();
    Some(message.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(message))
}

fn deliver(_: usize, _: u64, bytes: &[u8], socket: &mut TcpStream) {
    let _ = socket.write_all(bytes);
}

fn config(server: Server) -> WorkerConfig {
    WorkerConfig {
        server,
        tls: None,
        login: None,
        websocket: None,
        sources: Vec::new(),
        process: 0,
        processes: 1,
        connections: 5,
        seed: 42,
        min_size: MIN_TEXT,
        max_size: 300,
        pace: Pace::Depth(4),
        stop: Stop::Messages(100),
        warmup: Duration::ZERO,
        churn: None,
        expect_restart: false,
        expects_faults: false,
        expects_receipt: false,
        timeout: Duration::from_secs(20),
        room: Some(RoomConfig { senders: 2, framing: Framing::Length, name: None }),
    }
}

fn run(config: &WorkerConfig) -> Vec<WorkerMessage> {
    testing::run::<Member<PlainWire>>(config, &[Command::Start])
}

/// Runs five members, of which two send 100 messages each, in a room with a fault.
fn run_faulty(deliver: Deliver) -> Stats {
    let config = WorkerConfig {
        timeout: Duration::from_secs(2),
        ..config(Room::start(Framing::Length, deliver))
    };
    stats(&run(&config))
}

#[test]
fn every_message_arrives_at_every_member_once() {
    for framing in [Framing::Length, Framing::Text] {
        for pace in [Pace::Depth(4), Pace::Rate(5000.0)] {
            let room = Some(RoomConfig { senders: 2, framing, name: None });
            let config = WorkerConfig { pace, room, ..config(Room::start(framing, deliver)) };
            let stats = stats(&run(&config));
            let expected = RoomCounts { deliveries: 5 * 200, ..RoomCounts::default() };
            assert_eq!(RoomCounts::of(&stats), expected, "{framing:?} {pace:?} {stats:?}");
            assert_eq!((stats.messages, stats.lost, stats.error_count()), (200, 0, 0));
            assert_eq!((stats.connects, stats.latency.len()), (5, 1000));
        }
    }
}

#[test]
fn a_warm_up_is_checked_and_not_counted() {
    for pace in [Pace::Depth(1), Pace::Rate(2000.0)] {
        let config = WorkerConfig {
            pace,
            warmup: Duration::from_millis(50),
            ..config(Room::start(Framing::Length, deliver))
        };
        let stats = stats(&run(&config));
        assert_eq!((stats.room.deliveries, stats.messages), (1000, 200), "{pace:?} {stats:?}");
        assert_eq!(stats.error_count(), 0);
    }
}

#[test]
fn a_time_ends_the_load() {
    let config = WorkerConfig {
        stop: Stop::After(Duration::from_millis(100)),
        ..config(Room::start(Framing::Length, deliver))
    };
    let stats = stats(&run(&config));
    assert!(stats.messages > 0 && stats.room.deliveries == 5 * stats.messages, "{stats:?}");
    assert_eq!((stats.room.missing, stats.error_count()), (0, 0));
}

/// What is wrong, in the statistics.
#[derive(Debug, Default, PartialEq, Eq)]
struct RoomCounts {
    deliveries: u64,
    missing: u64,
    duplicates: u64,
    order: u64,
    wrong_texts: u64,
    told: u64,
}

impl RoomCounts {
    fn of(stats: &Stats) -> Self {
        let room = stats.room;
        Self {
            deliveries: room.deliveries,
            missing: room.missing,
            duplicates: room.duplicates,
            order: room.order,
            wrong_texts: room.wrong_texts,
            told: room.told,
        }
    }
}

/// Number of an event in the middle of a run, which has five joins after event 7.
const MIDDLE: u64 = 100;

#[test]
fn a_delivery_that_is_dropped_is_missing() {
    let stats = run_faulty(|member, number, bytes, socket| {
        if member != 3 || number != MIDDLE {
            deliver(member, number, bytes, socket);
        }
    });
    let expected = RoomCounts { deliveries: 999, missing: 1, ..RoomCounts::default() };
    assert_eq!(RoomCounts::of(&stats), expected, "{stats:?}");
    let fault = &stats.faults[0];
    assert_eq!((fault.kind, fault.connection, fault.offset), (FaultKind::Skipped, 3, MIDDLE));
    assert_eq!(fault.text, "member 3: event 100 was skipped");
}

#[test]
fn a_delivery_that_is_repeated_is_a_duplicate() {
    let stats = run_faulty(|member, number, bytes, socket| {
        deliver(member, number, bytes, socket);
        if member == 2 && number == MIDDLE {
            deliver(member, number, bytes, socket);
        }
    });
    let expected = RoomCounts { deliveries: 1000, duplicates: 1, ..RoomCounts::default() };
    assert_eq!(RoomCounts::of(&stats), expected, "{stats:?}");
    assert_eq!(stats.faults[0].text, "member 2: event 100 arrived again");
}

/// The last events of a run never arrive at one member, and nothing later reveals it.
#[test]
fn the_last_deliveries_are_missing_after_the_time_limit() {
    let stats = run_faulty(|member, number, bytes, socket| {
        // Five joins, and 200 messages and the last ones of two senders.
        if member != 4 || number <= 7 + 5 + 200 {
            deliver(member, number, bytes, socket);
        }
    });
    assert_eq!(stats.room.missing, 2, "{stats:?}");
    assert_eq!(stats.faults[0].text, "member 4: 2 events were skipped, 213 to 214");
    assert_eq!(stats.errors[&ErrorKind::Timeout], 1);
}

#[test]
fn a_damaged_text_is_wrong_and_not_missing() {
    let stats = run_faulty(|member, number, bytes, socket| {
        let mut bytes = bytes.to_vec();
        if member == 1 && number == MIDDLE {
            *bytes.last_mut().unwrap() ^= 1;
        }
        deliver(member, number, &bytes, socket);
    });
    let expected = RoomCounts { deliveries: 999, wrong_texts: 1, ..RoomCounts::default() };
    assert_eq!(RoomCounts::of(&stats), expected, "{stats:?}");
    assert_eq!(stats.errors[&ErrorKind::WrongBytes], 1);
}

#[test]
fn a_gap_that_the_server_tells_is_counted_apart() {
    let stats = run_faulty(|member, number, bytes, socket| {
        if member != 0 || !(MIDDLE..MIDDLE + 3).contains(&number) {
            deliver(member, number, bytes, socket);
        } else if number == MIDDLE {
            let mut payload = Vec::new();
            let gap = Event::Gap { first: MIDDLE, count: 3 };
            Frame::of(&gap, |frame| frame.encode(&mut payload));
            deliver(member, number, &encode(&payload).unwrap(), socket);
        }
    });
    let expected = RoomCounts { deliveries: 997, told: 3, ..RoomCounts::default() };
    assert_eq!(RoomCounts::of(&stats), expected, "{stats:?}");
    assert_eq!((stats.faults.len(), stats.error_count()), (0, 0));
}

#[test]
fn an_echo_server_is_no_room() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::Tcp(listener.local_addr().unwrap());
    let config = WorkerConfig { timeout: Duration::from_millis(100), ..config(server) };
    let messages = run(&config);
    let [WorkerMessage::Failed { kind: ErrorKind::Room, text, .. }] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert!(text.contains("did not welcome a member to a room within 100ms"), "{text}");
    assert!(text.contains("protocol=room&framing=length"), "{text}");
}

#[test]
fn a_room_with_the_other_framing_is_named() {
    for (framing, other, named) in [
        (Framing::Length, Framing::Text, "what is not frames of a room"),
        (Framing::Text, Framing::Length, "what is not lines of a room"),
    ] {
        let room = Some(RoomConfig { senders: 1, framing, name: None });
        let config = WorkerConfig {
            room,
            timeout: Duration::from_millis(300),
            ..config(Room::start(other, deliver))
        };
        let messages = run(&config);
        let [WorkerMessage::Failed { kind: ErrorKind::Room, text, .. }] = &messages[..] else {
            panic!("{messages:?}");
        };
        assert!(text.contains(named) || text.contains("did not welcome"), "{text}");
    }
}
