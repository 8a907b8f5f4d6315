//! Explanation of a corrupt datagram, as a sentence.

use common::escape::Quoted;

use super::expectation::DatagramId;
use crate::load::{
    stats::{
        fault::{Fault, FaultKind},
        format::plural,
    },
    worker::{
        diagnose::damage::{MAX_SHOWN, describe_damage},
        payload::streams::Streams,
    },
};

/// Explains a datagram that arrived at socket `connection`, which has sent `sent` datagrams. `id` is what
/// its bytes say it is, or was before the damage.
pub(super) fn explain(
    streams: &Streams,
    connection: u64,
    sent: u64,
    id: DatagramId,
    received: &[u8],
    scratch: &mut [u8],
) -> Fault {
    let DatagramId { connection: owner, number } = id;
    if owner != connection {
        let text = format!("socket {connection}: received datagram {number} of socket {owner}");
        return Fault { connection, offset: 0, kind: FaultKind::Foreign, text };
    }
    if number >= sent {
        let text = format!("socket {connection}: received datagram {number}, which was not sent");
        return Fault { connection, offset: 0, kind: FaultKind::Damaged, text };
    }
    let len = streams.write_datagram(connection, number, scratch);
    let expected = &scratch[..len];
    let (offset, kind, description) = first_difference(expected, received);
    let text = format!(
        "socket {connection}, datagram {number}, offset {offset}: {description}; expected {}, received {}",
        shown(expected, offset),
        shown(received, offset),
    );
    Fault { connection, offset: offset as u64, kind, text }
}

fn first_difference(expected: &[u8], received: &[u8]) -> (usize, FaultKind, String) {
    let pairs = || expected.iter().zip(received);
    let first = pairs().position(|(one, other)| one != other);
    let last = pairs().rposition(|(one, other)| one != other);
    match (first, last) {
        (Some(first), Some(last)) => {
            let damage = describe_damage(&expected[first..=last], &received[first..=last]);
            (first, FaultKind::Damaged, damage)
        }
        _ if received.len() < expected.len() => {
            let missing = plural((expected.len() - received.len()) as u64, "byte");
            (received.len(), FaultKind::Skipped, format!("missing: the last {missing}"))
        }
        _ => {
            let extra = plural((received.len() - expected.len()) as u64, "byte");
            (expected.len(), FaultKind::Damaged, format!("{extra} too many at its end"))
        }
    }
}

fn shown(bytes: &[u8], from: usize) -> Quoted<'_> {
    let bytes = &bytes[from..];
    Quoted(&bytes[..bytes.len().min(MAX_SHOWN)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explains_and_locates_the_difference() {
        let streams = Streams::new(7, 64..=64);
        let mut right = [0; 64];
        streams.write_datagram(3, 17, &mut right);
        let flip = |at: usize, bits: u8| {
            let mut wrong = right.to_vec();
            wrong[at] ^= bits;
            wrong
        };
        let longer = [&right[..], b"!"].concat();
        let (sent, unsent) = ((3, 17), (3, 20));
        for ((connection, number), received, kind, offset, text) in [
            (
                sent,
                flip(5, 4),
                FaultKind::Damaged,
                5,
                "datagram 17, offset 5: one byte is damaged (bit 2",
            ),
            (sent, flip(63, 6), FaultKind::Damaged, 63, "offset 63: one byte is damaged"),
            (sent, right[..60].to_vec(), FaultKind::Skipped, 60, "missing: the last 4 bytes"),
            (sent, longer, FaultKind::Damaged, 64, "1 byte too many"),
            ((5, 2), right.to_vec(), FaultKind::Foreign, 0, "received datagram 2 of socket 5"),
            (
                unsent,
                right.to_vec(),
                FaultKind::Damaged,
                0,
                "received datagram 20, which was not sent",
            ),
        ] {
            let id = DatagramId { connection, number };
            let fault = explain(&streams, 3, 20, id, &received, &mut [0; 64]);
            assert_eq!((fault.kind, fault.connection, fault.offset), (kind, 3, offset));
            assert!(
                fault.text.starts_with("socket 3") && fault.text.contains(text),
                "{}",
                fault.text
            );
        }
    }
}
