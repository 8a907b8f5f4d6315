//! One connection of a load: its socket, from the first connect to the last byte, or to its failure.
//!
//! It knows nothing of the loop that drives it. It is told when its socket may be ready, and then
//! goes on until the socket has nothing more to give or take: readiness is told once.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind as Io, Write},
    net::{IpAddr, Shutdown},
    time::Duration,
};

use mio::{Token, event::Event};
use rustix::io::Errno;
use socket2::Socket;

use crate::load::{
    ipc::wire::{Pace, Server},
    stats::counters::{ErrorKind, Tally},
    worker::{
        channel::Channel,
        context::{Bench, CHUNK},
        diagnose,
        expectation::Conversation,
        socket::{connect, receive, transmit},
    },
};

/// How long to wait for more of a wrong echo before it is explained.
const EVIDENCE_PAUSE: Duration = Duration::from_millis(200);

/// How long to wait for the server to end a connection that we have ended. One that never does is
/// still an echo server.
const HANG_UP: Duration = Duration::from_millis(500);

/// Reads, and writes, that a connection gets in a row before the others have their turn.
const TURN: usize = 8;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    token: Token,
    source: Option<IpAddr>,
    state: State,
    conversation: Conversation,
    /// Messages that are due and have to wait for the next connect.
    backlog: VecDeque<Duration>,
    /// Lines that had come back when the present socket was connected.
    connected_at: u64,
    /// When the present socket was connected, if it is not the first: what was due before could not
    /// be sent, and the client is not behind its schedule for that.
    reconnected: Duration,
    /// The server has ended the last connection, and nothing has come back since: since when.
    ended: Option<Duration>,
    /// When bytes last moved, or what is waited for began.
    since: Duration,
    /// The end of the stream, or an error, is behind whatever bytes there are: that was told, and
    /// will not be told again.
    more_behind: bool,
    /// It stopped for the sake of the others, and has more to do.
    again: bool,
}

#[derive(Debug)]
enum State {
    Connecting(Socket),
    /// There is no server at the moment; it is looked for now and then.
    Away,
    Open(Socket),
    /// All is back and nothing more will be sent: a byte that still comes before the end is one too
    /// many.
    Closing(Socket),
    /// A wrong byte has come; what comes behind it says more.
    Suspect(Socket, Vec<u8>),
    /// Done, or failed.
    Over,
}

impl Channel for Connection {
    fn new(bench: &Bench<'_>, index: u32) -> Self {
        let number = bench.number(index);
        Self {
            token: Token(index as usize),
            source: bench.source(number),
            state: State::Over,
            conversation: Conversation::new(&bench.streams, number),
            backlog: VecDeque::new(),
            connected_at: 0,
            reconnected: Duration::ZERO,
            ended: None,
            since: Duration::ZERO,
            more_behind: false,
            again: false,
        }
    }

    fn connect(&mut self, bench: &mut Bench<'_>) -> io::Result<()> {
        let stream = connect(&bench.order.server, self.source)?;
        bench.register(&stream, self.token)?;
        self.state = State::Connecting(stream);
        self.since = bench.now();
        self.more_behind = false;
        Ok(())
    }

    fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    fn finish_connect(&mut self, bench: &mut Bench<'_>) -> io::Result<()> {
        let State::Connecting(stream) = &self.state else {
            return Ok(());
        };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => {}
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOTCONN) => return Ok(()),
            Err(error) => return Err(error),
        }
        if let Server::Tcp(_) = bench.order.server {
            stream.set_tcp_nodelay(true)?;
        }
        bench.tally.connects += 1;
        bench.tally.connect.record(bench.now().saturating_sub(self.since));
        let State::Connecting(stream) = std::mem::replace(&mut self.state, State::Over) else {
            unreachable!("it was connecting above")
        };
        self.state = State::Open(stream);
        self.connected_at = self.conversation.returned_lines();
        Ok(())
    }

    fn due(&mut self, due: Duration) -> bool {
        self.backlog.push_back(due);
        self.backlog.len() == 1
    }

    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    fn ready(&mut self, bench: &mut Bench<'_>, event: &Event) {
        self.more_behind |= event.is_read_closed() || event.is_error();
        self.go_on(bench);
    }

    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    fn go_on(&mut self, bench: &mut Bench<'_>) {
        if let Err(kind) = self.try_go_on(bench) {
            self.fail(bench, kind);
        }
    }

    fn take_again(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }

    fn stop(&mut self, bench: &mut Bench<'_>) {
        debug_assert!(bench.stopping);
        let has_no_server = matches!(self.state, State::Connecting(_) | State::Away);
        if has_no_server && self.backlog.is_empty() && self.conversation.under_way() == 0 {
            self.state = State::Over;
        } else if let Err(kind) = self.turn_over(bench) {
            self.fail(bench, kind);
        }
    }

    fn watch(&mut self, bench: &mut Bench<'_>, now: Duration) {
        let waited = now.saturating_sub(self.since);
        let late = now.saturating_sub(self.ended.unwrap_or(self.since)) > bench.order.timeout;
        match self.state {
            State::Away if !late => self.look_for_server(bench),
            State::Connecting(_) | State::Away if late => self.fail(bench, ErrorKind::Connect),
            State::Open(_) if late && self.conversation.under_way() > 0 => {
                self.fail(bench, ErrorKind::Timeout);
            }
            State::Closing(_) if waited > HANG_UP.min(bench.order.timeout) => {
                if let Err(kind) = self.leave(bench) {
                    self.fail(bench, kind);
                }
            }
            State::Suspect(..) if waited > EVIDENCE_PAUSE => {
                self.fail(bench, ErrorKind::WrongBytes);
            }
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// What a connection has to say it says when it ends.
    fn conclude(_: &[Self], _: &mut Bench<'_>) {}
}

impl Connection {
    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    fn try_go_on(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        if self.is_connecting() {
            if let Err(error) = self.finish_connect(bench) {
                return self.stay_away(bench, &error);
            }
            self.reconnected = bench.now();
        }
        let mut sent = self.send_more(bench, None);
        for _ in 0..TURN {
            let State::Open(stream) = &mut self.state else {
                return self.see_it_end(bench);
            };
            match receive(stream, &mut bench.received) {
                Ok(0) => return self.ended(bench, &sent),
                Ok(read) => {
                    let now = bench.now();
                    self.since = now;
                    self.ended = None;
                    self.check(bench, read, now);
                    sent = self.send_more(bench, Some(now));
                    if read < CHUNK && !self.more_behind && sent.is_ok() {
                        return self.turn_over(bench);
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => {
                    // A connection that takes nothing any more and gives nothing is lost.
                    sent.map_err(|_| ErrorKind::Reset)?;
                    return self.turn_over(bench);
                }
                Err(_) => return Err(ErrorKind::Reset),
            }
        }
        self.again = true;
        Ok(())
    }

    /// The server has ended the connection: no failure if nothing is owed, and nothing more was wanted
    /// of it. `sent` is how the last send went: a failed one may have taken the error that tells a
    /// reset from an end.
    fn ended(&mut self, bench: &mut Bench<'_>, sent: &io::Result<()>) -> Result<(), ErrorKind> {
        self.turn_over(bench)?;
        match (&self.state, sent) {
            (State::Closing(_), _) => self.leave(bench),
            (State::Open(_), Err(error)) if error.kind() == Io::ConnectionReset => {
                Err(ErrorKind::Reset)
            }
            (State::Open(_), _) if !bench.order.expect_restart => Err(ErrorKind::Closed),
            (State::Open(_), _) => {
                self.start_over(bench);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The server has ended the connection as one does that is restarted. What crossed the end is sent
    /// again, on the next connection.
    fn start_over(&mut self, bench: &mut Bench<'_>) {
        bench.tally.drains += 1;
        bench.tally.bytes_resent += self.conversation.owed_bytes();
        bench.tally.resent += self.conversation.send_again(&bench.streams);
        self.state = State::Away;
        // One that ends every connection at once gets no more attempts than one that is not there.
        if self.ended.is_none() {
            self.ended = Some(bench.now());
            self.look_for_server(bench);
        }
    }

    fn look_for_server(&mut self, bench: &mut Bench<'_>) {
        if self.connect(bench).is_err() {
            self.state = State::Away;
        }
    }

    /// There is nobody to connect to: no failure yet if that is how it is while a server is restarted, or
    /// if there are only too many who wait for it (a Unix socket's backlog).
    fn stay_away(&mut self, bench: &Bench<'_>, error: &io::Error) -> Result<(), ErrorKind> {
        if !bench.order.expect_restart && error.kind() != Io::WouldBlock {
            return Err(ErrorKind::Connect);
        }
        self.ended.get_or_insert(bench.now());
        self.state = State::Away;
        Ok(())
    }

    /// Checks the first `read` bytes of the buffer against what was sent.
    fn check(&mut self, bench: &mut Bench<'_>, read: usize, now: Duration) {
        let Bench { streams, tally, received, scratch, order, last_progress, .. } = bench;
        let received = &received[..read];
        let before = self.conversation.returned().offset();
        let checked = self.conversation.receive(streams, received, scratch, |since, lines| {
            if since >= order.warmup {
                tally.messages += lines;
                tally.latency.record_n(now.saturating_sub(since), lines);
            }
            *last_progress = now;
        });
        tally.bytes_checked += self.conversation.returned().offset() - before;
        if let Err(difference) = checked
            && let State::Open(stream) = std::mem::replace(&mut self.state, State::Over)
        {
            self.state = State::Suspect(stream, received[difference.right..].to_vec());
        }
    }

    /// Allows what may be sent now, and sends what the socket takes.
    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    fn send_more(&mut self, bench: &mut Bench<'_>, now: Option<Duration>) -> io::Result<()> {
        let lines = self.may_allow(bench);
        if lines > 0 {
            let now = now.unwrap_or_else(|| bench.now());
            self.allow(bench, lines, now);
        }
        if let State::Open(stream) = &mut self.state
            && self.conversation.has_unsent()
        {
            let before = self.conversation.sent_bytes();
            let mut socket = Sender(stream, TURN);
            let sent = self.conversation.send(&bench.streams, &mut socket, &mut bench.scratch);
            self.again |= socket.1 == 0;
            bench.tally.bytes_sent += self.conversation.sent_bytes() - before;
            sent?;
        }
        Ok(())
    }

    /// Allows so many messages.
    fn allow(&mut self, bench: &mut Bench<'_>, lines: u64, now: Duration) {
        if self.conversation.under_way() == 0 {
            self.since = now;
        }
        match bench.order.pace {
            Pace::Depth(_) => self.conversation.allow(&bench.streams, lines, now),
            Pace::Rate(_) => {
                for due in self.backlog.drain(..usize::try_from(lines).unwrap_or(usize::MAX)) {
                    if due >= bench.order.warmup {
                        bench.tally.lag.record(now.saturating_sub(due.max(self.reconnected)));
                    }
                    self.conversation.allow(&bench.streams, 1, due);
                }
            }
        }
    }

    /// How many more messages may be sent on this socket now.
    fn may_allow(&self, bench: &Bench<'_>) -> u64 {
        let State::Open(_) = self.state else {
            return 0;
        };
        let wanted = match bench.order.pace {
            Pace::Depth(depth) => {
                let room = u64::from(depth) - self.conversation.under_way();
                room.min(bench.wanted(self.allowed_lines()))
            }
            Pace::Rate(_) => self.backlog.len() as u64,
        };
        let churn = bench.order.churn.unwrap_or(u64::MAX);
        wanted.min(churn - (self.allowed_lines() - self.connected_at))
    }

    fn allowed_lines(&self) -> u64 {
        self.conversation.returned_lines() + self.conversation.under_way()
    }

    /// When nothing is under way: leaves if there is nothing more to do, or connects anew.
    fn turn_over(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        if !matches!(self.state, State::Open(_)) || self.conversation.under_way() > 0 {
            return Ok(());
        }
        let wanted = self.is_wanted(bench);
        let is_spent = bench
            .order
            .churn
            .is_some_and(|churn| self.conversation.returned_lines() - self.connected_at >= churn);
        if !wanted || is_spent { self.close(bench) } else { Ok(()) }
    }

    /// Ends the connection from this side, and sees what the server still has to say.
    fn close(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        if let State::Open(stream) = std::mem::replace(&mut self.state, State::Over) {
            // If it is gone already, the next read tells.
            let _ = stream.shutdown(Shutdown::Write);
            self.state = State::Closing(stream);
            self.since = bench.now();
        }
        self.see_it_end(bench)
    }

    /// After our end: waits for the server's, or for a byte too many.
    fn see_it_end(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        while let State::Closing(stream) = &mut self.state {
            match receive(stream, &mut bench.received) {
                Ok(read @ 1..) => {
                    let extra = bench.received[..read].to_vec();
                    let closing = std::mem::replace(&mut self.state, State::Over);
                    if let State::Closing(stream) = closing {
                        self.state = State::Suspect(stream, extra);
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                // All is back: how the connection ends does not matter any more.
                Ok(0) | Err(_) => return self.leave(bench),
            }
        }
        self.gather_evidence(bench)
    }

    /// The connection is at its end: connects anew if more is wanted.
    fn leave(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        self.state = State::Over;
        if bench.order.churn.is_some()
            && self.is_wanted(bench)
            && let Err(error) = self.connect(bench)
        {
            return self.stay_away(bench, &error);
        }
        Ok(())
    }

    /// Whether there is, or may yet be, something to send.
    fn is_wanted(&self, bench: &Bench<'_>) -> bool {
        !self.backlog.is_empty() || bench.wanted(self.allowed_lines()) > 0
    }

    /// Takes what comes behind a wrong byte, until that is enough to explain it.
    fn gather_evidence(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        let State::Suspect(stream, evidence) = &mut self.state else {
            return Ok(());
        };
        let enough = diagnose::enough_evidence(bench.order.max_size);
        while evidence.len() < enough {
            match receive(stream, &mut bench.received) {
                Ok(0) => return Err(ErrorKind::WrongBytes),
                Ok(read) => {
                    evidence.extend_from_slice(&bench.received[..read]);
                    self.since = bench.now();
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                Err(_) => return Err(ErrorKind::WrongBytes),
            }
        }
        evidence.truncate(enough);
        Err(ErrorKind::WrongBytes)
    }

    /// Counts the failure and what was lost by it, explains it if bytes were wrong, and is over.
    fn fail(&mut self, bench: &mut Bench<'_>, kind: ErrorKind) {
        bench.tally.error(kind);
        let (lines, bytes) = if self.ended.is_some() {
            // What was to be sent again is lost as well.
            (self.conversation.under_way(), self.conversation.bytes_under_way())
        } else {
            (self.conversation.owed_lines(&bench.streams), self.conversation.owed_bytes())
        };
        bench.tally.lost += lines;
        bench.tally.bytes_lost += bytes;
        let state = std::mem::replace(&mut self.state, State::Over);
        if let State::Suspect(_, evidence) = state
            && bench.tally.faults.len() < Tally::MAX_FAULTS
        {
            let expected = self.conversation.returned();
            let fault = diagnose::explain(&bench.streams, expected, bench.channels(), &evidence);
            bench.tally.faults.push(fault);
        }
    }
}

/// A socket to send on; so many times, and then it would block.
struct Sender<'s>(&'s Socket, usize);

impl Write for Sender<'_> {
    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 = self.1.checked_sub(1).ok_or(Io::WouldBlock)?;
        transmit(self.0, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
