//! One connection of a load: its socket, from the first connect to the last byte, or to its failure.
//!
//! It knows nothing of the loop that drives it. It is told when its socket may be ready, and then
//! goes on until the socket has nothing more to give or take: readiness is told once.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind as Io, Write},
    net::{IpAddr, Shutdown, SocketAddr},
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    conversation::Conversation,
    judge,
    payload::Streams,
    tally::{ErrorKind, Tally},
    wire::{Order, Pace, Stop},
};

/// Bytes to receive, or to make, at once.
const CHUNK: usize = 64 * 1024;

/// How long to wait for more of a wrong echo before it is explained.
const EVIDENCE_PAUSE: Duration = Duration::from_millis(200);

/// How long to wait for the server to end a connection that we have ended. One that never does is
/// still an echo server.
const HANG_UP: Duration = Duration::from_millis(500);

/// Reads, and writes, that a connection gets in a row before the others have their turn.
const TURN: usize = 8;

/// What all connections of a process share.
#[derive(Debug)]
pub struct Bench<'a> {
    /// What is to be done.
    pub order: &'a Order,
    /// What is to be sent.
    pub streams: Streams,
    /// What has been counted.
    pub tally: Tally,
    /// Nothing new is to be sent.
    pub stopping: bool,
    /// When a message last came back.
    pub last_return: Duration,
    registry: Registry,
    start: Instant,
    received: Box<[u8]>,
    scratch: Box<[u8]>,
}

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
    Connecting(TcpStream),
    /// There is no server at the moment; it is looked for now and then.
    Away,
    Open(TcpStream),
    /// All is back and nothing more will be sent: a byte that still comes before the end is one too
    /// many.
    Closing(TcpStream),
    /// A wrong byte has come; what comes behind it says more.
    Suspect(TcpStream, Vec<u8>),
    /// Done, or failed.
    Over,
}

impl<'a> Bench<'a> {
    /// For one process's order.
    #[must_use]
    pub fn new(order: &'a Order, registry: Registry) -> Self {
        Self {
            order,
            streams: Streams::new(order.seed, order.min_size..=order.max_size),
            tally: Tally::default(),
            stopping: false,
            last_return: Duration::ZERO,
            registry,
            start: Instant::now(),
            received: vec![0; CHUNK].into(),
            scratch: vec![0; CHUNK].into(),
        }
    }

