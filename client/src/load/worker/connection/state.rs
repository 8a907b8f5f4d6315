//! State of a connection.

use std::{net::IpAddr, time::Duration};

use super::expectation::Expectation;
use crate::load::worker::io::{context::Context, opening::Opening};
use mio::Token;

/// Maximum number of reads, and of writes, in one turn of a connection.
pub(super) const TURN: usize = 8;

/// Connection of a load.
#[derive(Debug)]
pub(in crate::load::worker) struct Connection<W> {
    pub(super) token: Token,
    /// Local address; `None` leaves the choice to the system.
    pub(super) source: Option<IpAddr>,
    pub(super) state: State<W>,
    pub(super) expectation: Expectation,
    /// Number of messages that have become due (open loop).
    pub(super) due: u64,
    /// Number of messages that were queued after the warm-up.
    pub(super) measured: u64,
    /// Number of lines that had returned when the present socket was connected.
    pub(super) lines_at_connect: u64,
    /// Time at which the present socket was connected, unless it is the first: messages that were due
    /// before could not be sent, which is no lag of the client.
    pub(super) reconnected_at: Duration,
    /// Time at which the server ended the previous connection, until bytes return.
    pub(super) drained_at: Option<Duration>,
    /// Time at which bytes last moved, or at which the present wait started.
    pub(super) last_activity: Duration,
    /// The end of the stream, or an error, follows the received bytes. This event is not repeated.
    pub(super) has_pending_end: bool,
    /// It reached the limit of a turn, and has more to do.
    pub(super) has_yielded: bool,
}

/// Phase of a connection.
#[derive(Debug)]
pub(super) enum State<W> {
    /// The socket is connecting, or makes its handshakes.
    Connecting(Opening<W>),
    /// The server is not reachable at the moment; the connection retries regularly.
    Disconnected,
    /// Messages are exchanged.
    Open(W),
    /// All bytes have returned, and nothing more is sent: any byte before the end is an error.
    Closing(W),
    /// A wrong byte has arrived; the bytes after it are collected for the diagnosis.
    Diagnosing(W, Vec<u8>),
    /// The connection has failed, and the receipt of the server is to arrive.
    Settling(W),
    /// The connection is done, or has failed.
    Finished,
}

impl<W> Connection<W> {
    pub(super) fn create(context: &Context<'_>, index: u32) -> Self {
        let number = context.channel_number(index);
        Self {
            token: Token(index as usize),
            source: context.source_address(number),
            state: State::Finished,
            expectation: Expectation::new(&context.streams, number),
            due: 0,
            measured: 0,
            lines_at_connect: 0,
            reconnected_at: Duration::ZERO,
            drained_at: None,
            last_activity: Duration::ZERO,
            has_pending_end: false,
            has_yielded: false,
        }
    }

    /// Replaces the state by [`State::Finished`], and returns it.
    pub(super) fn take_state(&mut self) -> State<W> {
        std::mem::replace(&mut self.state, State::Finished)
    }

    /// Returns `true` if there are, or may be later, messages to send.
    pub(super) fn has_more_to_send(&self, context: &Context<'_>) -> bool {
        self.backlog() > 0 || context.messages_left(self.measured) > 0
    }

    /// Returns the number of messages that are due and have not been queued (open loop).
    pub(super) fn backlog(&self) -> u64 {
        self.due.saturating_sub(self.expectation.queued_lines())
    }

    /// Returns its index in the process.
    pub(super) fn index(&self) -> u64 {
        self.token.0 as u64
    }
}
