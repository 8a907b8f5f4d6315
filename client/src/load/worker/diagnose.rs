//! What became of bytes that came back otherwise than they were sent.
//!
//! The bytes of a stream say whose they are and where they belong. So where a wrong byte is found,
//! the bytes from there on are asked: they may be another connection's, have come before, be ahead of
//! others that are missing or late, or be nobody's. Where lines are too short for a whole block to be
//! intact in them, the streams nearby are searched instead.

use common::{escape::Quoted, protocol::FULL};

use crate::load::{
    stats::{
        counters::{Fault, FaultKind},
        format::plural,
    },
    worker::payload::{Cursor, NAME, Place, Streams},
};

/// So many bytes in a row that are right again mean that the stream is in step again.
const IN_STEP: usize = 8;

/// How far around the expected offset streams are searched where blocks cannot be read.
const NEARBY: usize = 4096;

/// From how many of the wrong bytes on they are searched for.
const SEARCHED: usize = 64;

/// The most streams that are searched.
const MAX_SEARCHED: u64 = 4096;

/// The most lines that are counted through for a search.
const MAX_COUNTED: u64 = 10_000_000;

/// The most bytes of either side that a sentence shows.
pub(super) const SHOWN: usize = 32;

/// The most bytes of a refusal that are shown.
const FULL_SHOWN: usize = 120;

/// The fewest bytes to gather from the first wrong one on, and the most: enough that a message which
/// is late, not lost, is among them.
const EVIDENCE: std::ops::RangeInclusive<usize> = 256..=4 * 1024 * 1024;

/// How many bytes to gather from the first wrong one on, where messages have at most `max_size`.
#[must_use]
pub fn enough_evidence(max_size: u32) -> usize {
    (max_size as usize).saturating_mul(3).clamp(*EVIDENCE.start(), *EVIDENCE.end())
}

/// Explains what came back from `expected` on, of which the first byte is wrong.
#[must_use]
pub fn explain(streams: &Streams, expected: &Cursor, connections: u64, evidence: &[u8]) -> Fault {
    if evidence.starts_with(FULL.as_bytes()) {
        let said = Quoted(evidence[..evidence.len().min(FULL_SHOWN)].trim_ascii_end());
        let (connection, offset) = (expected.connection(), expected.offset());
        let text =
            format!("connection {connection}: the server has no room for it, and says {said}");
        return Fault { connection, offset, kind: FaultKind::Damaged, text };
    }
    let mut right = vec![0; evidence.len()];
    streams.fill(expected, &mut right);
    let wrong = wrong_bytes(&right, evidence);
    let offset = expected.offset();
    let (kind, what) = match place(streams, expected, connections, &evidence[..wrong], evidence) {
        Some((_, place)) if place.connection != expected.connection() => (
            FaultKind::Foreign,
            format!(
                "bytes of connection {} from its offset {} came",
                place.connection, place.offset
            ),
        ),
        Some((at, place)) => out_of_place(streams, expected, evidence, at, place),
        None => (FaultKind::Damaged, damage(&right[..wrong], &evidence[..wrong])),
    };
    let text = format!(
        "connection {}, offset {offset}: {what}; expected {}, received {}",
        expected.connection(),
        Quoted(&right[..right.len().min(SHOWN)]),
        Quoted(&evidence[..evidence.len().min(SHOWN)]),
    );
    Fault { connection: expected.connection(), offset, kind, text }
}

/// How many bytes it takes until the stream is in step again; all of them if it never is.
fn wrong_bytes(right: &[u8], evidence: &[u8]) -> usize {
    let mut in_step = 0;
    for (at, (one, other)) in right.iter().zip(evidence).enumerate() {
        in_step = if one == other { in_step + 1 } else { 0 };
        if in_step == IN_STEP {
            return at + 1 - IN_STEP;
        }
    }
    evidence.len() - in_step
}

/// Some of the wrong bytes, as near to the first as possible, and where they belong instead.
fn place(
    streams: &Streams,
    expected: &Cursor,
    connections: u64,
    wrong: &[u8],
    evidence: &[u8],
) -> Option<(usize, Place)> {
    let own = expected.connection();
    let reach = reach(streams, expected);
    let find = |connection, at| {
        (reach > 0).then(|| search(streams, connection, expected.offset(), wrong, at))?
    };
    let others = || (0..connections.min(reach)).filter(|&other| other != own);
    let named = || {
        evidence.windows(NAME).take(wrong.len()).enumerate().find_map(|(at, name)| {
            let place = streams.identify(name.try_into().ok()?)?;
            let here = Place { connection: own, offset: expected.offset() + at as u64 };
            (place.connection < connections && place != here).then_some((at, place))
        })
    };
    // The first bytes tell most, wherever they are from. In long lines there is a name among the next
    // ones. In short ones the first may be the end of a line, and what follows be from elsewhere.
    let second_line = memchr::memchr(b'\n', wrong).map_or(0, |newline| newline + 1);
    find(own, 0)
        .or_else(|| others().find_map(|other| find(other, 0)))
        .or_else(named)
        .or_else(|| (1..SEARCHED.min(wrong.len())).find_map(|at| find(own, at)))
        .or_else(|| others().find_map(|other| find(other, second_line)))
}

