//! The handler of a session that needs none by itself.

use std::{borrow::Cow, time::Instant};

use common::message::Splitter;

use super::{
    session::Session,
    step::{EndCause, Next, ProtocolHandler, Reason, Reply, Step},
};

/// A session of `text`, `raw` or `length` as a handler: with the same steps.
#[derive(Debug)]
struct Handled {
    session: Session,
    /// Bytes of the last step for the log.
    logged: usize,
}

impl Session {
    /// Gives a session without a handler one: its connection then looks at timers beside its own after each message.
    pub(crate) fn handle(&mut self) {
        if !matches!(self, Self::Other(_)) {
            let session = std::mem::replace(self, Self::Raw);
            *self = Self::Other(Box::new(Box::new(Handled { session, logged: 0 })));
        }
    }
}

impl ProtocolHandler for Handled {
    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        let step = self.session.receive(input, now);
        self.logged = step.consumed;
        step
    }

    fn receive_rest(&mut self, rest: &[u8]) -> Option<Step> {
        self.logged = rest.len();
        Some(Step::echo(rest.len(), isize::from(!rest.is_empty())))
    }

    fn splitter(&self) -> Splitter {
        self.session.splitter()
    }

    fn logged(&self) -> usize {
        self.logged
    }

    fn recorded_as(&self) -> Option<&'static str> {
        self.session.recorded_as()
    }

    fn unfinished_messages(&self) -> isize {
        self.session.unfinished_messages()
    }

    fn end(&mut self, _cause: EndCause, _now: Instant) -> Cow<'static, [u8]> {
        Cow::Borrowed(b"")
    }

    fn drain(&mut self, _now: Instant) -> Option<Reply> {
        Some(Reply { bytes: Cow::Borrowed(b""), next: Next::Close(Reason::Drain) })
    }
}
