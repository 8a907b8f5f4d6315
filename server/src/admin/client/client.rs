//! A connection: its socket, its bytes, and its deadlines.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    time::Instant,
};

use super::answer::Answer;
use crate::{
    config::limits,
    connection::{Socket, Stream as _, wall_clock},
    http::{ConnectionInfo, Refusal, Status, check_start, find_end, refused},
    layer::is_client_hello,
};

/// Bytes of one read.
const READ: usize = 4096;

/// Reads in one turn, after which the other connections have theirs.
const TURN_READS: usize = 4;

/// A connection to the admin listener.
#[derive(Debug)]
pub(in crate::admin) struct Client {
    stream: Socket,
    state: State,
    /// Received bytes that are not answered yet.
    input: Vec<u8>,
    /// Length of the request at the beginning of the input, if its head is complete and its body is not.
    awaited: usize,
    /// The response that is being sent, and the number of its bytes that were sent.
    output: (Vec<u8>, usize),
    info: ConnectionInfo,
}

/// The event that the connection waits for, and its deadline.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A complete head, since the accept or the end of the last response.
    Reading { since: Instant, deadline: Instant },
    /// The answer to a request, which other threads give.
    Waiting,
    /// The client, which reads the response.
    Writing { keeps_alive: bool, deadline: Instant },
    /// The end of the client's stream, so that closing does not reset the connection.
    Lingering { since: Instant, deadline: Instant },
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Step {
    /// Nothing to do before the next event.
    Wait,
    /// Another turn, after the other connections.
    Again,
    /// A head of this length is complete, and waits for its answer.
    Request(usize),
    /// The connection has ended.
    Close,
}

impl Client {
    pub(in crate::admin) fn new(stream: Socket, now: Instant) -> Self {
        let state = State::Reading { since: now, deadline: now + limits::ADMIN_HEAD_TIMEOUT };
        let info = ConnectionInfo::with_time(now, wall_clock());
        Self { stream, state, input: Vec::new(), awaited: 0, output: (Vec::new(), 0), info }
    }

    /// Returns the socket, for the poll.
    pub(in crate::admin) fn stream_mut(&mut self) -> &mut Socket {
        &mut self.stream
    }

    /// Returns the received bytes, which begin with the head of the request.
    pub(in crate::admin) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Returns the time since which it waits for a request. `None`: it has one.
    pub(in crate::admin) fn idle_since(&self) -> Option<Instant> {
        match self.state {
            State::Reading { since, .. } | State::Lingering { since, .. } => Some(since),
            State::Waiting | State::Writing { .. } => None,
        }
    }

    /// Returns the time at which [`expire`](Self::expire) must be called.
    pub(in crate::admin) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Reading { deadline, .. }
            | State::Writing { deadline, .. }
            | State::Lingering { deadline, .. } => Some(deadline),
            State::Waiting => None,
        }
    }

    /// Handles a deadline that has passed.
    pub(in crate::admin) fn expire(&mut self, now: Instant) -> Step {
        match self.state {
            State::Reading { .. } if !self.input.is_empty() => {
                self.refuse(refused(Status::RequestTimeout, "the request was not complete"), now);
                Step::Again
            }
            State::Waiting => Step::Wait,
            State::Reading { .. } | State::Writing { .. } | State::Lingering { .. } => Step::Close,
        }
    }

    /// Makes progress as far as the socket allows.
    pub(in crate::admin) fn advance(&mut self, now: Instant) -> Step {
        let step = match self.state {
            State::Waiting => Ok(Step::Wait),
            State::Reading { .. } => self.read(now),
            State::Writing { keeps_alive, .. } => self.write(keeps_alive, now),
            State::Lingering { .. } => self.discard(),
        };
        match step {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Step::Wait,
            Err(error) if error.kind() == ErrorKind::Interrupted => Step::Again,
            Err(_) => Step::Close,
            Ok(step) => step,
        }
    }

    /// Waits until a request of this length is complete, until the deadline of its head.
    pub(in crate::admin) fn await_body(&mut self, len: usize) {
        self.awaited = len;
    }

    /// Takes the request out of the input. Its answer follows.
    pub(in crate::admin) fn take_request(&mut self, len: usize) {
        self.awaited = 0;
        self.input.drain(..len);
        self.state = State::Waiting;
    }

    /// Begins to send a response.
    pub(in crate::admin) fn send(
        &mut self,
        answer: &Answer,
        is_head: bool,
        (connection, keeps_alive): (Option<&'static str>, bool),
        now: Instant,
    ) {
        self.info.set_time(now);
        self.output = (answer.to_bytes(is_head, connection, &self.info), 0);
        self.state = State::Writing { keeps_alive, deadline: now + limits::ADMIN_WRITE_TIMEOUT };
    }

    /// Answers what is no valid request, after which the connection ends.
    pub(in crate::admin) fn refuse(&mut self, refusal: Refusal, now: Instant) {
        let is_head = self.input.starts_with(b"HEAD ");
        self.input.clear();
        self.send(&refusal.into(), is_head, (Some("close"), false), now);
    }

    /// Reads until a head is complete, and its body if that is awaited.
    fn read(&mut self, now: Instant) -> io::Result<Step> {
        for _ in 0..TURN_READS {
            match self.find_request() {
                Ok(Some(len)) => return Ok(Step::Request(len)),
                Ok(None) => {}
                Err(refusal) => {
                    self.refuse(refusal, now);
                    return Ok(Step::Again);
                }
            }
            let mut buffer = [0; READ];
            let len = self.stream.read(&mut buffer)?;
            if len == 0 {
                return Ok(Step::Close);
            }
            if let State::Reading { deadline, .. } = &mut self.state
                && self.input.is_empty()
            {
                // The time for a first request counts from the accept.
                *deadline = (*deadline).min(now + limits::ADMIN_HEAD_TIMEOUT);
            }
            self.input.extend_from_slice(&buffer[..len]);
        }
        Ok(Step::Again)
    }

    /// Returns the length of the head, if it is complete, and its body if that is awaited.
    fn find_request(&mut self) -> Result<Option<usize>, Refusal> {
        if self.input.len() < self.awaited {
            return Ok(None);
        }
        // A robust server ignores an empty line before a request (RFC 9112, section 2.2).
        if self.input.starts_with(b"\r\n") {
            self.input.drain(..2);
        }
        if is_client_hello(&self.input) {
            return Err(refused(
                Status::BadRequest,
                "a TLS handshake on the admin listener, which has no TLS",
            ));
        }
        if self.input.is_empty() || self.input == b"\r" {
            return Ok(None);
        }
        check_start(&self.input)?;
        find_end(&self.input)
    }

    fn write(&mut self, keeps_alive: bool, now: Instant) -> io::Result<Step> {
        let (bytes, sent) = &mut self.output;
        while *sent < bytes.len() {
            *sent += self.stream.write(&bytes[*sent..])?;
        }
        self.output = (Vec::new(), 0);
        if keeps_alive {
            let limit =
                if self.input.is_empty() { limits::KEEP_ALIVE } else { limits::ADMIN_HEAD_TIMEOUT };
            self.state = State::Reading { since: now, deadline: now + limit };
        } else {
            self.stream.half_close()?;
            self.state = State::Lingering { since: now, deadline: now + limits::ADMIN_LINGER };
        }
        Ok(Step::Again)
    }

    fn discard(&mut self) -> io::Result<Step> {
        let mut buffer = [0; READ];
        for _ in 0..TURN_READS {
            if self.stream.read(&mut buffer)? == 0 {
                return Ok(Step::Close);
            }
        }
        Ok(Step::Again)
    }
}
