//! One socket's turn: datagrams in, judged, and out.
//!
//! What the socket does not take is kept, that one datagram, and nothing more is read until it has been
//! sent: what comes meanwhile waits in the kernel, or is dropped there, as UDP may.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
};

use super::{
    rules::Rules,
    socket::{Arrival, DatagramSocket, Route},
};
use crate::{
    connection::{Room, Turn},
    limits,
};

/// A socket, and what is known of it.
#[derive(Debug)]
pub(crate) struct Responder {
    pub(super) socket: Box<dyn DatagramSocket>,
    pub(super) rules: Arc<Rules>,
    unsent: Option<Unsent>,
    /// It is to be closed when what has been received is answered: so many at most.
    left: Option<usize>,
}

#[derive(Debug)]
struct Unsent {
    bytes: Box<[u8]>,
    route: Route,
}

impl Responder {
    pub(super) fn new(socket: Box<dyn DatagramSocket>, rules: Arc<Rules>) -> Self {
        Self { socket, rules, unsent: None, left: None }
    }

    /// Has it closed when what has been received is answered.
    pub(super) fn leave(&mut self) {
        self.left.get_or_insert(limits::DRAIN_DATAGRAMS);
    }

    /// Whether it waits for its socket to take something.
    pub(super) fn wants_write(&self) -> bool {
        self.unsent.is_some()
    }

    /// Answers who is there, but at most a turn's budget of them. `own`: the ports on which the server
    /// listens.
    pub(super) fn turn(&mut self, room: &mut Room<'_>, own: &[u16]) -> Turn {
        if let Some(unsent) = self.unsent.take()
            && !self.send(&unsent.bytes, &unsent.route, room)
        {
            self.unsent = Some(unsent);
            return Turn::Wait;
        }
        let nobody_there = if self.left.is_some() { Turn::Over } else { Turn::Wait };
        let mut received = 0;
        for _ in 0..limits::TURN_DATAGRAMS {
            match self.socket.receive(room.buffer) {
                Ok(arrival) => {
                    received += 1;
                    if !self.answer(&arrival, room, own) {
                        return Turn::Wait;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return nobody_there,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Word of an earlier answer that did not get through: it says nothing of who comes next.
                Err(_) => {}
            }
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    return Turn::Over;
                }
            }
        }
        // What is said so often and brings nobody would be said for ever; whoever comes next is an event of
        // their own.
        if received > 0 { Turn::Again } else { nobody_there }
    }

    /// `false`: the answer has to wait for the socket.
    fn answer(&mut self, arrival: &Arrival, room: &Room<'_>, own: &[u16]) -> bool {
        let bytes = &room.buffer[..arrival.len];
        let route = match self.rules.judge(arrival, own, room.now) {
            Ok(route) => route,
            Err(refusal) => {
                let told = self.rules.complain(refusal, room.now);
                room.journal.datagram_refused(arrival.from, refusal, told);
                return true;
            }
        };
        room.journal.datagram_received(arrival.from, bytes);
        let sent = self.send(bytes, &route, room);
        if !sent {
            self.unsent = Some(Unsent { bytes: bytes.into(), route });
        }
        sent
    }

    /// `false`: the socket has no room for it now.
    fn send(&mut self, bytes: &[u8], route: &Route, room: &Room<'_>) -> bool {
        match self.try_to_send(bytes, route) {
            Ok(()) => room.journal.datagram_echoed(route.peer, bytes),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => {
                let told = self.rules.complain_of_failure(room.now);
                room.journal.datagram_not_sent(route.peer, &error, told);
            }
        }
        true
    }

    fn try_to_send(&mut self, bytes: &[u8], route: &Route) -> io::Result<()> {
        loop {
            match self.socket.send(bytes, route) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }
}
