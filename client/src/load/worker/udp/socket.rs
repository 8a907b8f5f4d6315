//! One socket of a load over datagrams: from the first that is sent to the last that may come back.
//!
//! As a connection does, it knows nothing of the loop that drives it. A datagram that is not back within the
//! time limit is given up, and its place is free for another.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind as Io},
    time::Duration,
};

use mio::{Token, event::Event};
use rustix::{fs::fstat, io::Errno};

use crate::load::worker::udp::{
    diagnose::explain,
    expectation::{Back, Came, Conversation},
};
use crate::load::{
    host,
    ipc::wire::{Pace, Server},
    stats::counters::{ErrorKind, Tally},
    worker::{
        channel::Channel,
        context::Bench,
        socket::{connect, receive, transmit},
    },
};

/// Datagrams that a socket sends, and receives, in a row before the others have their turn.
const TURN: usize = 32;

/// How long to listen, when all are back, for copies that are behind them.
const LINGER: Duration = Duration::from_millis(100);

/// See the [module](self).
#[derive(Debug)]
pub struct Socket {
    token: Token,
    number: u64,
    /// Kept to the end of the run: the system's counts are gone with it.
    inner: Option<socket2::Socket>,
    state: State,
    conversation: Conversation,
    /// Datagrams that are due and that the socket has not taken.
    backlog: VecDeque<Duration>,
    /// There may be more to read, of which the poll has told already.
    has_more: bool,
    /// It stopped for the sake of the others, and has more to do.
    again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing is under way, and nothing more will be sent: since when.
    Ending(Duration),
    /// Done, or failed.
    Over,
}

impl Channel for Socket {
    fn new(bench: &Bench<'_>, index: u32) -> Self {
        let number = bench.number(index);
        Self {
            token: Token(index as usize),
            number,
            inner: None,
            state: State::Open,
            conversation: Conversation::new(number, bench.channels()),
            backlog: VecDeque::new(),
            has_more: false,
            again: false,
        }
    }

    /// It is connected at once: that is between the socket and its own machine.
    fn connect(&mut self, bench: &mut Bench<'_>) -> io::Result<()> {
        let socket = connect(&bench.order.server, bench.source(self.number))?;
        bench.register(&socket, self.token)?;
        self.inner = Some(socket);
        bench.tally.connects += 1;
        Ok(())
    }

    fn is_connecting(&self) -> bool {
        false
    }

    fn finish_connect(&mut self, _: &mut Bench<'_>) -> io::Result<()> {
        Ok(())
    }

    fn due(&mut self, due: Duration) -> bool {
        self.backlog.push_back(due);
        self.backlog.len() == 1
    }

    #[expect(clippy::inline_always, reason = "see `load::socket`")]
    #[inline(always)]
    fn ready(&mut self, bench: &mut Bench<'_>, _: &Event) {
        self.go_on(bench);
    }

    #[expect(clippy::inline_always, reason = "see `load::socket`")]
    #[inline(always)]
    fn go_on(&mut self, bench: &mut Bench<'_>) {
        match self.try_go_on(bench) {
            Ok(()) => self.end_if_done(bench),
            Err(_) => self.fail(bench),
        }
    }

    fn take_again(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }

    fn stop(&mut self, bench: &mut Bench<'_>) {
        debug_assert!(bench.stopping);
        self.end_if_done(bench);
    }

