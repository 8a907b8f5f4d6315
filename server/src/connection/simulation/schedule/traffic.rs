//! Steps of the network, the peers and the worker.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::simulation::Simulation;
use crate::{
    connection::{
        Connection, Readiness, Turn, TurnContext,
        simulation::{
            check::TurnStart,
            network::{InjectedBug, WRITABLE_FROM},
        },
        stage::Stage,
    },
    telemetry::Recorder,
};

impl Simulation {
    /// A peer with TLS reads, writes, or does something else.
    pub(super) fn act(&mut self, index: usize) {
        if let Some(event) = self.pairs[index].act(&mut self.rng) {
            self.record(index, |_| event.into());
        }
    }

    /// Some of the bytes that the peer sends arrive.
    pub(super) fn deliver(&mut self, index: usize) {
        let at = self.pairs[index].arrived;
        let left = self.pairs[index].script.len() - at;
        let is_tls = self.pairs[index].encoding.is_tls();
        let is_http = self.pairs[index].application.http().is_some();
        let len = match self.rng.u8(0..3) {
            0 if is_tls => left.min(self.rng.usize(0..2000)),
            0 => left.min(1),
            1 => left.min(self.rng.usize(0..16)),
            // Anywhere, so that a drain or a deadline meets every part of it.
            _ if is_http && self.rng.u8(0..4) > 0 => self.rng.usize(0..=left),
            _ => left,
        };
        let bytes = self.pairs[index].script[at..at + len].to_vec();
        let Some(stream) = self.stream(index) else { return };
        if len == 0 || stream.fin || stream.reset {
            return;
        }
        stream.arrived.extend_from_slice(&bytes);
        self.pairs[index].arrived += len;
        self.pairs[index].edge = true;
        self.record(index, |pair| {
            // Encrypted bytes differ between two runs.
            if pair.encoding.is_tls() {
                format!("{len} bytes arrive")
            } else {
                format!("{:?} arrives", bytes.escape_ascii().to_string())
            }
        });
    }

    /// The peer reads, so the socket takes more bytes.
    pub(super) fn make_room(&mut self, index: usize) {
        let is_large = self.pairs[index].encoding.is_tls() && self.rng.bool();
        let is_medium = self.pairs[index].application.http().is_some() && self.rng.bool();
        let most = match (is_large, is_medium) {
            (true, _) => 5000,
            (false, true) => 600,
            (false, false) => 64,
        };
        let more = self.rng.usize(1..most);
        let is_late = self.rng.u8(0..4) == 0;
        let Some(stream) = self.stream(index) else { return };
        if is_late && !stream.blocked {
            stream.late_room = more;
            self.record(index, |_| format!("room for {more} more bytes after a write that blocks"));
            return;
        }
        stream.room += more;
        if stream.blocked {
            let is_writable = stream.room >= WRITABLE_FROM;
            stream.blocked = !is_writable;
            self.pairs[index].edge |= is_writable;
            let pair = &mut self.pairs[index];
            // A turn for another reason may have sent the bytes that were blocked.
            if pair.connection.as_ref().is_some_and(Connection::wants_write) {
                pair.moved_at = self.now;
            }
        }
        self.record(index, |_| format!("room for {more} more bytes"));
    }

    /// The poll reports readiness.
    pub(super) fn poll(&mut self, index: usize) {
        let pair = &mut self.pairs[index];
        let Some(connection) = &mut pair.connection else { return };
        if std::mem::take(&mut pair.edge) {
            let stream = connection.stream_mut();
            let has_more = stream.fin || stream.reset;
            let readiness =
                Readiness { readable: has_more || !stream.arrived.is_empty(), has_more };
            connection.set_ready(readiness);
            pair.queued = true;
            self.record(index, |_| format!("{readiness:?}"));
        }
    }

    pub(super) fn turn(&mut self, index: usize) {
        let pair = &mut self.pairs[index];
        if !std::mem::take(&mut pair.queued) {
            return;
        }
        let Some(connection) = &mut pair.connection else { return };
        let start = TurnStart::of(connection);
        let telemetry = Recorder::new(0, &pair.counters, true);
        let mut context =
            TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, now: self.now };
        let turn = catch_unwind(AssertUnwindSafe(|| connection.turn(&mut context)));
        let stream = connection.stream_mut();
        if std::mem::take(&mut stream.moved) {
            pair.moved_at = self.now;
        }
        if stream.blocked && stream.room >= WRITABLE_FROM {
            stream.blocked = false;
            pair.edge = true;
        }
        match &turn {
            Ok(Turn::Wait) => {}
            Ok(Turn::Again) => pair.queued = true,
            Ok(Turn::Over) => pair.drop_connection(),
            Err(panic) if panic.is::<InjectedBug>() => {
                pair.faulted = true;
                pair.drop_connection();
            }
            Err(_) => pair.problem = Some("panicked".into()),
        }
        if let Ok(turn) = turn {
            pair.check_turn(&start, turn, self.buffer.len());
            pair.observe_session(&start, self.now);
        }
        self.record(index, |_| format!("turn: {turn:?}"));
    }

    pub(super) fn end_or_reset(&mut self, index: usize) {
        let resets = self.rng.u8(0..3) == 0;
        // A peer with TLS may be cut off anywhere.
        let may_end = self.pairs[index].encoding.is_tls()
            || self.pairs[index].arrived == self.pairs[index].script.len();
        let Some(stream) = self.stream(index) else { return };
        if resets {
            stream.reset = true;
        } else if may_end {
            stream.fin = true;
        } else {
            return;
        }
        self.pairs[index].edge = true;
        self.record(index, |_| if resets { "reset".into() } else { "end of the stream".into() });
    }

    /// The connection moves to another worker, whose poll reports its readiness again, and has a turn.
    pub(super) fn migrate(&mut self, index: usize) {
        let Some(stream) = self.stream(index) else { return };
        let edge = !stream.arrived.is_empty() || stream.fin || stream.reset;
        self.pairs[index].edge |= edge;
        self.pairs[index].queued = true;
        self.record(index, |_| "migrated".into());
    }

    /// The server drains.
    pub(super) fn drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        for index in 0..self.pairs.len() {
            let pair = &mut self.pairs[index];
            if let Some(connection) = &mut pair.connection {
                connection.drain();
                pair.queued = true;
                pair.fin_before_drain = connection.stream_mut().fin;
                pair.drained_at = Some(pair.arrived);
                pair.is_session_drained = connection.stage <= Stage::Serving;
                self.record(index, |pair| format!("drained with {} bytes arrived", pair.arrived));
            }
        }
    }
}
