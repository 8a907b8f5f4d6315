//! What is wrong with a datagram that came back otherwise than it was sent, in a sentence.

use common::escape::Quoted;

use crate::load::worker::udp::expectation::Which;
use crate::load::{
    stats::{
        counters::{Fault, FaultKind},
        format::plural,
    },
    worker::{
        diagnose::{SHOWN, damage},
        payload::Streams,
    },
};

/// Explains what came at the socket with this number, which has sent so many. It has been recognised as
/// `which`, or as what was that.
#[must_use]
pub fn explain(
    streams: &Streams,
    connection: u64,
    sent: u64,
    which: Which,
    received: &[u8],
    scratch: &mut [u8],
) -> Fault {
    let Which { connection: owner, number } = which;
    if owner != connection {
        let text = format!("socket {connection}: datagram {number} of socket {owner} came");
        return Fault { connection, offset: 0, kind: FaultKind::Foreign, text };
    }
    if number >= sent {
        let text = format!("socket {connection}: datagram {number} came, and had not been sent");
        return Fault { connection, offset: 0, kind: FaultKind::Damaged, text };
    }
    let len = streams.datagram(connection, number, scratch);
    let expected = &scratch[..len];
    let both = || expected.iter().zip(received);
    let first = both().position(|(one, other)| one != other);
    let last = both().rposition(|(one, other)| one != other);
    let (offset, kind, what) = match (first, last) {
        (Some(first), Some(last)) => {
            let what = damage(&expected[first..=last], &received[first..=last]);
            (first, FaultKind::Damaged, what)
        }
        _ if received.len() < len => {
            let missing = plural((len - received.len()) as u64, "byte");
            (received.len(), FaultKind::Skipped, format!("missing: the last {missing}"))
        }
        _ => {
            let more = plural((received.len() - len) as u64, "byte");
            (len, FaultKind::Damaged, format!("{more} too many at its end"))
        }
    };
    let text = format!(
        "socket {connection}, datagram {number}, offset {offset}: {what}; expected {}, received {}",
        shown(expected, offset),
        shown(received, offset),
    );
    Fault { connection, offset: offset as u64, kind, text }
}

fn shown(bytes: &[u8], from: usize) -> Quoted<'_> {
    let bytes = &bytes[from..];
    Quoted(&bytes[..bytes.len().min(SHOWN)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_and_where() {
        let streams = Streams::new(7, 64..=64);
        let mut right = [0; 64];
        streams.datagram(3, 17, &mut right);
        let with = |at: usize, bits: u8| {
            let mut wrong = right.to_vec();
            wrong[at] ^= bits;
            wrong
        };
        let longer = [&right[..], b"!"].concat();
        let (own, early) = ((3, 17), (3, 20));
        for ((connection, number), received, kind, offset, text) in [
            (
                own,
                with(5, 4),
                FaultKind::Damaged,
                5,
                "datagram 17, offset 5: one byte is damaged (bit 2",
            ),
            (own, with(63, 6), FaultKind::Damaged, 63, "offset 63: one byte is damaged"),
            (own, right[..60].to_vec(), FaultKind::Skipped, 60, "missing: the last 4 bytes"),
            (own, longer, FaultKind::Damaged, 64, "1 byte too many"),
            ((5, 2), right.to_vec(), FaultKind::Foreign, 0, "datagram 2 of socket 5 came"),
            (
                early,
                right.to_vec(),
                FaultKind::Damaged,
                0,
                "datagram 20 came, and had not been sent",
            ),
        ] {
            let which = Which { connection, number };
            let fault = explain(&streams, 3, 20, which, &received, &mut [0; 64]);
            assert_eq!((fault.kind, fault.connection, fault.offset), (kind, 3, offset));
            assert!(
                fault.text.starts_with("socket 3") && fault.text.contains(text),
                "{}",
                fault.text
            );
        }
    }
}
