//! What a peer of HTTP or WebSocket must receive, and where its session is then.

use super::piece::{Comparison, Content, Piece, Response, compare};
use crate::telemetry::CloseReason;

/// What a peer must receive for the bytes that it has sent.
#[derive(Debug)]
pub(in crate::connection::simulation) struct Expected {
    pub(super) pieces: Vec<Piece>,
    pub(in crate::connection::simulation) state: State,
}

/// The state of a session after all bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection::simulation) enum State {
    /// Between two requests.
    Idle,
    /// In the head of a request, of which nothing but an empty line may have arrived.
    Head { is_blank: bool },
    /// In the body of a request whose response has not begun.
    Unanswered { is_head: bool },
    /// In the body of a request.
    Body,
    /// A WebSocket, between two frames or inside of one that is echoed as it arrives.
    Frames { is_inside: bool },
    /// The server has sent its close frame for this reason, and waits for the peer's.
    Closing(CloseReason),
    /// The protocol has ended the session.
    Over(CloseReason),
}

impl Expected {
    pub(super) fn new() -> Self {
        Self { pieces: Vec::new(), state: State::Idle }
    }

    /// Expects the end of the session at a deadline of its protocol.
    pub(in crate::connection::simulation) fn expire(&mut self) {
        let reason = match self.state {
            State::Idle | State::Head { is_blank: true } => CloseReason::Complete,
            State::Head { .. } | State::Unanswered { .. } => {
                self.refuse_incomplete("408 Request Timeout");
                CloseReason::ProtocolTimeout
            }
            State::Body | State::Frames { .. } => CloseReason::ProtocolTimeout,
            State::Closing(reason) | State::Over(reason) => reason,
        };
        self.state = State::Over(reason);
    }

    /// Expects the end of the session at the idle timeout.
    pub(in crate::connection::simulation) fn expire_idle(&mut self) {
        self.refuse_incomplete("408 Request Timeout");
        if let State::Frames { is_inside: false } = self.state {
            self.pieces.push(Piece::Close(1001));
        }
        self.state = State::Over(CloseReason::IdleTimeout);
    }

    /// Expects that the peer ends its stream here.
    pub(in crate::connection::simulation) fn end_stream(&mut self) {
        self.refuse_incomplete("400 Bad Request");
    }

    /// Expects the response to a request that is not complete, if its response has not begun.
    fn refuse_incomplete(&mut self, status: &'static str) {
        let is_head = match self.state {
            State::Head { is_blank: false } => false,
            State::Unanswered { is_head } => is_head,
            _ => return,
        };
        self.pieces.push(Piece::Response(Response {
            status,
            connection: Some("close"),
            is_head,
            content: Content::Refusal,
        }));
    }

    pub(in crate::connection::simulation) fn compare(&self, received: &[u8]) -> Comparison {
        compare(&self.pieces, received)
    }

    /// Returns the pieces, for a person.
    pub(super) fn describe(&self, shown: impl Fn(&[u8]) -> String) -> String {
        let pieces: Vec<String> = self.pieces.iter().map(|piece| piece.describe(&shown)).collect();
        format!("{}, then {:?}", pieces.join(" "), self.state)
    }
}