    fn watch(&mut self, bench: &mut Bench<'_>, now: Duration) {
        if self.has_more {
            self.go_on(bench);
        }
        // What has come, and only has not been read, is not lost.
        if self.has_more || self.is_over() {
            return;
        }
        let under_way = self.conversation.under_way();
        if let Some(limit) = now.checked_sub(bench.order.timeout) {
            self.give_up(bench, limit);
        }
        match self.state {
            State::Ending(since) if now.saturating_sub(since) >= LINGER => self.state = State::Over,
            // A place has become free, or the last one has been given up.
            _ if self.conversation.under_way() < under_way => self.go_on(bench),
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn conclude(all: &[Self], bench: &mut Bench<'_>) {
        let sockets = all.iter().filter_map(|one| one.inner.as_ref());
        let inodes = sockets.filter_map(|socket| Some(fstat(socket).ok()?.st_ino)).collect();
        let is_ipv4 = matches!(bench.order.server, Server::Udp(address) if address.is_ipv4());
        bench.tally.datagrams.dropped = host::datagrams_dropped(&inodes, is_ipv4).unwrap_or(0);
    }
}

impl Socket {
    #[expect(clippy::inline_always, reason = "see `load::socket`")]
    #[inline(always)]
    fn try_go_on(&mut self, bench: &mut Bench<'_>) -> io::Result<()> {
        self.send_more(bench, None)?;
        for _ in 0..TURN {
            let Some(socket) = &self.inner else { return Ok(()) };
            match receive(socket, &mut bench.received) {
                Ok(len) => {
                    let now = bench.now();
                    self.take(bench, len, now);
                    let is_last = self.conversation.under_way() == 0;
                    self.send_more(bench, Some(now))?;
                    if is_last && self.conversation.under_way() > 0 {
                        // All that could be there has come: to ask for more would mostly be in vain. What
                        // there is in spite of that is read with what comes next.
                        self.has_more = true;
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => {
                    self.has_more = false;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        (self.has_more, self.again) = (true, true);
        Ok(())
    }

    /// Sends what may be sent, and what the socket takes.
    #[expect(clippy::inline_always, reason = "see `load::socket`")]
    #[inline(always)]
    fn send_more(&mut self, bench: &mut Bench<'_>, mut now: Option<Duration>) -> io::Result<()> {
        for _ in 0..TURN {
            let Some(socket) = self.inner.as_ref().filter(|_| self.may_send(bench)) else {
                return Ok(());
            };
            let len = self.conversation.next(&bench.streams, &mut bench.scratch);
            let now = *now.get_or_insert_with(|| bench.now());
            match transmit(socket, &bench.scratch[..len]) {
                Ok(_) => self.sent(bench, len, now),
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                // The network's queue is full, and nothing will tell when it no longer is.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => break,
                Err(error) => return Err(error),
            }
        }
        self.again |= self.may_send(bench);
        Ok(())
    }

    fn may_send(&self, bench: &Bench<'_>) -> bool {
        match bench.order.pace {
            Pace::Depth(depth) => {
                self.conversation.under_way() < depth.into()
                    && bench.wanted(self.conversation.all_sent()) > 0
            }
            Pace::Rate(_) => !self.backlog.is_empty(),
        }
    }

    /// The socket has taken a datagram of so many bytes.
    fn sent(&mut self, bench: &mut Bench<'_>, len: usize, now: Duration) {
        let due = self.backlog.pop_front();
        let since = due.unwrap_or(now);
        bench.tally.bytes_sent += len as u64;
        bench.last_progress = now;
        if since >= bench.order.warmup {
            bench.tally.datagrams.sent += 1;
            if due.is_some() {
                bench.tally.lag.record(now.saturating_sub(since));
            }
        }
        self.conversation.sent(since, now);
    }

    /// Counts the datagram that is in the first `len` bytes of the buffer.
    fn take(&mut self, bench: &mut Bench<'_>, len: usize, now: Duration) {
        let Bench { streams, tally, received, scratch, order, last_progress, .. } = bench;
        let received = &received[..len];
        match self.conversation.receive(streams, received, scratch) {
            Came::Back(Back { since, is_late, is_reordered }) => {
                tally.bytes_checked += len as u64;
                *last_progress = now;
                if since >= order.warmup {
                    tally.messages += 1;
                    tally.latency.record(now.saturating_sub(since));
                    tally.datagrams.late += u64::from(is_late);
                    tally.datagrams.reordered += u64::from(is_reordered);
                }
            }
            Came::Duplicate => tally.datagrams.duplicates += 1,
            Came::Stranger => tally.datagrams.strangers += 1,
            Came::Corrupt(which) => {
                tally.error(ErrorKind::WrongBytes);
                if tally.faults.len() < Tally::MAX_FAULTS {
                    let sent = self.conversation.all_sent();
                    let fault = explain(streams, self.number, sent, which, received, scratch);
                    tally.faults.push(fault);
                }
            }
        }
    }

    /// What was sent before this time and has not come back is lost.
    fn give_up(&mut self, bench: &mut Bench<'_>, before: Duration) {
        let warmup = bench.order.warmup;
        let lost = &mut bench.tally.datagrams.given_up;
        self.conversation.give_up(before, |since| *lost += u64::from(since >= warmup));
    }

    fn end_if_done(&mut self, bench: &Bench<'_>) {
        let is_done = self.conversation.under_way() == 0
            && self.backlog.is_empty()
            && bench.wanted(self.conversation.all_sent()) == 0;
        if self.state == State::Open && is_done {
            self.state = State::Ending(bench.now());
        }
    }

    /// Datagrams do not get there any more: what was under way will not come back.
    fn fail(&mut self, bench: &mut Bench<'_>) {
        bench.tally.error(ErrorKind::Unreachable);
        self.give_up(bench, Duration::MAX);
        self.state = State::Over;
    }
}
