//! Comparison of received bytes with those that must have arrived, byte for byte.

use std::collections::BTreeMap;

use crate::load::{ipc::observation::Piece, worker::payload::echo_stream::EchoStream};

/// Bits that differ from the echo, by the number of bytes before.
pub(super) type Masks = BTreeMap<u64, u8>;

/// Maximum number of bytes that are generated at a time.
const CHUNK: u64 = 4096;

/// One side of the comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'s> {
    pub(super) pieces: &'s [Piece],
    pub(super) masks: &'s Masks,
}

/// Received bytes without the damage that the fault log explains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'r> {
    pub(super) seen: Side<'r>,
    /// Damage of the fault log.
    pub(super) explained: &'r Masks,
}

impl Received<'_> {
    /// Returns the bytes from a place on, as far as they were received.
    pub(super) fn bytes(&self, echo: &mut EchoStream, at: u64, len: u64) -> Vec<u8> {
        let mut position = Position::new(self.seen.pieces);
        position.advance(at);
        let mut bytes = Vec::new();
        while let Some((start, rest)) = position.next().filter(|_| (bytes.len() as u64) < len) {
            let part = rest.min(len - bytes.len() as u64);
            bytes.extend(echo.bytes(start, usize::try_from(part).unwrap_or(0)));
            position.advance(part);
        }
        for masks in [self.seen.masks, self.explained] {
            for (&place, mask) in masks.range(at..at + bytes.len() as u64) {
                bytes[usize::try_from(place - at).unwrap_or(0)] ^= mask;
            }
        }
        bytes
    }
}

/// Returns the number of equal bytes, at most `limit`: where both differ, or one ends.
pub(super) fn equal_len(echo: &mut EchoStream, one: Side<'_>, other: Side<'_>, limit: u64) -> u64 {
    let (mut left, mut right) = (Position::new(one.pieces), Position::new(other.pieces));
    let mut at = 0;
    while at < limit {
        let (Some((from, some)), Some((to, others))) = (left.next(), right.next()) else { break };
        let mut len = some.min(others).min(limit - at);
        if from != to {
            len = len.min(CHUNK);
        }
        let wrong = if from == to {
            // The same part of the echo, so only the bits may differ.
            let range = at..at + len;
            let keys = one.masks.range(range.clone()).chain(other.masks.range(range));
            keys.map(|(&key, _)| key)
                .filter(|key| {
                    one.masks.get(key).unwrap_or(&0) != other.masks.get(key).unwrap_or(&0)
                })
                .min()
        } else {
            let len = usize::try_from(len).unwrap_or(0);
            let (some, others) = (echo.bytes(from, len), echo.bytes(to, len));
            let mask = |side: Side<'_>, key: u64| side.masks.get(&key).copied().unwrap_or(0);
            let mut pairs = some.into_iter().zip(others).zip(at..);
            pairs.find_map(|((some, others), key)| {
                (some ^ mask(one, key) != others ^ mask(other, key)).then_some(key)
            })
        };
        if let Some(wrong) = wrong {
            return wrong;
        }
        at += len;
        left.advance(len);
        right.advance(len);
    }
    at
}

/// Position in pieces.
struct Position<'p> {
    pieces: &'p [Piece],
    /// Number of bytes of the first piece that are passed.
    passed: u64,
}

impl<'p> Position<'p> {
    fn new(pieces: &'p [Piece]) -> Self {
        let mut position = Self { pieces, passed: 0 };
        position.advance(0);
        position
    }

    /// Returns the place of the next byte, and how many follow it in one piece.
    fn next(&self) -> Option<(u64, u64)> {
        let piece = self.pieces.first()?;
        Some((piece.start + self.passed, piece.len - self.passed))
    }

    fn advance(&mut self, len: u64) {
        self.passed += len;
        while let Some((piece, rest)) = self.pieces.split_first() {
            if self.passed < piece.len {
                return;
            }
            self.passed -= piece.len;
            self.pieces = rest;
        }
    }
}
