//! The handler around a session.

use std::{borrow::Cow, time::Instant};

use common::{
    fault::FaultId,
    frame::encode,
    message::Splitter,
    protocol::Protocol,
    receipt::{EndedBy, Receipt, Tally},
};

use crate::{
    faults::FaultPlan,
    session::{
        session::Session,
        step::{EndCause, Next, ProtocolHandler, Reason, Reply, Step},
    },
};

/// A session of the `text` or `length` protocol whose last bytes are a receipt.
#[derive(Debug)]
pub(crate) struct ReceiptSession {
    session: Session,
    is_text: bool,
    /// The bytes of both directions. They are the same until the session answers something else than an echo, and then it
    /// ends. So each byte is hashed once.
    echo: Tally,
    /// The echo ends within a line.
    is_in_line: bool,
    /// The seed and the number of the connection, if it has faults.
    faults: Option<FaultId>,
    /// Bytes of the last step, for the log.
    logged: usize,
}

impl ReceiptSession {
    /// Creates the session of a new connection. `None`: `raw` has no place for a receipt.
    pub(crate) fn new(protocol: Protocol) -> Option<Self> {
        (protocol != Protocol::Raw).then(|| Self {
            session: Session::new(protocol),
            is_text: protocol == Protocol::Text,
            echo: Tally::default(),
            is_in_line: false,
            faults: None,
            logged: 0,
        })
    }

    fn add_echo(&mut self, echo: &[u8], messages: isize) {
        self.echo.update(echo);
        self.echo.add_messages(messages);
        if let Some(&last) = echo.last() {
            self.is_in_line = last != b'\n';
        }
    }

    /// Returns `answer` with the receipt behind it. The session has taken `rest` and not echoed it.
    fn conclude(&mut self, rest: &[u8], answer: &[u8], ended_by: EndedBy) -> Vec<u8> {
        self.echo.add_messages(self.session.unfinished_messages());
        let (mut received, mut sent) = (self.echo.clone(), self.echo.clone());
        received.update(rest);
        let mut bytes = answer.to_vec();
        // The receipt has a line of its own. The newline before it belongs to the bytes before the receipt.
        let is_in_line = answer.last().map_or(self.is_in_line, |&last| last != b'\n');
        if self.is_text && is_in_line {
            bytes.push(b'\n');
        }
        sent.update(&bytes);
        let (received, sent) = (received.total(), sent.total());
        let receipt = Receipt::new(received, sent, ended_by).with_faults(self.faults).to_string();
        if self.is_text {
            bytes.extend_from_slice(receipt.as_bytes());
            bytes.push(b'\n');
        } else {
            bytes.extend(encode(receipt.as_bytes()).expect("a receipt is shorter than 4 GiB"));
        }
        bytes
    }
}

impl ProtocolHandler for ReceiptSession {
    fn set_faults(&mut self, faults: Option<&FaultPlan>) {
        self.faults = faults.map(FaultPlan::id);
    }

    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        let mut step = self.session.receive(input, now);
        self.logged = step.consumed;
        let (echo, rest) = input[..step.consumed].split_at(step.echo);
        self.add_echo(echo, step.messages);
        // A reply ends the session.
        if let Some(reply) = &mut step.reply {
            let is_exit = matches!(reply.next, Next::Close(Reason::Exit));
            let ended_by = if is_exit { EndedBy::Client } else { EndedBy::Server };
            reply.bytes = self.conclude(rest, &reply.bytes, ended_by).into();
        }
        step
    }

    fn receive_rest(&mut self, rest: &[u8]) -> Option<Step> {
        let messages = isize::from(!rest.is_empty());
        self.logged = rest.len();
        self.add_echo(rest, messages);
        Some(Step::echo(rest.len(), messages))
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

    fn end(&mut self, cause: EndCause, _now: Instant) -> Cow<'static, [u8]> {
        let ended_by = match cause {
            EndCause::EndOfStream => EndedBy::Client,
            EndCause::IdleTimeout => EndedBy::Server,
            #[cfg(feature = "login")]
            EndCause::UserRemoved => EndedBy::Server,
        };
        self.conclude(b"", b"", ended_by).into()
    }

    fn drain(&mut self, _now: Instant) -> Option<Reply> {
        let bytes = self.conclude(b"", b"", EndedBy::Server).into();
        Some(Reply { bytes, next: Next::Close(Reason::Drain) })
    }
}
