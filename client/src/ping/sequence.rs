//! Datagrams that are sent one by one, and what each is that comes.
//!
//! A datagram begins with what names it: a number that is the run's own, and its own number in the run.
//! So it is known from its bytes alone whether it is the one that is waited for.
//!
//! It knows no socket, and no clock but the `now` it is given.

use std::{collections::VecDeque, time::Instant};

use crate::{
    net::error::WrongEcho,
    ping::statistics::{Odd, millis},
};

/// Bytes at the head of a datagram that name it: eight hexadecimal digits for the run, eight for the
/// datagram. Digits and not bytes, for they appear in the server's log.
pub(super) const HEAD: usize = 16;

/// How many lost datagrams are remembered. One that was forgotten and comes in the end is taken for a
/// duplicate.
const REMEMBERED: usize = 1024;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Sequence {
    run: u32,
    size: usize,
    /// The number of the last one that was sent; the first is 1.
    last: u64,
    /// Since when the last one is waited for, if it is.
    awaited: Option<Instant>,
    /// Those that have not come back, and when they were sent.
    lost: VecDeque<(u64, Instant)>,
}

/// What a datagram is that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The one that is waited for, every byte as it was sent.
    Awaited,
    /// The one that is waited for, with a wrong byte.
    Wrong(WrongEcho),
    /// Another one.
    Aside(Aside),
}

/// A datagram that nobody was waiting for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Aside {
    /// What it is counted as.
    pub(super) odd: Odd,
    /// Its length in bytes.
    pub(super) len: usize,
    /// Which it is, in words.
    pub(super) text: String,
}

impl Sequence {
    /// Of datagrams of this size, at least [`HEAD`]. No other run has the same number, as far as chance
    /// goes.
    pub(super) fn new(run: u32, size: usize) -> Self {
        Self { run, size, last: 0, awaited: None, lost: VecDeque::new() }
    }

    /// The bytes of a datagram.
    pub(super) fn datagram(&self, seq: u64) -> Vec<u8> {
        let head = format!("{:08x}{:08x}", self.run, low_half(seq));
        head.bytes().chain((b'a'..=b'z').cycle()).take(self.size).collect()
    }

    /// From here on this one is waited for.
    pub(super) fn send(&mut self, seq: u64, now: Instant) {
        self.last = seq;
        self.awaited = Some(now);
    }

    /// The last one is no longer waited for: should it come, it is late.
    pub(super) fn give_up(&mut self) {
        if let Some(sent) = self.awaited.take() {
            self.lost.push_back((self.last, sent));
        }
        if self.lost.len() > REMEMBERED {
            self.lost.pop_front();
        }
    }

    /// Says what has come.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Came {
        let aside = |odd, text| Came::Aside(Aside { odd, len: bytes.len(), text });
        let Some(seq) = self.identify(bytes) else {
            return aside(Odd::Stray, "not of this run".to_owned());
        };
        let is_awaited = seq == self.last && self.awaited.is_some();
        let expected = self.datagram(seq);
        let right = expected.iter().zip(bytes).take_while(|(one, other)| one == other).count();
        if right < expected.len().max(bytes.len()) {
            let wrong = WrongEcho::new(right as u64, &expected[right..], &bytes[right..]);
            return if is_awaited {
                self.give_up();
                Came::Wrong(wrong)
            } else {
                aside(Odd::Wrong, format!("seq={seq} ({wrong})"))
            };
        }
        if is_awaited {
            self.awaited = None;
            return Came::Awaited;
        }
        match self.lost.iter().position(|(lost, _)| *lost == seq) {
            Some(at) => {
                let sent = self.lost.remove(at).map_or(now, |(_, sent)| sent);
                let ms = millis(now.saturating_duration_since(sent));
                aside(Odd::Late, format!("seq={seq} time={ms:.3} ms (late)"))
            }
            None => aside(Odd::Duplicate, format!("seq={seq} (duplicate)")),
        }
    }

    /// Which of this run's datagrams begins so.
    fn identify(&self, bytes: &[u8]) -> Option<u64> {
        let head = str::from_utf8(bytes.get(..HEAD)?).ok()?;
        let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
        let seq = number(head.get(HEAD / 2..)?)?;
        // The last one with these digits; there may be more than four billion.
        let behind = low_half(self.last).wrapping_sub(seq);
        let seq = self.last.checked_sub(u64::from(behind)).filter(|seq| *seq > 0)?;
        (number(head.get(..HEAD / 2)?)? == self.run).then_some(seq)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is meant to")]
fn low_half(seq: u64) -> u32 {
    seq as u32
}

#[cfg(test)]
mod tests;
