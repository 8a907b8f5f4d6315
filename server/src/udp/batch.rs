//! A batch: datagrams that a socket receives with one system call, and their answers.
//!
//! Each worker with UDP sockets has one batch, which its sockets use in turn.

use std::{io, num::NonZeroUsize};

use super::{
    policy::Verdict,
    route::{Arrival, Route},
};
use crate::config::limits::TURN_DATAGRAMS;

/// Room for the longest message, in bytes.
const SLOT: usize = 64 * 1024;

/// Distance between the beginnings of two slots. At a distance of 64 KiB the first lines of all slots would be in the same
/// sets of the caches, and their pages in the same set of the TLB.
const STRIDE: usize = SLOT + 4096 + 64;

/// Received datagrams and their answers.
#[derive(Debug)]
pub(crate) struct Batch {
    /// A slot for each message. The system gives memory only to the pages that a message has touched.
    bytes: Box<[u8]>,
    arrivals: Vec<Arrival>,
    /// Number of messages in which they came.
    messages: usize,
    /// The verdicts of the policy about the first arrivals. A call of the policy that panics leaves some that are not final.
    verdicts: Vec<Verdict>,
    /// Number of verdicts that are final.
    judged: usize,
    /// Number of arrivals behind them that are being judged.
    judging: usize,
    /// Number of arrivals that were taken.
    taken: usize,
    /// Errors of datagrams that the system could not deliver completely.
    errors: Vec<io::Error>,
    outgoing: Outgoing,
}

/// Answers in the order in which they are sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    answers: Vec<Answer>,
    /// Number of answers that the socket has taken, or that have failed.
    finished: usize,
    /// Number of answers behind them that are being sent.
    sending: usize,
}

/// An answer, whose bytes are a part of a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    at: usize,
    pub(super) len: usize,
    pub(super) route: Route,
}

/// The list to which a socket adds the datagrams that it has received.
#[derive(Debug)]
pub(super) struct Arrivals<'a> {
    datagrams: &'a mut Vec<Arrival>,
    messages: &'a mut usize,
    errors: &'a mut Vec<io::Error>,
}

/// Answers that wait for their socket, with their bytes.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) outgoing: Outgoing,
    pub(super) buffer: Box<[u8]>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; TURN_DATAGRAMS * STRIDE].into(),
            arrivals: Vec::with_capacity(TURN_DATAGRAMS),
            messages: 0,
            verdicts: Vec::with_capacity(TURN_DATAGRAMS),
            judged: 0,
            judging: 0,
            taken: 0,
            errors: Vec::new(),
            outgoing: Outgoing::new(Vec::with_capacity(TURN_DATAGRAMS)),
        }
    }

    /// Removes all datagrams and answers.
    pub(super) fn clear(&mut self) {
        self.arrivals.clear();
        self.messages = 0;
        self.verdicts.clear();
        (self.judged, self.judging, self.taken) = (0, 0, 0);
        self.errors.clear();
        self.outgoing.clear();
    }

    /// Returns the slots, each with room for the longest message, and the list of the datagrams that a socket receives into
    /// them.
    pub(super) fn slots(&mut self) -> (impl Iterator<Item = &mut [u8]>, Arrivals<'_>) {
        let slots = self.bytes.chunks_exact_mut(STRIDE).map(|slot| &mut slot[..SLOT]);
        let Self { arrivals, messages, errors, .. } = self;
        (slots, Arrivals { datagrams: arrivals, messages, errors })
    }

    /// Returns the number of datagrams that were received, and of errors that were not taken.
    pub(super) fn len(&self) -> usize {
        self.arrivals.len() + self.errors.len()
    }

    /// Returns the number of messages that were received, each with one or several datagrams.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Removes and returns the errors of datagrams that the system could not deliver completely.
    pub(super) fn take_errors(&mut self) -> Vec<io::Error> {
        std::mem::take(&mut self.errors)
    }

    /// Calls `judge` with at most `limit` of the arrivals without a verdict; it adds their verdicts to a list. Returns false if
    /// all arrivals have one.
    pub(super) fn judge(
        &mut self,
        limit: usize,
        judge: impl FnOnce(&[Arrival], &mut Vec<Verdict>),
    ) -> bool {
        let arrivals = &self.arrivals[self.judged..];
        let arrivals = &arrivals[..arrivals.len().min(limit)];
        if arrivals.is_empty() {
            return false;
        }
        self.judging = arrivals.len();
        judge(arrivals, &mut self.verdicts);
        self.judged += std::mem::take(&mut self.judging);
        true
    }

    /// Makes the batch usable after a panic: removes the verdicts that are not final, and the datagram or answer that was
    /// handled alone when the turn panicked.
    pub(super) fn recover(&mut self) {
        self.verdicts.truncate(self.judged);
        if std::mem::take(&mut self.judging) == 1 {
            self.arrivals.remove(self.judged);
        }
        self.outgoing.recover();
    }

    /// Takes the next arrival that has a verdict, with its bytes.
    pub(super) fn next_judged(&mut self) -> Option<(Arrival, &Verdict, &[u8])> {
        let verdict = self.verdicts[..self.judged].get(self.taken)?;
        let arrival = self.arrivals[self.taken];
        self.taken += 1;
        Some((arrival, verdict, &self.bytes[arrival.at..][..arrival.len]))
    }

    /// Adds the answer to an arrival: the same bytes.
    pub(super) fn answer(&mut self, arrival: &Arrival, route: Route) {
        let answer = Answer::new(arrival.at, arrival.len, route);
        self.outgoing.answers.push(answer);
    }

    /// Returns the answers, and the buffer with their bytes.
    pub(super) fn outgoing(&mut self) -> (&mut Outgoing, &[u8]) {
        (&mut self.outgoing, &self.bytes)
    }
}