/// How many streams can be searched in a moment: where lines differ in length, those before the place
/// have to be counted through.
fn reach(streams: &Streams, expected: &Cursor) -> u64 {
    if streams.same_len().is_some() {
        MAX_SEARCHED
    } else {
        (MAX_COUNTED / expected.lines().max(1)).min(MAX_SEARCHED)
    }
}

/// Looks for the wrong bytes from `at` on in a stream, around an offset.
fn search(
    streams: &Streams,
    connection: u64,
    around: u64,
    wrong: &[u8],
    at: usize,
) -> Option<(usize, Place)> {
    // No more than that: behind it may be bytes from somewhere else again.
    let sought = wrong.get(at..at + IN_STEP)?;
    let start = around.saturating_sub(NEARBY as u64);
    let mut cursor = streams.cursor(connection);
    cursor.advance(streams, start);
    let mut nearby = [0; 2 * NEARBY];
    streams.fill(&cursor, &mut nearby);
    let found = memchr::memmem::find(&nearby, sought)?;
    Some((at, Place { connection, offset: start + found as u64 }))
}

/// Bytes of the connection's own stream, from somewhere else in it.
fn out_of_place(
    streams: &Streams,
    expected: &Cursor,
    evidence: &[u8],
    at: usize,
    place: Place,
) -> (FaultKind, String) {
    let own = expected.connection();
    let belongs = expected.offset() + at as u64;
    if place.offset < belongs {
        // If the stream as a whole is late by so much, what came first is what had just come before.
        let late_by = belongs - place.offset;
        let again = expected.offset().checked_sub(late_by);
        let first = match again.filter(|&from| begins(streams, own, from, &evidence[..=at])) {
            None if place.offset >= expected.offset() => {
                let what =
                    format!("{late_by} bytes came in between that are no stream's of this run");
                return (FaultKind::Damaged, what);
            }
            None => place.offset,
            Some(from) => from,
        };
        let what = format!("bytes that had come before came again, those from offset {first} on");
        return (FaultKind::Repeated, what);
    }
    let missing = place.offset - belongs;
    let missing_range = expected.offset()..expected.offset() + missing;
    let late = evidence.windows(NAME).skip(at).any(|block| {
        let place = block.try_into().ok().and_then(|block| streams.identify(block));
        place.is_some_and(|place| {
            place.connection == expected.connection() && missing_range.contains(&place.offset)
        })
    });
    if late || is_late(streams, expected, missing, evidence) {
        (FaultKind::Reordered, format!("{} came after the ones behind", plural(missing, "byte")))
    } else {
        (FaultKind::Skipped, format!("missing: {}", plural(missing, "byte")))
    }
}

/// Whether a connection's stream reads so from an offset on.
fn begins(streams: &Streams, connection: u64, offset: u64, bytes: &[u8]) -> bool {
    let mut cursor = streams.cursor(connection);
    cursor.advance(streams, offset);
    let mut there = vec![0; bytes.len()];
    streams.fill(&cursor, &mut there);
    there == bytes
}

/// As [`out_of_place`] does with blocks: whether the missing bytes come later, by searching.
fn is_late(streams: &Streams, expected: &Cursor, missing: u64, evidence: &[u8]) -> bool {
    let mut sought = [0; IN_STEP];
    streams.fill(expected, &mut sought);
    missing >= IN_STEP as u64 && memchr::memmem::find(evidence, &sought).is_some()
}

/// What became of these bytes, where that is no other stream's.
pub(super) fn damage(right: &[u8], wrong: &[u8]) -> String {
    match (right, wrong) {
        ([right], [wrong]) if (right ^ wrong).is_power_of_two() => {
            format!("one byte is damaged (bit {} of it)", (right ^ wrong).trailing_zeros())
        }
        (_, [_]) => "one byte is damaged".to_owned(),
        _ => format!("{} bytes are damaged: they are no stream's of this run", wrong.len()),
    }
}

#[cfg(test)]
mod tests;
