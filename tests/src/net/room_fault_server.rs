//! A room server inside the test process, with one fault.
//!
//! It has the protocol of rooms in frames. Messages are counted from 1, and a fault depends on the number of a message
//! and never on a clock, so that a test can expect exact counts.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use common::{
    frame::{PREFIX_LEN, encode, payload_len},
    room::{Event, Frame},
};

/// Difference from a room that delivers every message once, in order, to every member.
///
/// The fault is at message [`FAULTY`], and at one member, the first that has joined, unless it says something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoomFault {
    /// A correct room.
    #[default]
    None,
    /// The message is not delivered.
    Drop,
    /// The message is delivered twice.
    Duplicate,
    /// The message is delivered after the one that follows it.
    Swap,
    /// The message is delivered with a wrong byte.
    Damage,
    /// The message is delivered under the name of another member.
    Rename,
    /// Three messages are not delivered, and a gap tells it.
    Gap,
    /// The message and the one that follows it have each other's numbers.
    Reorder,
    /// The message is delivered to no member, and has no number.
    Lose,
    /// The message is delivered to all members twice, with two numbers.
    Repeat,
    /// Nothing is delivered from the message on.
    Stop,
    /// The connection ends before the message.
    Close,
}

/// Number of the message with the fault.
pub const FAULTY: u64 = 50;

/// Room server with a [`RoomFault`]. It serves for as long as the test process runs.
#[derive(Debug)]
pub struct RoomFaultServer {
    address: SocketAddr,
}

impl RoomFaultServer {
    /// Starts a server on a free port.
    #[must_use]
    pub fn start(fault: RoomFault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let room = Arc::new(Mutex::new(Room { fault, ..Room::default() }));
        thread::spawn(move || {
            for (index, socket) in listener.incoming().flatten().enumerate() {
                let room = Arc::clone(&room);
                let name = format!("guest-{index}");
                let Ok(copy) = socket.try_clone() else { continue };
                socket.set_nodelay(true).expect("a TCP socket can send at once");
                lock(&room).join(copy, &name);
                thread::spawn(move || serve(&room, socket, &name));
            }
        });
        Self { address }
    }

    /// Returns its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[derive(Debug, Default)]
struct Room {
    fault: RoomFault,
    /// Number of the last event.
    last: u64,
    /// Number of messages that have arrived.
    messages: u64,
    members: Vec<TcpStream>,
    /// Message that the first member receives after the next one, with its sender.
    held: Option<(String, Vec<u8>)>,
}

impl Room {
    fn join(&mut self, mut socket: TcpStream, name: &str) {
        let members = self.members.len() + 1;
        let welcome =
            Event::Welcome { number: self.last, room: "lobby", name, members, is_recorded: false };
        send(&mut socket, &welcome);
        self.members.push(socket);
        self.last += 1;
        self.deliver_to(0, &Event::Joined { number: self.last, name });
    }

    /// Numbers a message, and delivers it.
    fn receive(&mut self, name: &str, text: &[u8]) {
        self.messages += 1;
        let is_faulty = self.messages == FAULTY;
        match self.fault {
            RoomFault::Lose if is_faulty => return,
            RoomFault::Repeat if is_faulty => self.broadcast(name, text),
            _ => {}
        }
        self.broadcast(name, text);
    }

    fn broadcast(&mut self, name: &str, text: &[u8]) {
        self.last += 1;
        let number = self.last;
        self.deliver_to(1, &message(number, name, text));
        self.deliver_to_first(number, name, text);
    }

    /// Delivers a message to the first member, with the fault.
    fn deliver_to_first(&mut self, number: u64, name: &str, text: &[u8]) {
        let Some(socket) = self.members.first_mut() else { return };
        let event = message(number, name, text);
        let distance = self.messages.checked_sub(FAULTY);
        match (self.fault, distance) {
            (RoomFault::Drop, Some(0))
            | (RoomFault::Stop, Some(_))
            | (RoomFault::Gap, Some(1 | 2)) => {}
            (RoomFault::Duplicate, Some(0)) => {
                send(socket, &event);
                send(socket, &event);
            }
            (RoomFault::Damage, Some(0)) => {
                let mut damaged = text.to_vec();
                *damaged.last_mut().expect("a text is not empty") ^= 1;
                send(socket, &message(number, name, &damaged));
            }
            (RoomFault::Rename, Some(0)) => send(socket, &message(number, "somebody", text)),
            (RoomFault::Gap, Some(0)) => send(socket, &Event::Gap { first: number, count: 3 }),
            (RoomFault::Close, Some(0)) => {
                // Bytes that arrive after the end of both directions would be answered with a reset.
                let _ = socket.shutdown(Shutdown::Write);
            }
            (RoomFault::Swap | RoomFault::Reorder, Some(0)) => {
                self.held = Some((name.to_owned(), text.to_vec()));
            }
            (RoomFault::Swap, Some(1)) => {
                let (held_name, held) = self.held.take().expect("the message before is held");
                send(socket, &event);
                send(socket, &message(number - 1, &held_name, &held));
            }
            (RoomFault::Reorder, Some(1)) => {
                let (held_name, held) = self.held.take().expect("the message before is held");
                send(socket, &message(number - 1, name, text));
                send(socket, &message(number, &held_name, &held));
            }
            _ => send(socket, &event),
        }
    }

    /// Delivers an event to the members from this one on.
    fn deliver_to(&mut self, first: usize, event: &Event<'_>) {
        self.members.iter_mut().skip(first).for_each(|socket| send(socket, event));
    }
}

/// Serves one member until its end.
fn serve(room: &Mutex<Room>, mut socket: TcpStream, name: &str) {
    let (mut input, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = socket.read(&mut chunk) {
        input.extend_from_slice(&chunk[..read]);
        while let Some(text) = take_frame(&mut input) {
            lock(room).receive(name, &text);
        }
    }
    let _ = socket.shutdown(Shutdown::Write);
}

fn take_frame(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = PREFIX_LEN + usize::try_from(payload_len(input)?).ok()?;
    (input.len() >= end).then(|| input.drain(..end).skip(PREFIX_LEN).collect())
}

fn message<'e>(number: u64, name: &'e str, text: &'e [u8]) -> Event<'e> {
    Event::Message { number, name, text, time: 0, is_replayed: false }
}

/// Sends an event. A member that has left receives nothing.
fn send(socket: &mut TcpStream, event: &Event<'_>) {
    let mut payload = Vec::new();
    Frame::of(event, |frame| frame.encode(&mut payload));
    let _ = socket.write_all(&encode(&payload).expect("an event is short"));
}

fn lock(room: &Mutex<Room>) -> std::sync::MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}