impl Outgoing {
    fn new(answers: Vec<Answer>) -> Self {
        Self { answers, finished: 0, sending: 0 }
    }

    fn clear(&mut self) {
        self.answers.clear();
        (self.finished, self.sending) = (0, 0);
    }

    /// Returns the answers that are not finished.
    pub(super) fn rest(&self) -> &[Answer] {
        &self.answers[self.finished..]
    }

    /// Returns at most `limit` of the answers that are not finished, to send them. `None`: all are finished.
    pub(super) fn next(&mut self, limit: usize) -> Option<&[Answer]> {
        self.sending = self.rest().len().min(limit);
        Some(&self.answers[self.finished..][..self.sending]).filter(|next| !next.is_empty())
    }

    /// Finishes this number of answers, and returns them.
    pub(super) fn finish(&mut self, answers: usize) -> &[Answer] {
        let first = self.finished;
        (self.finished, self.sending) = (first + answers, 0);
        &self.answers[first..self.finished]
    }

    /// Finishes the answer that was being sent alone when the turn panicked, without sending it.
    pub(super) fn recover(&mut self) {
        if self.sending == 1 {
            self.finish(1);
        }
    }
}

impl Answer {
    /// Creates the answer with the `len` bytes from `at` in its buffer.
    pub(super) fn new(at: usize, len: usize, route: Route) -> Self {
        Self { at, len, route }
    }

    /// Returns its bytes in the buffer.
    pub(super) fn bytes<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        &buffer[self.at..][..self.len]
    }
}

impl Arrivals<'_> {
    /// Adds the datagrams of the message in this slot. `whole` is the message as one datagram; if `size` is present, each has
    /// this many of its bytes, except that the last one may have fewer.
    pub(super) fn push(&mut self, slot: usize, whole: Arrival, size: Option<NonZeroUsize>) {
        *self.messages += 1;
        let (mut at, end) = (slot * STRIDE, slot * STRIDE + whole.len);
        loop {
            let len = size.map_or(end - at, |size| size.get().min(end - at));
            self.datagrams.push(Arrival { at, len, ..whole });
            at += len;
            if at == end {
                break;
            }
        }
    }

    /// Adds the error of a message that the system could not deliver completely.
    pub(super) fn push_error(&mut self, error: io::Error) {
        *self.messages += 1;
        self.errors.push(error);
    }

    /// Returns the datagrams that were added.
    pub(super) fn received(&self) -> &[Arrival] {
        self.datagrams
    }
}

impl Unsent {
    /// Copies one answer.
    pub(super) fn one(bytes: &[u8], route: Route) -> Self {
        Self::new(&[Answer::new(0, bytes.len(), route)], bytes)
    }

    /// Copies answers and their bytes.
    pub(super) fn new(answers: &[Answer], buffer: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(answers.iter().map(|answer| answer.len).sum());
        let copied = answers.iter().map(|answer| {
            let at = bytes.len();
            bytes.extend_from_slice(answer.bytes(buffer));
            Answer { at, ..*answer }
        });
        let outgoing = Outgoing::new(copied.collect());
        Self { outgoing, buffer: bytes.into() }
    }
}
