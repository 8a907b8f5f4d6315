//! Sequence of datagrams that are sent one by one, and the classification of those that arrive.
//!
//! A datagram starts with a header: the number of the run, and its own sequence number. So its bytes alone
//! tell whether it is the awaited one. Must not know a socket, nor a clock but the `now` that it is given.

use std::{collections::VecDeque, time::Instant};

use crate::echo::error::WrongEcho;

use super::statistics::{Anomaly, millis};

/// Length of the header: eight hexadecimal digits for the run, eight for the datagram. They are digits
/// because they appear in the server's log.
pub(super) const HEADER_LEN: usize = 16;

/// Number of lost datagrams that are remembered. A datagram that arrives after it was forgotten counts as a
/// duplicate.
const MAX_REMEMBERED: usize = 1024;

/// Datagrams of a run.
#[derive(Debug)]
pub(super) struct Sequence {
    run: u32,
    size: usize,
    /// Sequence number of the last datagram that was sent; the first is 1.
    last: u64,
    /// Time at which the last datagram was sent, while its reply is awaited.
    awaited_since: Option<Instant>,
    /// Lost datagrams, and the time at which each was sent.
    lost: VecDeque<(u64, Instant)>,
}

/// Classification of a datagram that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The awaited reply, with the right bytes.
    Awaited,
    /// The awaited reply, with a wrong byte.
    Wrong(WrongEcho),
    /// Any other datagram.
    Unexpected(Unexpected),
}

/// Datagram that is not the awaited reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected {
    /// Kind under which it is counted.
    pub(super) anomaly: Anomaly,
    /// Its length in bytes.
    pub(super) len: usize,
    /// Its description.
    pub(super) text: String,
}

impl Sequence {
    /// Creates a sequence of datagrams of `size` bytes, at least [`HEADER_LEN`]. `run` is random, so that
    /// no other run is likely to have the same number.
    pub(super) fn new(run: u32, size: usize) -> Self {
        Self { run, size, last: 0, awaited_since: None, lost: VecDeque::new() }
    }

    /// Returns the bytes of a datagram.
    pub(super) fn datagram(&self, seq: u64) -> Vec<u8> {
        let header = format!("{:08x}{:08x}", self.run, low_half(seq));
        header.bytes().chain((b'a'..=b'z').cycle()).take(self.size).collect()
    }

    /// Marks a datagram as sent, and its reply as awaited.
    pub(super) fn mark_sent(&mut self, seq: u64, now: Instant) {
        self.last = seq;
        self.awaited_since = Some(now);
    }

    /// Marks the awaited reply as lost. If it arrives after that, it is late.
    pub(super) fn give_up(&mut self) {
        if let Some(sent) = self.awaited_since.take() {
            self.lost.push_back((self.last, sent));
        }
        if self.lost.len() > MAX_REMEMBERED {
            self.lost.pop_front();
        }
    }

    /// Classifies a datagram that has arrived.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Reply {
        let unexpected =
            |anomaly, text| Reply::Unexpected(Unexpected { anomaly, len: bytes.len(), text });
        let Some(seq) = self.parse_header(bytes) else {
            return unexpected(Anomaly::Stray, "not of this run".to_owned());
        };
        let is_awaited = seq == self.last && self.awaited_since.is_some();
        let expected = self.datagram(seq);
        let valid = expected.iter().zip(bytes).take_while(|(one, other)| one == other).count();
        if valid < expected.len().max(bytes.len()) {
            let wrong = WrongEcho::new(valid as u64, &expected[valid..], &bytes[valid..]);
            return if is_awaited {
                self.give_up();
                Reply::Wrong(wrong)
            } else {
                unexpected(Anomaly::Wrong, format!("seq={seq} ({wrong})"))
            };
        }
        if is_awaited {
            self.awaited_since = None;
            return Reply::Awaited;
        }
        match self.lost.iter().position(|(lost, _)| *lost == seq) {
            Some(index) => {
                let sent = self.lost.remove(index).map_or(now, |(_, sent)| sent);
                let ms = millis(now.saturating_duration_since(sent));
                unexpected(Anomaly::Late, format!("seq={seq} time={ms:.3} ms (late)"))
            }
            None => unexpected(Anomaly::Duplicate, format!("seq={seq} (duplicate)")),
        }
    }

    /// Returns the sequence number of a datagram of this run.
    fn parse_header(&self, bytes: &[u8]) -> Option<u64> {
        let header = str::from_utf8(bytes.get(..HEADER_LEN)?).ok()?;
        let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
        let seq = number(header.get(HEADER_LEN / 2..)?)?;
        // The header holds the low 32 bits: it means the last datagram that has them.
        let age = low_half(self.last).wrapping_sub(seq);
        let seq = self.last.checked_sub(u64::from(age)).filter(|seq| *seq > 0)?;
        (number(header.get(..HEADER_LEN / 2)?)? == self.run).then_some(seq)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only the low half is used")]
fn low_half(seq: u64) -> u32 {
    seq as u32
}

#[cfg(test)]
mod tests;
