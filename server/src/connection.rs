//! One connection: its socket, what it is owed, and how far its life has come.
//!
//! What is read is sent back from the buffer that it was read into. Only what the socket does not
//! take is copied, into the *tail*, and while there is a tail nothing more is read: a peer that does
//! not read costs one read buffer at most, and a peer that is idle costs none.
//!
//! A connection knows nothing of polls and of other connections. It is told when its socket may be
//! ready, and must then go on until the socket has nothing more to give or take, because readiness is
//! only told once; [`Turn::Again`] is how it says that it stopped for the sake of the others.

use std::{io, net::IpAddr, sync::Arc, time::Instant};

use common::message::Splitter;

use crate::{
    config::Proxy,
    journal::Journal,
    limits,
    open::OpenConnections,
    peer::Peer,
    session::{End, Reason, Session},
    stream::Stream,
    tail::{Tail, write_until_full},
    terms::{Terms, Timeouts},
};

/// What a worker lends to the connection whose turn it is.
pub(crate) struct Room<'a> {
    /// Where to read. What it holds between turns means nothing.
    pub(crate) buffer: &'a mut [u8],
    pub(crate) journal: &'a Journal<'a>,
    /// Who may come: asked when a proxy says whom it has connected for.
    pub(crate) open: &'a OpenConnections,
    pub(crate) now: Instant,
}

/// How a connection's turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing can be done before the socket is ready again.
    Wait,
    /// There is more to do, and others are waiting.
    Again,
    /// It is over; the socket is to be dropped.
    Over,
}

/// What the poll said of a socket. Said once, remembered by the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// A read would find something: bytes, the end, or an error.
    pub(crate) readable: bool,
    /// A short read does not mean that there is no more: behind the bytes may be the end of the
    /// stream, or an error, or a mark of urgent data, at which every read stops (`tcp(7)`).
    pub(crate) more_behind: bool,
}

/// A peer and all that the server keeps for it.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    /// Its name in the log: that of the socket's other end until a PROXY header names another.
    peer: Box<str>,
    /// The other end, which is a proxy; until the log has said so.
    through: Option<Box<str>>,
    /// The address that it counts as one from, if it has one.
    ip: Option<IpAddr>,
    terms: Arc<Terms>,
    session: Session,
    splitter: Splitter,
    /// Received, but more of it is to be seen before anybody says what to do: of a frame, or of a PROXY
    /// header.
    held: Vec<u8>,
    /// Owed to the peer and not yet taken by the socket. `Some` is never empty.
    tail: Option<Box<Tail>>,
    stage: Stage,
    readiness: Readiness,
    /// The server is leaving: this many bytes had been received by then and are still to be served.
    draining: Option<u64>,
    /// The log has been told that it is there: it has sent something, or has been there for a while;
    /// behind a PROXY header if there is to be one. Of a peer that goes before that, as a monitor's probe does every second, the log says nothing.
    is_known: bool,
    /// When bytes last moved, or the stage changed: what timeouts are measured from.
    since: Instant,
}

/// How far a connection's life has come. It only moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A PROXY header is to come.
    Announcing,
    /// What comes in goes back.
    Serving,
    /// Nothing more will be said than the tail; then half-close.
    Ending,
    /// The peer has ended its stream: when the tail is gone, so is the connection.
    Leaving,
    /// Half-closed; what still comes in is thrown away, so that closing does not reset.
    Lingering,
}

impl<S: Stream> Connection<S> {
    pub(crate) fn new(stream: S, peer: &Peer, terms: Arc<Terms>, now: Instant) -> Self {
        Self {
            stream,
            peer: peer.to_string().into(),
            through: None,
            ip: terms.source_of(peer),
            session: Session::new(terms.protocol),
            splitter: Splitter::new(terms.protocol),
            stage: match terms.proxy {
                Proxy::Off => Stage::Serving,
                Proxy::Required => Stage::Announcing,
            },
            terms,
            held: Vec::new(),
            tail: None,
            readiness: Readiness::default(),
            draining: None,
            is_known: false,
            since: now,
        }
    }

    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Whether the connection waits for its socket to take something.
    pub(crate) fn wants_write(&self) -> bool {
        self.tail.is_some()
    }

    /// Remembers what the poll said; a turn must follow.
    pub(crate) fn ready(&mut self, readiness: Readiness) {
        self.readiness.readable |= readiness.readable;
        self.readiness.more_behind |= readiness.more_behind;
    }

