//! All protocols.

use common::protocol::Protocol;
use proptest::prelude::*;

use super::{outcome::Reason, session::Session};

/// Returns the bytes that a peer receives for these reads, and why its session ended.
pub(crate) fn run_session(protocol: Protocol, reads: &[&[u8]]) -> (Vec<u8>, Option<Reason>) {
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
    // At the end of the stream the held bytes are echoed.
    replies.extend_from_slice(&held);
    (replies, None)
}

#[test]
fn raw_echoes_an_exit() {
    let reads: [&[u8]; 3] = [b"exit", b"exit\n", b"\0\xff"];
    assert_eq!(run_session(Protocol::Raw, &reads), (b"exitexit\n\0\xff".to_vec(), None));
}

proptest! {
    /// Input without an exit is echoed, however it is split.
    #[test]
    fn every_protocol_echoes_every_byte(
        reads in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0), 2_u8..5], 1..9), 0..12)
    ) {
        let sent = reads.concat();
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        for protocol in [Protocol::Text, Protocol::Raw, Protocol::Length] {
            let (replies, end) = run_session(protocol, &reads);
            if end.is_none() {
                prop_assert_eq!(&replies, &sent);
            } else {
                prop_assert_eq!(protocol, Protocol::Length);
            }
        }
    }
}
