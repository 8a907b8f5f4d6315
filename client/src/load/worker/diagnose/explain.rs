//! Explanation of wrong bytes on a stream, as a sentence.

use std::ops::RangeInclusive;

use common::{escape::Quoted, protocol::FULL};

use super::{
    damage::{MAX_SHOWN, describe_damage},
    locate::{SYNC_LEN, arrives_later, locate, stream_contains},
};
use crate::load::{
    stats::{
        fault::{Fault, FaultKind},
        format::plural,
    },
    worker::payload::{block::Position, cursor::Cursor, streams::Streams},
};

/// Maximum number of bytes of a refusal in an explanation.
const MAX_REFUSAL: usize = 120;

/// Minimum and maximum number of bytes to collect from the first wrong one on: a message that is late, not
/// lost, should be among them.
const EVIDENCE: RangeInclusive<usize> = 256..=4 * 1024 * 1024;

/// Returns how many bytes to collect from the first wrong one on, if messages have at most `max_size`
/// bytes.
pub(in crate::load::worker) fn evidence_len(max_size: u32) -> usize {
    (max_size as usize).saturating_mul(3).clamp(*EVIDENCE.start(), *EVIDENCE.end())
}

/// Explains bytes that arrived at the position `expected`, of which the first is wrong.
pub(in crate::load::worker) fn explain(
    streams: &Streams,
    expected: &Cursor,
    connections: u64,
    evidence: &[u8],
) -> Fault {
    let (connection, offset) = (expected.connection(), expected.offset());
    if evidence.starts_with(FULL.as_bytes()) {
        let refusal = Quoted(evidence[..evidence.len().min(MAX_REFUSAL)].trim_ascii_end());
        let text = format!("connection {connection}: the server refused it: {refusal}");
        return Fault { connection, offset, kind: FaultKind::Damaged, text };
    }
    let mut right = vec![0; evidence.len()];
    expected.fill(streams, &mut right);
    let wrong = wrong_len(&right, evidence);
    let located = locate(streams, expected, connections, &evidence[..wrong], evidence);
    let (kind, description) = match located {
        Some((_, position)) if position.connection != connection => (
            FaultKind::Foreign,
            format!(
                "received bytes of connection {} from its offset {} on",
                position.connection, position.offset
            ),
        ),
        Some((index, position)) => misplaced(streams, expected, evidence, index, position),
        None => (FaultKind::Damaged, describe_damage(&right[..wrong], &evidence[..wrong])),
    };
    let text = format!(
        "connection {connection}, offset {offset}: {description}; expected {}, received {}",
        Quoted(&right[..right.len().min(MAX_SHOWN)]),
        Quoted(&evidence[..evidence.len().min(MAX_SHOWN)]),
    );
    Fault { connection, offset, kind, text }
}

/// Returns the number of bytes until the stream is synchronized again, or of all bytes if it never is.
fn wrong_len(right: &[u8], evidence: &[u8]) -> usize {
    let mut equal = 0;
    for (index, (one, other)) in right.iter().zip(evidence).enumerate() {
        equal = if one == other { equal + 1 } else { 0 };
        if equal == SYNC_LEN {
            return index + 1 - SYNC_LEN;
        }
    }
    evidence.len() - equal
}

/// Describes bytes of the connection's own stream, of which those from `index` on belong to another
/// position.
fn misplaced(
    streams: &Streams,
    expected: &Cursor,
    evidence: &[u8],
    index: usize,
    position: Position,
) -> (FaultKind, String) {
    let offset = expected.offset() + index as u64;
    if position.offset < offset {
        return repeated(streams, expected, evidence, index, position);
    }
    let missing = position.offset - offset;
    let bytes = plural(missing, "byte");
    if arrives_later(streams, expected, missing, evidence, index) {
        (FaultKind::Reordered, format!("{bytes} came after the ones that follow"))
    } else {
        (FaultKind::Skipped, format!("missing: {bytes}"))
    }
}

/// Describes bytes from an earlier position.
fn repeated(
    streams: &Streams,
    expected: &Cursor,
    evidence: &[u8],
    index: usize,
    position: Position,
) -> (FaultKind, String) {
    let delay = expected.offset() + index as u64 - position.offset;
    // If the whole stream is late by this much, the evidence starts with the bytes that were received last.
    let start = expected.offset().checked_sub(delay).filter(|&start| {
        stream_contains(streams, expected.connection(), start, &evidence[..=index])
    });
    let first = match start {
        Some(start) => start,
        None if position.offset >= expected.offset() => {
            let description =
                format!("{delay} bytes were inserted that belong to no stream of this run");
            return (FaultKind::Damaged, description);
        }
        None => position.offset,
    };
    (FaultKind::Repeated, format!("received bytes again, from offset {first} on"))
}

#[cfg(test)]
mod tests;