    /// The server is leaving. What has been received is still served, and nothing that comes later,
    /// or a peer that never pauses would keep the server; a turn must follow.
    pub(crate) fn drain(&mut self) {
        // A socket that cannot say has an error for the next read to find.
        self.draining = Some(self.stream.received().unwrap_or(1));
        // The poll may not have said yet what is in the socket.
        self.readiness.readable = true;
    }

    /// Goes on as far as the socket, and fairness to others, allow.
    pub(crate) fn turn(&mut self, room: &mut Room<'_>) -> Turn {
        self.go_on(room).unwrap_or_else(|error| {
            if self.is_known {
                room.journal.lost(&self.peer, &error, self.unsent());
            }
            self.cut_header(room.journal);
            Turn::Over
        })
    }

    fn go_on(&mut self, room: &mut Room<'_>) -> io::Result<Turn> {
        let mut reads_left = limits::TURN_READS;
        self.flush(room)?;
        while self.tail.is_none() {
            match self.stage {
                Stage::Announcing if self.draining == Some(0) => {
                    self.held = Vec::new();
                    self.enter(Stage::Ending, room.now);
                }
                Stage::Serving if self.draining == Some(0) => {
                    self.enter(Stage::Ending, room.now);
                    self.give_back_held(room)?;
                }
                Stage::Announcing | Stage::Serving | Stage::Lingering
                    if self.readiness.readable =>
                {
                    if reads_left == 0 {
                        return Ok(Turn::Again);
                    }
                    let messages = self.read(room)?;
                    reads_left = reads_left.saturating_sub(1 + messages / limits::TURN_MESSAGES);
                }
                Stage::Announcing | Stage::Serving | Stage::Lingering => return Ok(Turn::Wait),
                Stage::Ending => {
                    self.half_close()?;
                    self.enter(Stage::Lingering, room.now);
                }
                Stage::Leaving => return Ok(Turn::Over),
            }
        }
        Ok(Turn::Wait)
    }

