//! The protocol of one connection, without I/O and without a clock.
//!
//! A session is shown bytes in the order in which they arrived and says what is to be done with
//! them: how many go back, what else to reply, whether that was the end. It never sees a socket, so
//! every rule of a protocol is a plain unit test here.

mod length;
mod text;

use std::borrow::Cow;

use common::protocol::Protocol;

/// What is to be done with the bytes that a session was shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// This many bytes, from the first, go back as they are.
    pub(crate) echo: usize,
    /// This many bytes, from the first, are dealt with. The rest is to be shown again, before
    /// whatever comes next. At least `echo`; the difference is an exit, which is not echoed.
    pub(crate) consumed: usize,
    /// Why the session is over, if it is: nothing that comes after is to be shown to it.
    pub(crate) end: Option<End>,
}

/// How a session ended of its own accord.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// What ended it.
    pub(crate) reason: Reason,
    /// The last bytes to send, after the echo.
    pub(crate) reply: Cow<'static, [u8]>,
}

/// What ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The peer said `exit`.
    Exit,
    /// The peer announced a frame with a payload of this many bytes, more than is allowed.
    FrameTooLong(u32),
}

/// The state of one connection's protocol.
#[derive(Debug)]
pub(crate) enum Session {
    /// See [`Protocol::Text`].
    Text(text::Text),
    /// See [`Protocol::Raw`]; it has no state.
    Raw,
    /// See [`Protocol::Length`].
    Length(length::Length),
}

impl Session {
    /// For a connection that has not sent anything yet.
    #[must_use]
    pub(crate) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Text => Self::Text(text::Text::default()),
            Protocol::Raw => Self::Raw,
            Protocol::Length => Self::Length(length::Length::default()),
        }
    }

    /// Shows the session one read: what it did not consume the last time, and what has come since.
    pub(crate) fn receive(&mut self, input: &[u8]) -> Outcome {
        match self {
            Self::Text(text) => text.receive(input),
            Self::Raw => Outcome::echo(input.len()),
            Self::Length(length) => length.receive(input),
        }
    }
}

impl Outcome {
    /// The first `bytes` go back, and that is all.
    fn echo(bytes: usize) -> Self {
        Self { echo: bytes, consumed: bytes, end: None }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a peer gets back for what it sends in these reads, and how it ended.
    pub(crate) fn converse(protocol: Protocol, reads: &[&[u8]]) -> (Vec<u8>, Option<Reason>) {
        let mut session = Session::new(protocol);
        let (mut held, mut replies) = (Vec::new(), Vec::new());
        for read in reads {
            let input = [&held[..], read].concat();
            let outcome = session.receive(&input);
            assert!(outcome.echo <= outcome.consumed && outcome.consumed <= input.len());
            replies.extend_from_slice(&input[..outcome.echo]);
            if let Some(end) = outcome.end {
                replies.extend_from_slice(&end.reply);
                return (replies, Some(end.reason));
            }
            held = input[outcome.consumed..].to_vec();
        }
        // The end of the stream: what was held goes back after all.
        replies.extend_from_slice(&held);
        (replies, None)
    }

    #[test]
    fn raw_knows_no_exit() {
        let reads: [&[u8]; 3] = [b"exit", b"exit\n", b"\0\xff"];
        assert_eq!(converse(Protocol::Raw, &reads), (b"exitexit\n\0\xff".to_vec(), None));
    }

    proptest! {
        /// Whatever comes without an exit in it goes back, however it is split.
        #[test]
        fn every_protocol_echoes_every_byte(
            reads in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0), 2_u8..5], 1..9), 0..12)
        ) {
            let sent = reads.concat();
            let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
            for protocol in [Protocol::Text, Protocol::Raw, Protocol::Length] {
                let (replies, end) = converse(protocol, &reads);
                if end.is_none() {
                    prop_assert_eq!(&replies, &sent);
                } else {
                    prop_assert_eq!(protocol, Protocol::Length);
                }
            }
        }
    }
}
