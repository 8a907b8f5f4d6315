//! Transcript: received bytes as pieces of the echo, and the bytes that differ from them.
//!
//! A wrong byte is either damaged, or the first one of a message that another one precedes in the echo. The transcript takes the
//! explanation with the fewest differences. Whichever it takes, pieces and differences together give the received bytes again.

use std::ops::Range;

use memchr::memmem::find_iter;

use crate::load::{
    ipc::observation::{Damage, Piece},
    worker::payload::echo_stream::EchoStream,
};

/// Number of bytes from a wrong one on that are compared.
const LOOK_AHEAD: usize = 64;

/// Number of consecutive bytes by which another place of the echo is found.
const NEEDLE: usize = 8;

/// Number of differences that are more likely than a jump to another place of the echo.
const JUMP_COST: usize = 4;

/// Distance to which the echo is searched, in each direction. A server holds no message that is longer.
const SEARCH_DISTANCE: u64 = 256 * 1024;

/// Maximum number of bytes that are compared at a time.
const STEP: usize = 4096;

/// Maximum number of places that are compared for one needle.
const MAX_PLACES: usize = 4;

/// Maximum number of pieces, and of bytes that differ. A connection with more faults is compared up to there.
const MAX_FINDINGS: usize = 4096;

/// Received bytes of a connection.
#[derive(Debug)]
pub(super) struct Transcript {
    echo: EchoStream,
    pieces: Vec<Piece>,
    damage: Vec<Damage>,
    /// Received bytes whose place is not known yet.
    pending: Vec<u8>,
    /// Place of the next byte, if nothing is wrong.
    position: u64,
    /// End of the part of the echo that was received or has been passed over.
    reached: u64,
    /// Number of bytes that have a place.
    placed: u64,
    limit_reached_at: Option<u64>,
}

impl Transcript {
    pub(super) fn new(echo: EchoStream) -> Self {
        Self {
            echo,
            pieces: Vec::new(),
            damage: Vec::new(),
            pending: Vec::new(),
            position: 0,
            reached: 0,
            placed: 0,
            limit_reached_at: None,
        }
    }

    /// Adds received bytes; `sent` is the end of what was sent. Calls `on_placed` with the parts of the echo that have returned.
    pub(super) fn receive(&mut self, bytes: &[u8], sent: u64, on_placed: impl FnMut(Range<u64>)) {
        self.add(bytes);
        self.place(sent, false, false, on_placed);
    }

    /// Adds received bytes without a place.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Finds the places of bytes up to the end of a message. `is_final`: no more bytes will come.
    pub(super) fn place_message(
        &mut self,
        sent: u64,
        is_final: bool,
        on_placed: impl FnMut(Range<u64>),
    ) {
        self.place(sent, is_final, true, on_placed);
    }

    /// Finds the places of the last bytes: no more will come.
    pub(super) fn finish(&mut self, sent: u64, on_placed: impl FnMut(Range<u64>)) {
        self.place(sent, true, false, on_placed);
    }

    /// Returns the end of the part of the echo that has returned, if all bytes without a place follow it.
    pub(super) fn reached(&self) -> u64 {
        self.reached + self.pending.len() as u64
    }

    /// Returns the number of bytes that have a place.
    pub(super) fn placed(&self) -> u64 {
        self.placed
    }

    /// Returns `true` if a message starts with the next byte, if nothing is wrong.
    pub(super) fn is_at_start(&mut self) -> bool {
        self.echo.is_start(self.position)
    }

    /// Takes the bytes whose place is not known yet.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    /// Returns the bytes that follow, if nothing is wrong.
    pub(super) fn expected(&mut self, len: usize) -> Vec<u8> {
        self.echo.bytes(self.position, len)
    }

    /// Returns the number of bytes up to the end of the message, if nothing is wrong.
    fn rest_of_message(&mut self) -> u64 {
        let message = self.echo.message_at(self.position);
        self.echo.start_of(message + 1) - self.position
    }

    /// Sets the first byte of a frame, before anything is received.
    pub(super) fn set_opcode(&mut self, opcode: Option<u8>) {
        self.echo.set_opcode(opcode);
    }

    /// Returns the echo.
    pub(super) fn echo(&mut self) -> &mut EchoStream {
        &mut self.echo
    }

    /// Returns the pieces, the bytes that differ, and the number of bytes from which on both are incomplete.
    pub(super) fn into_parts(self) -> (Vec<Piece>, Vec<Damage>, Option<u64>) {
        (self.pieces, self.damage, self.limit_reached_at)
    }

