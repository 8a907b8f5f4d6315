//! The loop of one process of a load: all its channels on one poll, connections or sockets for datagrams.
//!
//! It connects, says that it is ready, waits for the word to start, and goes on until every
//! channel is done, has failed, or the time is up and what was under way has come back.
//!
//! An open loop is timed by a timer of the kernel's: a poll counts in milliseconds, and a message
//! that is sent late because the client slept too long would be counted against the server.

use std::{
    fs::File,
    io::{self, ErrorKind as Io, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::{
    bench::Bench,
    channel::Channel,
    machine::cpu_time,
    schedule::Schedule,
    tally::ErrorKind,
    wire::{Order, Pace, REPORT_INTERVAL, Report, Stop, Summary, Word, line},
};

const COMMANDS: Token = Token(usize::MAX - 1);
const TIMER: Token = Token(usize::MAX - 2);

/// Connections that are being made at the same time; more would overrun a listener's backlog.
const CONNECTING: usize = 128;

/// When to look again for room in the backlog of a Unix socket, of which nothing tells.
const BACKLOG_PAUSE: Duration = Duration::from_millis(1);

/// How often channels that have waited too long are looked for.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A process's loop and what it owns.
pub struct Engine<'a, C, W> {
    bench: Bench<'a>,
    poll: Poll,
    channels: Vec<C>,
    /// Channels that are not over.
    active: usize,
    schedule: Option<Schedule>,
    /// Channels that messages have become due for; kept for its room.
    waiting: Vec<usize>,
    /// Channels that stopped for the sake of the others.
    again: Vec<usize>,
    timer: OwnedFd,
    commands: Commands,
    reports: W,
}

/// The parent's words, as they come.
struct Commands {
    input: File,
    text: Vec<u8>,
    started: bool,
    stopped: bool,
}

impl<'a, C: Channel, W: Write> Engine<'a, C, W> {
    /// A loop for this order; `commands` brings the parent's words, `reports` takes ours.
    ///
    /// # Errors
    ///
    /// The system has no room for a poll.
    pub fn new(order: &'a Order, commands: File, reports: W) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&commands.as_raw_fd()), COMMANDS, Interest::READABLE)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let bench = Bench::new(order, registry.try_clone()?);
        let channels: Vec<_> = (0..order.connections).map(|index| C::new(&bench, index)).collect();
        let schedule = match order.pace {
            Pace::Depth(_) => None,
            Pace::Rate(rate) => {
                let all = match order.stop {
                    Stop::After(_) => u64::MAX,
                    Stop::Messages(each) => each.saturating_mul(order.connections.into()),
                };
                Some(Schedule::new(rate, order.process, order.processes, all))
            }
        };
        let commands =
            Commands { input: commands, text: Vec::new(), started: false, stopped: false };
        let active = channels.len();
        let (waiting, again) = (Vec::new(), Vec::new());
        Ok(Self {
            bench,
            poll,
            channels,
            active,
            schedule,
            waiting,
            again,
            timer,
            commands,
            reports,
        })
    }

    /// Does what was ordered.
    ///
    /// # Errors
    ///
    /// The parent is gone, or the poll fails.
    pub fn run(mut self) -> io::Result<()> {
        // All that there can be to hear, besides the commands and the timer.
        let mut events = Events::with_capacity(self.channels.len() + 2);
        if let Err(error) = self.connect_all(&mut events)? {
            return self.say(&Report::Failed {
                kind: ErrorKind::Connect,
                errno: error.raw_os_error(),
                text: error.to_string(),
            });
        }
        self.say(&Report::Ready)?;
        while !self.commands.started && !self.commands.stopped {
            self.wait(&mut events, None)?;
        }
        let summary = self.work(&mut events)?;
        self.say(&Report::Done(summary))
    }

    /// Connects all channels, so many at a time. The inner error is one that makes the run pointless.
    fn connect_all(&mut self, events: &mut Events) -> io::Result<io::Result<()>> {
        let (mut next, mut connecting) = (0, 0);
        let (timeout, mut last) = (self.bench.order.timeout, self.bench.now());
        while next < self.channels.len() || connecting > 0 {
            let mut is_full = false;
            while next < self.channels.len() && connecting < CONNECTING && !is_full {
                let channel = &mut self.channels[next];
                match channel.connect(&mut self.bench) {
                    Err(error) if error.kind() == Io::WouldBlock => is_full = true,
                    Err(error) => return Ok(Err(error)),
                    Ok(()) => {
                        next += 1;
                        connecting += usize::from(channel.is_connecting());
                    }
                }
            }
            if connecting == 0 && !is_full {
                continue;
            }
            let left = (last + timeout).saturating_sub(self.bench.now());
            self.wait(events, Some(if is_full { left.min(BACKLOG_PAUSE) } else { left }))?;
            if !events.is_empty() {
                last = self.bench.now();
            } else if left.is_zero() {
                return Ok(Err(Io::TimedOut.into()));
            }
            for event in &*events {
                let Some(channel) = self.channels.get_mut(event.token().0) else {
                    continue;
                };
                if channel.is_connecting() {
                    if let Err(error) = channel.finish_connect(&mut self.bench) {
                        return Ok(Err(error));
                    }
                    connecting -= usize::from(!channel.is_connecting());
                }
            }
        }
        Ok(Ok(()))
    }

    /// From the start to the end: what is still to be reported then.
    fn work(&mut self, events: &mut Events) -> io::Result<Summary> {
        self.bench.start();
        let end = match self.bench.order.stop {
            Stop::After(duration) => self.bench.order.warmup + duration,
            Stop::Messages(_) => Duration::MAX,
        };
        let mut cpu_before = cpu_time();
        let mut is_warm = self.bench.order.warmup.is_zero();
        let (mut next_report, mut next_watch) = (REPORT_INTERVAL, WATCH_INTERVAL);
        // What is lost on its way is waited for at the end, and that is no work: since when there has been
        // none, and what had been used by then.
        let mut idle = None;
        // What an event would have told before the start is not told again.
        self.for_each(|channel, bench| channel.go_on(bench));
        while self.active > 0 {
            let now = self.bench.now();
            if !is_warm && now >= self.bench.order.warmup {
                (is_warm, cpu_before) = (true, cpu_time());
            }
            if (now >= end || self.commands.stopped) && !self.bench.stopping {
                self.stop();
            }
            if now >= next_report {
                next_report = now + REPORT_INTERVAL;
                let tally = std::mem::take(&mut self.bench.tally);
                self.say(&Report::Progress(tally))?;
            }
            self.send_due();
            let until =
                next_report.min(next_watch).min(end.max(now)).saturating_sub(self.bench.now());
            let sleeps = self.arm_timer()? && self.again.is_empty();
            let timeout = if sleeps { until } else { Duration::ZERO };
            let heard = self.wait(events, Some(timeout))?;
            let now = self.bench.now();
            if events.is_empty() && sleeps {
                idle.get_or_insert_with(|| (now, cpu_time()));
            } else {
                idle = None;
            }
            let mut again = std::mem::take(&mut self.again);
            for event in &*events {
                self.touch(event.token().0, |channel, bench| channel.ready(bench, event));
            }
            for index in again.drain(..) {
                self.touch(index, C::go_on);
            }
            // Nobody is late whose bytes may only not have been heard of, as after a stop of this process.
            if heard && now >= next_watch {
                next_watch = now + WATCH_INTERVAL;
                self.for_each(|channel, bench| channel.watch(bench, now));
            }
        }
        let (worked, cpu) = idle.unwrap_or_else(|| (self.bench.now(), cpu_time()));
        C::conclude(&self.channels, &mut self.bench);
        Ok(Summary {
            tally: std::mem::take(&mut self.bench.tally),
            measured: self.bench.last_progress.saturating_sub(self.bench.order.warmup),
            cpu: cpu.saturating_sub(cpu_before),
            worked: worked.saturating_sub(self.bench.order.warmup),
        })
    }

    fn stop(&mut self) {
        self.bench.stopping = true;
        if let Some(schedule) = &mut self.schedule {
            schedule.stop();
        }
        self.for_each(C::stop);
    }

    /// Open loop: gives the messages that are due to their channels. Not those that become due in
    /// the meantime, or a process that cannot keep up would never come to see what returns.
    fn send_due(&mut self) {
        let now = self.bench.now();
        let all = self.channels.len() as u64;
        let mut waiting = std::mem::take(&mut self.waiting);
        while let Some((number, due)) =
            self.schedule.as_mut().and_then(|schedule| schedule.take(now))
        {
            let index = usize::try_from(number % all).expect("the index of a channel");
            let channel = &mut self.channels[index];
            if !channel.is_over() && channel.due(due) {
                waiting.push(index);
            }
        }
        for index in waiting.drain(..) {
            self.touch(index, C::go_on);
        }
        self.waiting = waiting;
    }

    /// Open loop: has the timer end the next wait when a message is due. `false`: one already is.
    fn arm_timer(&self) -> io::Result<bool> {
        let Some(due) = self.schedule.as_ref().and_then(Schedule::next_due) else {
            return Ok(true);
        };
        let left = due.saturating_sub(self.bench.now());
        if left.is_zero() {
            return Ok(false);
        }
        let it_value = Timespec::try_from(left).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(true)
    }

    fn for_each(&mut self, mut action: impl FnMut(&mut C, &mut Bench<'a>)) {
        for index in 0..self.channels.len() {
            self.touch(index, &mut action);
        }
    }

    /// Lets a channel do something, if there is one of that index and it is not over.
    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    fn touch(&mut self, index: usize, action: impl FnOnce(&mut C, &mut Bench<'a>)) {
        if let Some(channel) = self.channels.get_mut(index)
            && !channel.is_over()
        {
            action(channel, &mut self.bench);
            self.active -= usize::from(channel.is_over());
            if channel.take_again() {
                self.again.push(index);
            }
        }
    }

    /// Waits for events; hears the parent's words among them. `false`: it was interrupted, and has heard
    /// nothing.
    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<bool> {
        let heard = match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == Io::Interrupted => false,
            polled => polled.map(|()| true)?,
        };
        if events.iter().any(|event| event.token() == COMMANDS) {
            self.commands.hear()?;
        }
        Ok(heard)
    }

    fn say(&mut self, report: &Report) -> io::Result<()> {
        self.reports.write_all(line(report).as_bytes())?;
        self.reports.flush()
    }
}

impl Commands {
    /// Takes the words that have come.
    fn hear(&mut self) -> io::Result<()> {
        let mut chunk = [0; 256];
        loop {
            match self.input.read(&mut chunk) {
                Ok(0) => return Err(io::Error::other("the parent is gone")),
                Ok(read) => self.text.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == Io::WouldBlock => break,
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while let Some(newline) = memchr::memchr(b'\n', &self.text) {
            let line: Vec<u8> = self.text.drain(..=newline).collect();
            match serde_json::from_slice(&line)? {
                Word::Start => self.started = true,
                Word::Stop => self.stopped = true,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::unix::net::{UnixListener, UnixStream},
        thread,
    };

    use socket2::{Domain, SockAddr, Socket, Type};

    use super::*;
    use crate::load::{
        connection::Connection,
        tally::{FaultKind, Tally},
        wire::Server,
    };

    /// Serves every connection with `serve`, in threads that end with their connections.
    fn server(serve: fn(&TcpStream)) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || serve(&stream.unwrap()));
            }
        });
        Server::Tcp(address)
    }

    fn echo(mut stream: &TcpStream) {
        let mut reader = stream;
        let _ = io::copy(&mut reader, &mut stream);
    }

    fn order(server: Server) -> Order {
        Order {
            server,
            sources: Vec::new(),
            process: 0,
            processes: 1,
            connections: 5,
            seed: 42,
            min_size: 1,
            max_size: 300,
            pace: Pace::Depth(4),
            stop: Stop::Messages(100),
            warmup: Duration::ZERO,
            churn: None,
            expect_restart: false,
            timeout: Duration::from_secs(20),
        }
    }

    /// Carries out an order; says `words` when it is ready.
    fn carried_out(order: &Order, words: &[Word]) -> Vec<Report> {
        let (ours, mut parent) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        for word in words {
            parent.write_all(line(word).as_bytes()).unwrap();
        }
        let mut reports = Vec::new();
        let commands = OwnedFd::from(ours).into();
        Engine::<Connection, _>::new(order, commands, &mut reports).unwrap().run().unwrap();
        let reports = String::from_utf8(reports).unwrap();
        reports.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn done(reports: &[Report]) -> Tally {
        let mut all = Tally::default();
        for report in reports {
            match report {
                Report::Progress(tally) => all.add(tally),
                Report::Done(summary) => all.add(&summary.tally),
                Report::Ready | Report::Failed { .. } => {}
            }
        }
        assert!(matches!(reports.last(), Some(Report::Done(_))), "{reports:?}");
        all
    }

    #[test]
    fn every_message_comes_back_and_is_counted_once() {
        let tally = done(&carried_out(&order(server(echo)), &[Word::Start]));
        assert_eq!((tally.messages, tally.lost, tally.all_errors()), (500, 0, 0));
        assert_eq!((tally.connects, tally.latency.len(), tally.connect.len()), (5, 500, 5));
        assert_eq!(tally.bytes_sent, tally.bytes_checked);
    }

    #[test]
    fn a_unix_socket_is_a_server_like_any_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("echo.sock");
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        for churn in [None, Some(30)] {
            let order = Order { churn, ..order(Server::Unix(path.clone().into())) };
            let tally = done(&carried_out(&order, &[Word::Start]));
            assert_eq!((tally.messages, tally.lost, tally.all_errors()), (500, 0, 0));
            assert_eq!(tally.connects, if churn.is_some() { 20 } else { 5 });
        }
    }

    /// One in whose backlog there is room for one, asked by ten.
    #[test]
    fn a_full_backlog_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("echo.sock");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let listener = UnixListener::from(OwnedFd::from(socket));
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        let order = Order {
            connections: 10,
            churn: Some(1),
            stop: Stop::Messages(3),
            ..order(Server::Unix(path.into()))
        };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.all_errors(), tally.connects), (30, 0, 30));
    }

    #[test]
    fn an_open_loop_sends_what_is_due() {
        let order = Order { pace: Pace::Rate(5000.0), ..order(server(echo)) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.lag.len(), tally.all_errors()), (500, 500, 0));
    }

    /// Echoes so much, and then ends as a server that is restarted.
    fn echo_a_while(mut stream: &TcpStream) {
        let (mut left, mut some) = (1000, [0; 64]);
        while left > 0 {
            let Ok(read @ 1..) = stream.read(&mut some[..64.min(left)]) else { return };
            let _ = stream.write_all(&some[..read]);
            left -= read;
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        // Whatever crosses the end is not echoed, and no reset eats what was.
        let _ = io::copy(&mut stream, &mut io::sink());
    }

    #[test]
    fn a_server_that_ends_connections_cleanly_costs_nothing_where_that_is_expected() {
        let order = Order { expect_restart: true, ..order(server(echo_a_while)) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.lost, tally.bytes_lost), (500, 0, 0));
        assert_eq!(tally.all_errors(), 0);
        assert!(tally.drains > 20 && tally.resent > 0, "{tally:?}");
        assert_eq!(tally.connects, 5 + tally.drains);
    }

    /// Nothing comes back from one that ends every connection at once.
    #[test]
    fn a_server_that_only_ends_connections_is_given_up() {
        let order = Order {
            expect_restart: true,
            timeout: Duration::from_millis(300),
            ..order(server(|_| {}))
        };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.all_errors()), (0, 5));
        assert_eq!(tally.lost, 5 * 4, "{tally:?}");
    }

    #[test]
    fn churn_connects_anew() {
        for pace in [Pace::Depth(4), Pace::Rate(5000.0)] {
            let order = Order { churn: Some(30), pace, ..order(server(echo)) };
            let tally = done(&carried_out(&order, &[Word::Start]));
            assert_eq!((tally.messages, tally.connects, tally.all_errors()), (500, 20, 0));
        }
    }

    /// Serves one connection, then says something more, and ends.
    fn echo_and(mut stream: &TcpStream, more: &[u8]) {
        let mut all = vec![0; 64 * 100];
        if stream.read_exact(&mut all).is_ok() {
            let _ = stream.write_all(&[&all, more].concat());
        }
    }

    #[test]
    fn a_server_that_ends_when_all_is_back_has_done_nothing_wrong() {
        let address = server(|stream| echo_and(stream, b""));
        let order = Order { pace: Pace::Depth(100), min_size: 64, max_size: 64, ..order(address) };
        for churn in [None, Some(100)] {
            let order = Order { churn, ..order.clone() };
            let tally = done(&carried_out(&order, &[Word::Start]));
            assert_eq!((tally.messages, tally.lost, tally.all_errors()), (500, 0, 0));
        }
    }

    #[test]
    fn a_byte_too_many_behind_the_last_is_wrong() {
        let address = server(|stream| echo_and(stream, b"!"));
        let order = Order { pace: Pace::Depth(100), min_size: 64, max_size: 64, ..order(address) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.errors[&ErrorKind::WrongBytes]), (500, 5));
        assert_eq!(tally.faults[0].offset, 6400);
    }

    #[test]
    fn a_connection_without_end_does_not_keep_the_clock_from_being_seen() {
        let order = Order {
            pace: Pace::Depth(20_000),
            stop: Stop::After(Duration::from_millis(50)),
            min_size: 64,
            max_size: 64,
            ..order(server(echo))
        };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.lost, tally.all_errors()), (0, 0));
        assert!(tally.messages > 0);
    }

    #[test]
    fn it_stops_when_it_is_told_to() {
        let order = Order { stop: Stop::After(Duration::MAX / 2), ..order(server(echo)) };
        let tally = done(&carried_out(&order, &[Word::Start, Word::Stop]));
        assert_eq!((tally.lost, tally.all_errors()), (0, 0));
    }

    #[test]
    fn nobody_there_is_said_before_anything_is_started() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let reports = carried_out(&order(Server::Tcp(gone)), &[]);
        assert!(
            matches!(
                reports[..],
                [Report::Failed { kind: ErrorKind::Connect, errno: Some(111), .. }]
            ),
            "{reports:?}"
        );
    }

    #[test]
    fn a_server_that_leaves_early_loses_what_was_under_way() {
        let address = server(|mut stream| {
            let mut some = [0; 10];
            stream.read_exact(&mut some).unwrap();
            stream.write_all(&some).unwrap();
        });
        let order = Order { connections: 1, min_size: 100, ..order(address) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!((tally.messages, tally.lost, tally.all_errors()), (0, 4, 1));
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up() {
        let address = server(|mut stream| {
            // Until the client has gone.
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        let order = Order { timeout: Duration::from_millis(20), ..order(address) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!(tally.errors[&ErrorKind::Timeout], 5);
    }

    #[test]
    fn a_wrong_byte_is_explained() {
        let address = server(|mut stream| {
            let mut line = [0; 64];
            while stream.read_exact(&mut line).is_ok() {
                line[13] ^= 1;
                let _ = stream.write_all(&line);
            }
        });
        let order = Order { connections: 1, min_size: 64, max_size: 64, ..order(address) };
        let tally = done(&carried_out(&order, &[Word::Start]));
        assert_eq!(tally.errors[&ErrorKind::WrongBytes], 1);
        let fault = &tally.faults[0];
        assert_eq!((fault.kind, fault.connection, fault.offset), (FaultKind::Damaged, 0, 13));
    }
}
