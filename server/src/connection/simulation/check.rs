//! Checks of a connection after each turn, whatever its peer has received.

use std::io;

use super::{encoding::Encoding, network::SimulatedStream, pair::Pair};
use crate::connection::{Connection, Turn, stage::Stage};

/// The state of a connection before a turn.
pub(super) struct TurnStart {
    pub(super) unsent: usize,
    room: usize,
    read: usize,
    /// Number of bytes that the session held.
    pub(super) held: usize,
    pub(super) is_preamble: bool,
}

/// A stream that takes nothing, and knows whether it should have.
#[derive(Default)]
struct Refusing {
    has_refused: bool,
}

impl TurnStart {
    pub(super) fn of(connection: &Connection<SimulatedStream>) -> Self {
        let SimulatedStream { room, late_room, read, .. } = connection.stream;
        Self {
            unsent: send_buffer(connection),
            room: room + late_room,
            read,
            held: connection.held.len(),
            is_preamble: connection.stage.is_preamble(),
        }
    }
}

impl Pair {
    /// Checks a connection after a turn with a read buffer of this length.
    pub(super) fn check_turn(&mut self, start: &TurnStart, turn: Turn, buffer: usize) {
        let most_unsent = self.most_unsent(buffer);
        let plaintext = self.session_bytes().0.len() as u64;
        let Some(connection) = &mut self.connection else { return };
        let unsent = send_buffer(connection);
        let stream = &connection.stream;
        let consumed = connection.counters.consumed.get() + connection.held.len() as u64;
        let sleeps = turn == Turn::Wait
            && unsent == 0
            && connection.stage == Stage::Serving
            && stream.arrived.is_empty();
        let problem = if start.unsent > start.room && stream.read > start.read {
            "reads while bytes are unsent"
        } else if unsent > most_unsent {
            "the send buffer is too large"
        } else if sleeps && consumed != plaintext {
            "sleeps before the session has received everything"
        } else if holds_encoded_bytes(connection) {
            "the layer holds encoded bytes after a turn"
        } else {
            return;
        };
        self.problem = Some(problem.into());
    }

    /// Returns the maximum that a send buffer may hold: the echo of one read, with what a layer adds.
    fn most_unsent(&self, buffer: usize) -> usize {
        let reply = self.application.longest_reply();
        match &self.encoding {
            Encoding::Plain => buffer + reply,
            Encoding::Scrambled => 2 * (buffer + reply),
            // A read can complete a record, or the handshake, and each piece of plaintext becomes a record.
            Encoding::Tls(peer) => 2 * (buffer / 2 + peer.longest_record) + 2048 + reply,
        }
    }
}

pub(super) fn send_buffer(connection: &Connection<SimulatedStream>) -> usize {
    connection.send_buffer.as_ref().map_or(0, |buffer| buffer.unsent())
}

fn holds_encoded_bytes(connection: &mut Connection<SimulatedStream>) -> bool {
    let mut stream = Refusing::default();
    if let Some(layer) = connection.layers.layer() {
        let (sent, result) = layer.transmit(&mut stream);
        assert!(sent == 0 && result.is_ok(), "nothing can be sent");
    }
    stream.has_refused
}

impl io::Write for Refusing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.has_refused = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