    fn place(
        &mut self,
        sent: u64,
        is_final: bool,
        stops: bool,
        mut on_placed: impl FnMut(Range<u64>),
    ) {
        let pending = std::mem::take(&mut self.pending);
        let mut at = 0;
        while at < pending.len() && !(stops && at > 0 && self.is_at_start()) {
            let rest = &pending[at..pending.len().min(at + STEP)];
            let expected = self.echo.bytes(self.position, rest.len());
            let mut same =
                rest.iter().zip(&expected).take_while(|(one, other)| one == other).count();
            if stops {
                same = same.min(usize::try_from(self.rest_of_message()).unwrap_or(usize::MAX));
            }
            if same > 0 {
                on_placed(self.position..self.position + same as u64);
                self.advance(same);
                at += same;
                continue;
            }
            if rest.len() < LOOK_AHEAD && !is_final {
                break;
            }
            let window = &rest[..rest.len().min(LOOK_AHEAD)];
            if let Some((kept, start)) = self.find_jump(window, &expected, sent) {
                self.differ(&rest[..kept], &expected[..kept]);
                self.jump(start);
                at += kept;
            } else {
                self.differ(&rest[..1], &expected[..1]);
                at += 1;
            }
        }
        self.pending = pending[at..].to_vec();
    }

    /// Returns after how many bytes the rest belongs to another place, and this place, if that explains the bytes better than
    /// differences do.
    fn find_jump(&mut self, window: &[u8], expected: &[u8], sent: u64) -> Option<(usize, u64)> {
        let differences = window.iter().zip(expected).filter(|(one, other)| one != other).count();
        // At the end, a few bytes may be all that is left.
        if differences <= JUMP_COST.min(window.len() / 2) {
            return None;
        }
        let from = self.position.saturating_sub(SEARCH_DISTANCE);
        let to = sent.min(self.position + SEARCH_DISTANCE).max(from);
        let nearby = self.echo.bytes(from, usize::try_from(to - from).ok()?);
        let len = NEEDLE.min(window.len());
        let mut best: Option<(usize, usize, u64)> = None;
        for (index, needle) in window.windows(len).enumerate() {
            for found in find_iter(&nearby, needle).take(MAX_PLACES) {
                let Some(aligned) = (from + found as u64).checked_sub(index as u64) else {
                    continue;
                };
                let other = self.echo.bytes(aligned, window.len());
                let (kept, cost) = best_split(window, expected, &other);
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, kept, aligned + kept as u64));
                }
            }
            if best.is_some_and(|(cost, ..)| cost <= JUMP_COST) {
                break;
            }
        }
        let (cost, kept, start) = best?;
        (cost + JUMP_COST.min(window.len() / 2) < differences).then_some((kept, start))
    }

    /// Gives a place to bytes that differ from the echo.
    fn differ(&mut self, received: &[u8], expected: &[u8]) {
        for (one, other) in received.iter().zip(expected) {
            if one != other && self.has_room(self.damage.len()) {
                self.damage.push(Damage { at: self.placed, mask: one ^ other });
            }
            self.advance(1);
        }
    }

    fn jump(&mut self, start: u64) {
        if self.has_room(self.pieces.len()) {
            self.pieces.push(Piece { start, len: 0 });
        }
        self.position = start;
    }

    fn advance(&mut self, count: usize) {
        let count = count as u64;
        if self.limit_reached_at.is_none() {
            if self.pieces.is_empty() {
                self.pieces.push(Piece { start: self.position, len: 0 });
            }
            if let Some(piece) = self.pieces.last_mut() {
                piece.len += count;
            }
        }
        self.placed += count;
        self.position += count;
        self.reached = self.reached.max(self.position);
    }

    fn has_room(&mut self, len: usize) -> bool {
        if len >= MAX_FINDINGS {
            self.limit_reached_at.get_or_insert(self.placed);
        }
        self.limit_reached_at.is_none()
    }
}

/// Returns after how many bytes to change from one place to another, as late as possible, so that the fewest bytes differ, and how
/// many do.
fn best_split(window: &[u8], one: &[u8], other: &[u8]) -> (usize, usize) {
    let differ = |expected: &[u8], at: usize| usize::from(expected[at] != window[at]);
    let mut cost: usize = (0..window.len()).map(|at| differ(other, at)).sum();
    let mut best = (0, cost);
    for at in 0..window.len() - 1 {
        cost = cost + differ(one, at) - differ(other, at);
        if cost <= best.1 {
            best = (at + 1, cost);
        }
    }
    best
}

#[cfg(test)]
mod tests;
