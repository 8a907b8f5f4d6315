//! Location of wrong bytes: where in the run's streams they belong.

use crate::load::worker::payload::{
    block::{NAME_LEN, Position},
    cursor::Cursor,
    streams::Streams,
};

/// Number of consecutive right bytes after which a stream counts as synchronized again.
pub(super) const SYNC_LEN: usize = 8;

/// Distance around the expected offset that is searched in each stream.
const SEARCH_DISTANCE: usize = 4096;

/// Number of positions in the wrong bytes from which they are searched for.
const SEARCH_STARTS: usize = 64;

/// Maximum number of streams that are searched.
const MAX_STREAMS: u64 = 4096;

/// Maximum number of lines that are counted for a search.
const MAX_LINES: u64 = 10_000_000;

/// Returns an index in the wrong bytes, as close to the first one as possible, and the position where the
/// bytes from there on belong.
pub(super) fn locate(
    streams: &Streams,
    expected: &Cursor,
    connections: u64,
    wrong: &[u8],
    evidence: &[u8],
) -> Option<(usize, Position)> {
    let own = expected.connection();
    let limit = stream_limit(streams, expected);
    let find = |connection, index| {
        (limit > 0).then(|| search(streams, connection, expected.offset(), wrong, index))?
    };
    let others = || (0..connections.min(limit)).filter(|&other| other != own);
    let named = || {
        evidence.windows(NAME_LEN).take(wrong.len()).enumerate().find_map(|(index, name)| {
            let position = streams.identify(name.try_into().ok()?)?;
            let here = Position { connection: own, offset: expected.offset() + index as u64 };
            (position.connection < connections && position != here).then_some((index, position))
        })
    };
    // The first bytes are the most reliable, wherever they belong. A long line contains a name. A short one
    // may start with the end of a right line, and continue with bytes from elsewhere.
    let second_line = memchr::memchr(b'\n', wrong).map_or(0, |newline| newline + 1);
    find(own, 0)
        .or_else(|| others().find_map(|other| find(other, 0)))
        .or_else(named)
        .or_else(|| (1..SEARCH_STARTS.min(wrong.len())).find_map(|index| find(own, index)))
        .or_else(|| others().find_map(|other| find(other, second_line)))
}

/// Returns how many streams can be searched in a short time: if lines differ in length, all lines before
/// the position have to be counted.
fn stream_limit(streams: &Streams, expected: &Cursor) -> u64 {
    if streams.uniform_len().is_some() {
        MAX_STREAMS
    } else {
        (MAX_LINES / expected.lines().max(1)).min(MAX_STREAMS)
    }
}

/// Searches a stream around an offset for the wrong bytes from `index` on.
fn search(
    streams: &Streams,
    connection: u64,
    around: u64,
    wrong: &[u8],
    index: usize,
) -> Option<(usize, Position)> {
    // Longer text could contain bytes from a third place.
    let text = wrong.get(index..index + SYNC_LEN)?;
    let start = around.saturating_sub(SEARCH_DISTANCE as u64);
    let mut cursor = Cursor::new(streams, connection);
    cursor.advance(streams, start);
    let mut nearby = [0; 2 * SEARCH_DISTANCE];
    cursor.fill(streams, &mut nearby);
    let found = memchr::memmem::find(&nearby, text)?;
    Some((index, Position { connection, offset: start + found as u64 }))
}

/// Returns `true` if the stream of a connection contains these bytes at an offset.
pub(super) fn stream_contains(
    streams: &Streams,
    connection: u64,
    offset: u64,
    bytes: &[u8],
) -> bool {
    let mut cursor = Cursor::new(streams, connection);
    cursor.advance(streams, offset);
    let mut expected = vec![0; bytes.len()];
    cursor.fill(streams, &mut expected);
    expected == bytes
}

/// Returns `true` if the next `missing` bytes of the stream arrive later in the evidence, which follows
/// other bytes from `index` on.
pub(super) fn arrives_later(
    streams: &Streams,
    expected: &Cursor,
    missing: u64,
    evidence: &[u8],
    index: usize,
) -> bool {
    let range = expected.offset()..expected.offset() + missing;
    let has_block = evidence.windows(NAME_LEN).skip(index).any(|block| {
        let position = block.try_into().ok().and_then(|block| streams.identify(block));
        position.is_some_and(|position| {
            position.connection == expected.connection() && range.contains(&position.offset)
        })
    });
    has_block || contains_start(streams, expected, missing, evidence)
}

/// Searches the evidence for the start of the missing bytes, which may not contain a whole block.
fn contains_start(streams: &Streams, expected: &Cursor, missing: u64, evidence: &[u8]) -> bool {
    let mut text = [0; SYNC_LEN];
    expected.fill(streams, &mut text);
    missing >= SYNC_LEN as u64 && memchr::memmem::find(evidence, &text).is_some()
}
