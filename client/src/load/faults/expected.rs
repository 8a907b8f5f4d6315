//! What a connection must have received, by the messages that its server dropped, repeated and postponed.

use std::collections::BTreeMap;

use common::fault::{Fault, FaultAct};

use super::compare::Received;
use crate::load::{ipc::observation::Piece, worker::payload::echo_stream::EchoStream};

/// Maximum number of bytes by which two messages may happen to agree.
const COINCIDENCE: u64 = 64;

/// Maximum length of a message that a server holds.
const MAX_HELD: u64 = 64 * 1024;

/// Number of bytes that are compared at a time.
const CHUNK: u64 = 4096;

/// Message with faults.
#[derive(Clone, Copy, Debug, Default)]
struct Edit {
    start: u64,
    len: u64,
    is_dropped: bool,
    is_repeated: bool,
    is_postponed: bool,
}

/// Echo in the order in which it must arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) pieces: Vec<Piece>,
    /// Number of bytes.
    pub(super) len: u64,
    /// For each fault of messages, the number of bytes that arrive before it shows.
    pub(super) places: Vec<(FaultAct, u64)>,
}

impl Expected {
    /// Builds the echo up to `total` with these faults of messages. `received` tells only where a message ends that is no frame: a
    /// server that knows no lines takes what one read has returned for a message.
    pub(super) fn new(
        echo: &mut EchoStream,
        acts: &[&FaultAct],
        total: u64,
        received: Received<'_>,
    ) -> Self {
        let edits = edits(echo, acts);
        let mut expected = Self::default();
        let mut builder = Builder { echo, received, postponed: None, expected: &mut expected };
        let mut cursor = 0;
        for edit in edits.values() {
            builder.pass(cursor, edit.start.min(total).max(cursor));
            cursor = (edit.start + edit.len).max(cursor);
            builder.add(*edit, acts);
        }
        builder.pass(cursor, total.max(cursor));
        expected
    }

    fn push(&mut self, start: u64, len: u64) {
        if len > 0 {
            self.len += len;
            match self.pieces.last_mut() {
                Some(last) if last.start + last.len == start => last.len += len,
                _ => self.pieces.push(Piece { start, len }),
            }
        }
    }

    /// Returns the number of bytes that arrive before a position of the echo, if it arrives.
    pub(super) fn place_of(&self, position: u64) -> Option<u64> {
        let mut before = 0;
        for piece in &self.pieces {
            if (piece.start..piece.start + piece.len).contains(&position) {
                return Some(before + position - piece.start);
            }
            before += piece.len;
        }
        None
    }
}

/// Returns the messages with faults, by their start. Over WebSocket, a record counts control frames too, so its number names the
/// message.
fn edits(echo: &mut EchoStream, acts: &[&FaultAct]) -> BTreeMap<u64, Edit> {
    let mut edits: BTreeMap<u64, Edit> = BTreeMap::new();
    for act in acts {
        let (start, len) = match act.message {
            Some(message) if echo.has_headers() => {
                (echo.start_of(message), echo.start_of(message + 1) - echo.start_of(message))
            }
            _ => (act.offset, act.bytes.unwrap_or(0)),
        };
        let edit = edits.entry(start).or_insert(Edit { start, len, ..Edit::default() });
        edit.is_dropped |= act.fault == Fault::Drop;
        edit.is_repeated |= act.fault == Fault::Duplicate;
        // One with a delay is late, in its place.
        edit.is_postponed |= act.fault == Fault::Reorder && act.delay_ns.is_none();
    }
    edits
}

struct Builder<'e> {
    echo: &'e mut EchoStream,
    received: Received<'e>,
    /// Message that follows the next one.
    postponed: Option<Edit>,
    expected: &'e mut Expected,
}

impl Builder<'_> {
    /// Adds messages without faults; a postponed one follows the first of them.
    fn pass(&mut self, from: u64, to: u64) {
        let Some(postponed) = self.postponed.filter(|_| from < to) else {
            return self.expected.push(from, to - from);
        };
        let end = self.end_of_message(from, &postponed).min(to);
        self.expected.push(from, end - from);
        self.release();
        self.expected.push(end, to - end);
    }

    /// Adds a message with faults.
    fn add(&mut self, edit: Edit, acts: &[&FaultAct]) {
        let place = self.expected.len;
        let those = acts.iter().filter(|act| {
            act.offset == edit.start
                || act.message.is_some() && self.echo.has_headers() && {
                    let message = act.message.unwrap_or_default();
                    self.echo.start_of(message) == edit.start
                }
        });
        let late = if edit.is_repeated { edit.len } else { 0 };
        let places = those.map(|act| {
            let late = if act.fault == Fault::Duplicate { late } else { 0 };
            (**act, place + late)
        });
        let places: Vec<_> = places.collect();
        self.expected.places.extend(places);
        if edit.is_dropped {
            return;
        }
        if edit.is_postponed && self.postponed.is_none() {
            self.postponed = Some(edit);
            return;
        }
        self.send(edit);
        self.release();
    }

    fn send(&mut self, edit: Edit) {
        for _ in 0..=u8::from(edit.is_repeated) {
            self.expected.push(edit.start, edit.len);
        }
    }

    fn release(&mut self) {
        if let Some(postponed) = self.postponed.take() {
            self.send(postponed);
        }
    }

    /// Returns the end of the message after which the postponed one follows.
    fn end_of_message(&mut self, from: u64, postponed: &Edit) -> u64 {
        let message = self.echo.message_at(from);
        let line = self.echo.start_of(message + 1);
        if self.echo.has_headers() {
            return line;
        }
        // The message goes on as long as its bytes do, and a little less if the postponed one happens to begin like its rest.
        let place = self.expected.len;
        let mut same = 0;
        while same <= MAX_HELD {
            let received = self.received.bytes(self.echo, place + same, CHUNK);
            let echo = self.echo.bytes(from + same, received.len());
            let equal = received.iter().zip(&echo).take_while(|(one, other)| one == other).count();
            same += equal as u64;
            if equal < received.len() || equal == 0 {
                break;
            }
        }
        let ends = (same.saturating_sub(COINCIDENCE).max(1)..=same).rev();
        let mut ends = ends.map(|len| {
            let received = self.received.bytes(self.echo, place + len, postponed.len);
            (
                len,
                !received.is_empty()
                    && received == self.echo.bytes(postponed.start, received.len()),
            )
        });
        ends.find_map(|(len, follows)| follows.then_some(from + len)).unwrap_or(line)
    }
}