    /// The clock starts.
    pub fn start(&mut self) {
        self.start = Instant::now();
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// How many connections the run has.
    fn connections(&self) -> u64 {
        u64::from(self.order.processes) * u64::from(self.order.connections)
    }
}

impl Connection {
    /// The `index`-th of its process, not connected yet.
    #[must_use]
    pub fn new(bench: &Bench<'_>, index: u32) -> Self {
        let order = bench.order;
        let number = u64::from(order.process) * u64::from(order.connections) + u64::from(index);
        let source = usize::try_from(number).ok().and_then(|number| {
            order.sources.get(number.checked_rem(order.sources.len())?).copied()
        });
        Self {
            token: Token(index as usize),
            source,
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

    /// Whether it will do nothing more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether it is still being made.
    #[must_use]
    pub fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    /// Begins to connect.
    ///
    /// # Errors
    ///
    /// The system has no descriptor or no port for it, or the server's address cannot be reached.
    pub fn connect(&mut self, bench: &Bench<'_>) -> io::Result<()> {
        let mut stream = connect(bench.order.server, self.source)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        bench.registry.register(&mut stream, self.token, interest)?;
        self.state = State::Connecting(stream);
        self.since = bench.now();
        self.more_behind = false;
        Ok(())
    }

    /// Finishes connecting, if it is connecting and the socket says so.
    ///
    /// # Errors
    ///
    /// There is no connection to be had.
    pub fn finish_connect(&mut self, bench: &mut Bench<'_>) -> io::Result<()> {
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
        stream.set_nodelay(true)?;
        bench.tally.connects += 1;
        bench.tally.connect.record(bench.now().saturating_sub(self.since));
        let State::Connecting(stream) = std::mem::replace(&mut self.state, State::Over) else {
            unreachable!("it was connecting above")
        };
        self.state = State::Open(stream);
        self.connected_at = self.conversation.returned_lines();
        Ok(())
    }

    /// A message is due (open loop). Says whether it is the first that waits, so that this connection
    /// must [go on](Self::go_on).
    pub fn due(&mut self, due: Duration) -> bool {
        self.backlog.push_back(due);
        self.backlog.len() == 1
    }

    /// The poll has told something of the socket.
    #[expect(clippy::inline_always, reason = "see `receive`")]
    #[inline(always)]
    pub fn ready(&mut self, bench: &mut Bench<'_>, event: &Event) {
        self.more_behind |= event.is_read_closed() || event.is_error();
        self.go_on(bench);
    }

    /// Whether it has to [go on](Self::go_on) without being told by the poll. Forgets it.
    pub fn take_again(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }

    /// The socket may be ready, or there may be something new to send: goes as far as it can, and as
    /// is fair to the others.
    #[expect(clippy::inline_always, reason = "see `receive`")]
    #[inline(always)]
    pub fn go_on(&mut self, bench: &mut Bench<'_>) {
        if let Err(kind) = self.try_go_on(bench) {
            self.fail(bench, kind);
        }
    }

    #[expect(clippy::inline_always, reason = "see `receive`")]
    #[inline(always)]
    fn try_go_on(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        if self.is_connecting() {
            if self.finish_connect(bench).is_err() {
                return self.stay_away(bench);
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

    fn look_for_server(&mut self, bench: &Bench<'_>) {
        if self.connect(bench).is_err() {
            self.state = State::Away;
        }
    }

    /// There is nobody to connect to: no failure yet if that is how it is while a server is restarted.
    fn stay_away(&mut self, bench: &Bench<'_>) -> Result<(), ErrorKind> {
        if !bench.order.expect_restart {
            return Err(ErrorKind::Connect);
        }
        self.ended.get_or_insert(bench.now());
        self.state = State::Away;
        Ok(())
    }

    /// Checks the first `read` bytes of the buffer against what was sent.
    fn check(&mut self, bench: &mut Bench<'_>, read: usize, now: Duration) {
        let Bench { streams, tally, received, scratch, order, last_return, .. } = bench;
        let received = &received[..read];
        let before = self.conversation.returned().offset();
        let checked = self.conversation.receive(streams, received, scratch, |since, lines| {
            if since >= order.warmup {
                tally.messages += lines;
                tally.latency.record_n(now.saturating_sub(since), lines);
            }
            *last_return = now;
        });
        tally.bytes_checked += self.conversation.returned().offset() - before;
        if let Err(difference) = checked
            && let State::Open(stream) = std::mem::replace(&mut self.state, State::Over)
        {
            self.state = State::Suspect(stream, received[difference.right..].to_vec());
        }
    }

    /// Allows what may be sent now, and sends what the socket takes.
    #[expect(clippy::inline_always, reason = "see `receive`")]
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
                room.min(self.wanted(bench))
            }
            Pace::Rate(_) => self.backlog.len() as u64,
        };
        let churn = bench.order.churn.unwrap_or(u64::MAX);
        wanted.min(churn - (self.allowed_lines() - self.connected_at))
    }

    /// Closed loop: how many more messages this connection is to send at all.
    fn wanted(&self, bench: &Bench<'_>) -> u64 {
        match bench.order.stop {
            _ if bench.stopping => 0,
            Stop::After(_) => u64::MAX,
            Stop::Messages(all) => all - self.allowed_lines(),
        }
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
        if bench.order.churn.is_some() && self.is_wanted(bench) && self.connect(bench).is_err() {
            return self.stay_away(bench);
        }
        Ok(())
    }

    /// Whether there is, or may yet be, something to send.
    fn is_wanted(&self, bench: &Bench<'_>) -> bool {
        match bench.order.pace {
            Pace::Depth(_) => self.wanted(bench) > 0,
            Pace::Rate(_) => !self.backlog.is_empty() || self.may_be_due(bench),
        }
    }

    /// Open loop: whether a message may yet become due.
    fn may_be_due(&self, bench: &Bench<'_>) -> bool {
        !bench.stopping
            && match bench.order.stop {
                Stop::After(_) => true,
                Stop::Messages(all) => self.conversation.returned_lines() < all,
            }
    }

    /// Nothing new is to be sent: ends if nothing is under way.
    pub fn stop(&mut self, bench: &mut Bench<'_>) {
        debug_assert!(bench.stopping);
        let has_no_server = matches!(self.state, State::Connecting(_) | State::Away);
        if has_no_server && self.backlog.is_empty() && self.conversation.under_way() == 0 {
            self.state = State::Over;
        } else if let Err(kind) = self.turn_over(bench) {
            self.fail(bench, kind);
        }
    }

    /// Takes what comes behind a wrong byte, until that is enough to explain it.
    fn gather_evidence(&mut self, bench: &mut Bench<'_>) -> Result<(), ErrorKind> {
        let State::Suspect(stream, evidence) = &mut self.state else {
            return Ok(());
        };
        let enough = judge::enough_evidence(bench.order.max_size);
        while evidence.len() < enough {
            match receive(stream, &mut bench.received) {
                Ok(0) => return Err(ErrorKind::WrongBytes),
                Ok(read) => {
                    evidence.extend_from_slice(&bench.received[..read]);
                    self.since = bench.start.elapsed();
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                Err(_) => return Err(ErrorKind::WrongBytes),
            }
        }
        evidence.truncate(enough);
        Err(ErrorKind::WrongBytes)
    }

    /// Fails what has taken too long. To be called now and then.
    pub fn watch(&mut self, bench: &mut Bench<'_>, now: Duration) {
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
            let fault = judge::explain(&bench.streams, expected, bench.connections(), &evidence);
            bench.tally.faults.push(fault);
        }
    }
}

/// Receives without the C library, which in a process of several threads does more than asked for.
///
/// It is in line with the engine's loop, as is all that lies between, and so is sending: a function
/// that returns behind a system call costs far more than elsewhere, because the processor has to guess
/// where to.
#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(stream, buffer, RecvFlags::DONTWAIT)?.0)
}

/// As [`receive`], the other way; so many times, and then it would block.
struct Sender<'s>(&'s TcpStream, usize);

impl Write for Sender<'_> {
    #[expect(clippy::inline_always, reason = "see `receive`")]
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 = self.1.checked_sub(1).ok_or(Io::WouldBlock)?;
        Ok(send(self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn connect(server: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&server.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