    fn half_close(&mut self) -> io::Result<()> {
        match self.stream.half_close() {
            // The peer has reset the connection, and reading says so in better words.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                self.readiness.readable = true;
                Ok(())
            }
            closed => closed,
        }
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        self.since = now;
    }

    /// When to look at this connection again if nothing happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let may_be_a_probe = !self.is_known && self.stage != Stage::Announcing;
        let known = may_be_a_probe.then(|| self.since + limits::PROBE);
        [known, self.time_is_up()].into_iter().flatten().min()
    }

    /// When whoever is waited for has taken too long.
    fn time_is_up(&self) -> Option<Instant> {
        let timeouts = &self.terms.timeouts;
        let limit = match self.stage {
            _ if self.tail.is_some() => timeouts.write,
            Stage::Announcing => Some(limits::PROXY_TIMEOUT),
            Stage::Lingering => self.draining.is_none().then_some(limits::LINGER),
            Stage::Serving | Stage::Ending | Stage::Leaving => timeouts.idle,
        };
        // A time too long for the clock never comes.
        limit.and_then(|limit| self.since.checked_add(limit))
    }

    /// Nothing happened until `now`, and the deadline has passed: says so. The connection may be over
    /// by that.
    pub(crate) fn expire(&mut self, now: Instant, journal: &Journal<'_>) -> Turn {
        if self.stage != Stage::Announcing {
            self.make_known(journal);
        }
        let Timeouts { idle, write } = *self.terms.timeouts;
        if self.time_is_up().is_none_or(|up| up > now) {
            return Turn::Wait;
        }
        if self.stage == Stage::Announcing {
            self.is_known = true;
            journal.late_header(&self.peer, limits::PROXY_TIMEOUT, &self.held);
        } else if let Some(after) = write.filter(|_| self.tail.is_some()) {
            journal.write_timed_out(&self.peer, after, self.unsent());
        } else if self.stage == Stage::Lingering {
            journal.linger_timed_out(&self.peer);
        } else if let Some(after) = idle {
            journal.idle_timed_out(&self.peer, after);
        }
        Turn::Over
    }

    fn make_known(&mut self, journal: &Journal<'_>) {
        if !std::mem::replace(&mut self.is_known, true) {
            journal.connected(&self.peer, self.through.take().as_deref());
        }
    }

    /// Bytes that are owed to the peer.
    pub(crate) fn unsent(&self) -> usize {
        let held = if self.stage == Stage::Announcing { 0 } else { self.held.len() };
        held + self.tail.as_ref().map_or(0, |tail| tail.unsent())
    }

    /// Reads once, and deals with what came. Returns how many messages of it were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn read(&mut self, room: &mut Room<'_>) -> io::Result<usize> {
        let held = self.held.len();
        if held > 0 {
            room.buffer[..held].copy_from_slice(&self.held);
        }
        let room_left = room.buffer.len() - held;
        let most = match self.draining {
            Some(left) if self.stage != Stage::Lingering => {
                room_left.min(usize::try_from(left).unwrap_or(usize::MAX))
            }
            _ => room_left,
        };
        match self.stream.read(&mut room.buffer[held..held + most]) {
            Ok(0) => {
                self.readiness = Readiness::default();
                self.end_of_stream(room)?;
                Ok(0)
            }
            Ok(read) => {
                let mut all = held + read;
                // A short read took all there was, unless we know better.
                self.readiness.readable = read == most || self.readiness.more_behind;
                if self.stage == Stage::Serving {
                    self.count_drained(read);
                } else {
                    match self.read_aside(read, all, room)? {
                        0 => return Ok(0),
                        clients => all = clients,
                    }
                }
                self.make_known(room.journal);
                self.since = room.now;
                self.receive(all, room)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.readable = false;
                // Then what was counted as received has been discarded by the kernel.
                self.draining = self.draining.map(|_| 0);
                Ok(0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Of what a draining server still serves, this much has been read.
    fn count_drained(&mut self, read: usize) {
        self.draining = self.draining.map(|left| left - read as u64);
        self.readiness.readable |= self.draining.is_some_and(|left| left > 0);
    }

    /// Shows the session the first `len` bytes of the buffer, and does what it says. Returns how many
    /// messages were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn receive(&mut self, len: usize, room: &Room<'_>) -> io::Result<usize> {
        let input = &room.buffer[..len];
        let outcome = self.session.receive(input);
        let mut echo_splitter = self.splitter;
        let consumed = &input[..outcome.consumed];
        let messages = room.journal.received(&self.peer, &mut self.splitter, consumed);
        let (reply, reason) = match outcome.end {
            None => {
                // Whoever is not in the middle of a frame owns no buffer.
                if outcome.consumed < len || !self.held.is_empty() {
                    self.held = input[outcome.consumed..].to_vec();
                }
                (None, None)
            }
            Some(End { reason, reply }) => {
                self.held = Vec::new();
                self.enter(Stage::Ending, room.now);
                (Some(reply), Some(reason))
            }
        };
        self.send(
            &input[..outcome.echo],
            reply.as_deref().unwrap_or_default(),
            &mut echo_splitter,
            room,
        )?;
        match reason {
            None => {}
            Some(Reason::Exit) => room.journal.exit_requested(&self.peer),
            Some(Reason::FrameTooLong(payload)) => room.journal.frame_too_long(&self.peer, payload),
        }
        Ok(messages)
    }

    /// The peer has said all that it will say.
    fn end_of_stream(&mut self, room: &mut Room<'_>) -> io::Result<()> {
        self.cut_header(room.journal);
        let was = self.stage;
        self.enter(Stage::Leaving, room.now);
        if was == Stage::Serving {
            self.give_back_held(room)?;
            if self.is_known {
                room.journal.disconnected(&self.peer);
            }
        }
        Ok(())
    }

    /// What was held to see what it would become has become nothing: it goes back as it is.
    fn give_back_held(&mut self, room: &mut Room<'_>) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut splitter = self.splitter;
        room.journal.received(&self.peer, &mut self.splitter, &held);
        self.send(&held, &[], &mut splitter, room)
    }

    /// Sends the echo and then the reply; what the socket does not take becomes the tail.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn send(
        &mut self,
        echo: &[u8],
        reply: &[u8],
        splitter: &mut Splitter,
        room: &Room<'_>,
    ) -> io::Result<()> {
        debug_assert!(
            self.tail.is_none(),
            "nothing is read, so nothing is sent, while there is a tail"
        );
        let sent = write_until_full(&mut self.stream, echo)?;
        let logged = room.journal.echoed(&self.peer, splitter, echo, sent);
        let replied = if sent == echo.len() && !reply.is_empty() {
            write_until_full(&mut self.stream, reply)?
        } else {
            0
        };
        room.journal.sent(sent + replied);
        if sent + replied < echo.len() + reply.len() {
            let tail = Tail::new(&echo[logged..], sent - logged, &reply[replied..], *splitter);
            self.tail = Some(Box::new(tail));
        }
        Ok(())
    }

    /// Sends of the tail, if there is one, what the socket takes.
    fn flush(&mut self, room: &Room<'_>) -> io::Result<()> {
        if let Some(tail) = &mut self.tail {
            if tail.send(&mut self.stream, &self.peer, room.journal)? > 0 {
                self.since = room.now;
            }
            if tail.unsent() == 0 {
                self.tail = None;
            }
        }
        Ok(())
    }
}

mod announcing;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod simulation;
