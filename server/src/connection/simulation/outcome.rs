//! What the peer of a pair must receive, by the model.

use super::{
    application::Application,
    model::{Echo, Expected, Model, Surroundings, expect},
    pair::Pair,
};

/// The name of the peer's end of the socket.
const SOCKET: &str = "127.0.0.1:54321";

/// The source that a PROXY header names.
const SOURCE: &str = "203.0.113.7:5000";

impl Pair {
    /// Returns what the peer must receive for everything that has arrived.
    pub(super) fn model(&self) -> Model {
        if let Application::Echo(protocol) = self.application {
            return Model::Echo(Echo::new(protocol, &self.session_bytes().0));
        }
        let mut expected = self.expected(self.session.expired.unwrap_or(usize::MAX));
        if self.session.is_idle {
            expected.expire_idle();
        } else if self.session.expired.is_some() {
            expected.expire();
        } else if self.has_ended() {
            expected.end_stream();
        }
        Model::Http(expected)
    }

    /// Returns whether the peer has ended its stream, or its direction of the layer.
    fn has_ended(&self) -> bool {
        self.connection.as_ref().map_or(self.peer_ended, |connection| connection.stream.fin)
            || self.session_bytes().1
    }

    /// Returns what the peer of a session of HTTP must receive for the first bytes of the plaintext.
    pub(super) fn expected(&self, len: usize) -> Expected {
        let mut bytes = self.session_bytes().0;
        bytes.truncate(len);
        let mut surroundings = self.surroundings();
        // A drain begins when everything is served that had arrived before.
        surroundings.drained_at = surroundings.drained_at.filter(|&drained_at| drained_at <= len);
        expect(&bytes, &surroundings)
    }

    fn surroundings(&self) -> Surroundings {
        let header = &self.script[..self.header.min(self.script.len())];
        // A `LOCAL` header names no source.
        let is_named = header.starts_with(b"PROXY") || header.get(12) == Some(&0x21);
        let (peer, proxy) = if is_named { (SOURCE, Some(SOCKET)) } else { (SOCKET, None) };
        Surroundings {
            peer,
            proxy,
            has_tls: self.encoding.is_tls(),
            max_message: self.application.http().map_or(u64::MAX, |http| http.max_message),
            drained_at: self.session_drained_at(),
        }
    }

    /// Returns the number of bytes of the plaintext before the drain, if there is a drain and the session has not ended
    /// before it.
    fn session_drained_at(&self) -> Option<usize> {
        let end = self.drained_at.filter(|_| self.is_session_drained)?;
        let (plaintext, has_ended) = self.encoding.sent(&self.script, self.header.min(end)..end);
        (!has_ended).then_some(plaintext.len())
    }
}
