//! Connections over scripted streams: every short write, stall, reset and end, without a socket.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use common::protocol::Protocol;

mod proxied;

use super::{
    connection::Connection,
    stream::Stream,
    turn::{Readiness, Turn, TurnContext},
};
use crate::{
    admission::{ConnectionLimits, ConnectionPolicy, Peer},
    config::{Config, limits},
    telemetry::{ConnectionEvents, WorkerCounters},
};

/// A stream that gives and takes what its script says.
#[derive(Default)]
struct Script {
    /// What reads return, in turn; then they would block. An empty piece is the end.
    incoming: VecDeque<io::Result<Vec<u8>>>,
    /// How many bytes writes take, in turn, 0 for "would block"; when it is used up, any number.
    takes: VecDeque<usize>,
    /// So many writes are interrupted first.
    interruptions: usize,
    /// Writes take nothing and call that a success.
    deaf: bool,
    /// Writes fail.
    broken: bool,
    outgoing: Vec<u8>,
    half_closed: bool,
    /// What the half-close says instead of nothing.
    complaint: Option<io::ErrorKind>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.incoming.pop_front() {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Err(error)) => Err(error),
            Some(Ok(mut piece)) => {
                let here = piece.len().min(buffer.len());
                buffer[..here].copy_from_slice(&piece[..here]);
                let rest = piece.split_off(here);
                if !rest.is_empty() {
                    self.incoming.push_front(Ok(rest));
                }
                Ok(here)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.half_closed, "written after the half-close");
        if self.interruptions > 0 {
            self.interruptions -= 1;
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.deaf {
            return Ok(0);
        }
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let takes = self.takes.pop_front().unwrap_or(usize::MAX).min(bytes.len());
        self.outgoing.extend_from_slice(&bytes[..takes]);
        if takes == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(takes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Script {
    fn half_close(&mut self) -> io::Result<()> {
        self.half_closed = true;
        self.complaint.map_or(Ok(()), |complaint| Err(complaint.into()))
    }

    fn received(&self) -> io::Result<u64> {
        Ok(self.incoming.iter().flatten().map(|piece| piece.len() as u64).sum())
    }
}

/// A logger that keeps what the calling thread logs while it is listening.
struct Listener;

thread_local! {
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        HEARD.with_borrow_mut(|heard| {
            if let Some(heard) = heard {
                heard.push(record.args().to_string());
            }
        });
    }

    fn flush(&self) {}
}

/// From now on this thread's log lines are kept.
fn listen() {
    // Another test may have been the first.
    let _ = log::set_logger(&Listener);
    log::set_max_level(log::LevelFilter::Info);
    HEARD.set(Some(Vec::new()));
}

/// What has been logged.
fn lines() -> Vec<String> {
    HEARD.with_borrow(|heard| heard.clone().unwrap_or_default())
}

/// How many lines that begin so have been logged.
fn heard(start: &str) -> usize {
    HEARD.with_borrow(|heard| heard.iter().flatten().filter(|line| line.starts_with(start)).count())
}

/// A connection, and the worker around it.
struct Bench {
    connection: Connection<Script>,
    counters: WorkerCounters,
    open: ConnectionLimits,
    buffer: Vec<u8>,
    now: Instant,
}

impl Bench {
    fn new(protocol: Protocol, incoming: &[&[u8]]) -> Self {
        Self::on(ConnectionPolicy::of(protocol), incoming)
    }

    fn on(policy: ConnectionPolicy, incoming: &[&[u8]]) -> Self {
        let now = Instant::now();
        let incoming = incoming.iter().map(|piece| Ok(piece.to_vec())).collect();
        let stream = Script { incoming, ..Script::default() };
        Self {
            connection: Connection::new(stream, &PEER, Arc::new(policy), now),
            counters: WorkerCounters::default(),
            open: ConnectionLimits::new(&Config::default()),
            buffer: vec![0; limits::READ_BUFFER],
            now,
        }
    }

    fn stream(&mut self) -> &mut Script {
        self.connection.stream_mut()
    }

    fn turn(&mut self) -> Turn {
        let telemetry = ConnectionEvents::new(&self.counters, true);
        let mut context = TurnContext {
            buffer: &mut self.buffer,
            telemetry: &telemetry,
            limits: &self.open,
            now: self.now,
        };
        self.connection.turn(&mut context)
    }

    fn readable(&mut self) -> Turn {
        self.connection.set_ready(Readiness { readable: true, has_more: false });
        self.turn()
    }

    /// Readable turns until the script has nothing left to read.
    fn run(&mut self) -> Turn {
        loop {
            let turn = self.readable();
            if turn == Turn::Over
                || self.stream().incoming.is_empty() && !self.connection.wants_write()
            {
                return turn;
            }
        }
    }
}

const END: &[u8] = b"";
const PEER: Peer = Peer::Remote(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 54321));

#[test]
fn a_small_message_is_one_read_and_one_write() {
    let mut bench = Bench::new(Protocol::Text, &[b"hello\n", b"not read yet\n"]);
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"hello\n");
    assert_eq!(bench.stream().incoming.len(), 1, "a short read took all there was");
}

#[test]
fn data_and_the_end_in_one_wakeup_come_in_that_order() {
    let mut bench = Bench::new(Protocol::Text, &[b"hello", END]);
    bench.connection.set_ready(Readiness { readable: true, has_more: true });
    assert_eq!(bench.turn(), Turn::Over);
    assert_eq!(bench.stream().outgoing, b"hello");
}

#[test]
fn urgent_data_splits_reads_and_stalls_nothing() {
    let mut bench = Bench::new(Protocol::Text, &[b"ab\n", b"!cd\n"]);
    bench.connection.set_ready(Readiness { readable: true, has_more: true });
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"ab\n!cd\n");
}

#[test]
fn draining_serves_all_that_was_received_in_however_many_reads() {
    let mut bench = Bench::new(Protocol::Text, &[b"ab\n", b"!cd\n"]);
    bench.connection.drain();
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"ab\n!cd\n");
    assert!(bench.stream().half_closed);
}

#[test]
fn a_time_limit_too_long_for_the_clock_never_comes() {
    let mut bench =
        Bench::on(ConnectionPolicy::of(Protocol::Text).with(Some(Duration::MAX), None), &[]);
    bench.connection.is_logged = true;
    assert_eq!(bench.connection.deadline(), None);
}

#[test]
fn a_short_write_at_every_offset_loses_and_repeats_nothing() {
    let sent = b"one\ntwo\nexit\nthree";
    let replies = b"one\ntwo\nGoodbye!\n";
    for first in 0..=replies.len() {
        for second in 0..=replies.len() - first {
            let mut bench = Bench::new(Protocol::Text, &[sent, END]);
            bench.stream().takes = [first, 0, second, 0].into();
            while bench.readable() != Turn::Over {}
            assert_eq!(bench.stream().outgoing, replies, "{first}, then {second}");
            assert!(bench.stream().half_closed);
        }
    }
}

#[test]
fn a_message_is_logged_as_echoed_once_and_when_its_last_byte_is_sent() {
    let lines = b"one\ntwo\nthree\nexit\n";
    for at in 0..lines.len() {
        listen();
        let mut bench = Bench::new(Protocol::Text, &[lines]);
        let then = (0..lines.len()).flat_map(|_| [1, 0]);
        bench.stream().takes = [at, 0].into_iter().chain(then).collect();
        bench.readable();
        assert_eq!(heard("Received from"), 4);
        while bench.connection.wants_write() {
            // The goodbye has a line of its own.
            let whole = memchr::memchr_iter(b'\n', &bench.stream().outgoing).count();
            assert_eq!(heard("Echoed to"), whole.min(3), "{:?}", bench.stream().outgoing);
            bench.turn();
        }
        assert_eq!(bench.stream().outgoing, b"one\ntwo\nthree\nGoodbye!\n");
        assert_eq!(heard("Echoed to"), 3);
        assert_eq!(bench.counters.bytes_sent.get(), 23);
    }
}

#[test]
fn a_write_that_fails_is_the_end_of_that_connection() {
    for taken in [vec![], vec![1, 0]] {
        let mut bench = Bench::new(Protocol::Text, &[b"hello"]);
        let has_tail = !taken.is_empty();
        bench.stream().takes = taken.into();
        if has_tail {
            assert_eq!(bench.readable(), Turn::Wait);
        }
        bench.stream().broken = true;
        assert_eq!(bench.readable(), Turn::Over);
    }
}

#[test]
fn an_interrupted_write_is_tried_again() {
    let mut bench = Bench::new(Protocol::Text, &[b"hello"]);
    bench.stream().interruptions = 2;
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"hello");
}

#[test]
fn nothing_is_read_while_there_is_a_tail() {
    let mut bench = Bench::new(Protocol::Raw, &[b"first", b"second"]);
    bench.stream().takes = [2, 0, 0].into();
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!((bench.connection.unsent(), bench.stream().incoming.len()), (3, 1));
    assert!(bench.connection.wants_write());
    assert_eq!(bench.readable(), Turn::Wait, "still stalled");
    assert_eq!(bench.stream().incoming.len(), 1);
    assert_eq!(bench.turn(), Turn::Wait, "what was readable then is read now");
    assert_eq!(bench.stream().outgoing, b"firstsecond");
}

#[test]
fn a_greedy_peer_gets_a_turn_and_no_more() {
    let full = vec![b'x'; limits::READ_BUFFER];
    let mut bench = Bench::new(Protocol::Raw, &[&full[..]; 10]);
    assert_eq!(bench.readable(), Turn::Again);
    assert_eq!(bench.stream().incoming.len(), 10 - limits::TURN_READS);
    assert_eq!(bench.turn(), Turn::Again, "what is left over needs no new readiness");
}

#[test]
fn a_read_of_many_logged_lines_counts_for_several() {
    // What no logger takes is not counted.
    listen();
    let full = vec![b'\n'; limits::READ_BUFFER];
    let mut bench = Bench::new(Protocol::Text, &[&full[..]; 10]);
    assert_eq!(bench.readable(), Turn::Again);
    assert_eq!(bench.stream().incoming.len(), 9);
}

#[test]
fn ten_thousand_pipelined_lines_keep_their_order() {
    let lines: Vec<u8> =
        (0..10_000).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
    let mut bench = Bench::new(Protocol::Text, &[&lines, END]);
    assert_eq!(bench.run(), Turn::Over);
    assert!(bench.stream().outgoing == lines);
}

#[test]
fn the_end_of_the_stream_waits_for_the_tail() {
    let mut bench = Bench::new(Protocol::Text, &[b"no newline", END]);
    bench.stream().takes = [4, 0, 0, 0].into();
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.run(), Turn::Over);
    assert_eq!(bench.stream().outgoing, b"no newline");
}

#[test]
fn after_an_exit_the_rest_is_discarded_until_the_peer_leaves() {
    let mut bench = Bench::new(Protocol::Text, &[b"exit\n", b"still talking", END]);
    assert_eq!(bench.readable(), Turn::Wait);
    assert!(bench.stream().half_closed);
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.readable(), Turn::Over);
    assert_eq!(bench.stream().outgoing, b"Goodbye!\n");
}

#[test]
fn a_peer_that_never_stops_talking_after_its_exit_is_not_waited_for() {
    let mut bench =
        Bench::on(ConnectionPolicy::of(Protocol::Text).with(None, None), &[b"exit\n", b"more"]);
    bench.run();
    assert_eq!(bench.connection.deadline(), Some(bench.now + limits::LINGER));
}

#[test]
fn a_reset_is_the_end_of_that_connection() {
    let mut bench = Bench::new(Protocol::Text, &[b"hello\n"]);
    bench.stream().incoming.push_back(Err(io::ErrorKind::ConnectionReset.into()));
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.readable(), Turn::Over);
}

/// `Ok(0)` from write spins: it is an error instead, and the end of that connection.
#[test]
fn a_write_that_takes_nothing_is_the_end_of_that_connection() {
    let mut bench = Bench::new(Protocol::Text, &[b"hello\n"]);
    bench.stream().deaf = true;
    assert_eq!(bench.readable(), Turn::Over);

    let mut bench = Bench::new(Protocol::Text, &[b"hello\n"]);
    bench.stream().takes = [2, 0].into();
    assert_eq!(bench.readable(), Turn::Wait);
    bench.stream().deaf = true;
    assert_eq!(bench.turn(), Turn::Over);
}

#[test]
fn an_interrupted_read_is_tried_again() {
    let mut bench = Bench::new(Protocol::Text, &[b"hello\n"]);
    bench.stream().incoming.push_front(Err(io::ErrorKind::Interrupted.into()));
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"hello\n");
}

#[test]
fn draining_echoes_what_has_arrived_then_half_closes() {
    let mut bench = Bench::new(Protocol::Text, &[b"arrived\n"]);
    bench.connection.drain();
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"arrived\n");
    assert!(bench.stream().half_closed);
    bench.stream().incoming.extend([Ok(b"too late\n".to_vec()), Ok(END.to_vec())]);
    assert_eq!(bench.run(), Turn::Over);
    assert_eq!(bench.stream().outgoing, b"arrived\n");
}

#[test]
fn draining_does_not_serve_what_comes_later() {
    let mut bench = Bench::new(Protocol::Raw, &[b"arrived"]);
    bench.connection.drain();
    bench.stream().incoming[0] = Ok(b"arrived and more".to_vec());
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"arrived");
    assert!(bench.stream().half_closed);
}

#[test]
fn draining_gives_back_half_a_frame_after_the_tail_before_it() {
    let mut bench = Bench::new(Protocol::Length, &[b"\0\0\0\x01a\0\0\0\x05hel"]);
    bench.stream().takes = [3, 0].into();
    bench.connection.drain();
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"\0\0\0\x01a\0\0\0\x05hel");
    assert!(bench.stream().half_closed);
}

#[test]
fn a_frame_split_at_every_byte_is_held_and_then_echoed() {
    let frames = b"\0\0\0\x05hello\0\0\0\x00\0\0\0\x01!";
    let bytes: Vec<&[u8]> = frames.chunks(1).collect();
    let mut bench = Bench::new(Protocol::Length, &bytes);
    assert_eq!(bench.run(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, frames);
    assert_eq!(bench.connection.held.capacity(), 0, "between frames a connection owns no buffer");
}

#[test]
fn timeouts_are_measured_from_the_last_byte_that_moved() {
    let second = Duration::from_secs(1);
    let mut bench = Bench::on(
        ConnectionPolicy::of(Protocol::Raw).with(Some(10 * second), Some(3 * second)),
        &[b"hello"],
    );
    let start = bench.now;
    bench.connection.is_logged = true;
    assert_eq!(bench.connection.deadline(), Some(start + 10 * second));
    bench.now = start + second;
    bench.stream().takes = [2, 0, 0, 1, 0].into();
    bench.readable();
    assert_eq!(bench.connection.deadline(), Some(start + 4 * second), "it owes something now");
    bench.now = start + 2 * second;
    bench.turn();
    assert_eq!(bench.connection.deadline(), Some(start + 4 * second), "nothing was taken");
    bench.turn();
    assert_eq!(bench.connection.deadline(), Some(start + 5 * second), "a byte was taken");
    bench.turn();
    assert_eq!(bench.connection.deadline(), Some(start + 12 * second), "nothing is owed");
}

#[test]
fn a_reset_behind_an_exit_is_called_a_reset() {
    listen();
    let mut bench = Bench::new(Protocol::Text, &[b"exit\n"]);
    bench.stream().incoming.push_back(Err(io::ErrorKind::ConnectionReset.into()));
    bench.stream().complaint = Some(io::ErrorKind::NotConnected);
    assert_eq!(bench.readable(), Turn::Over);
    assert_eq!(bench.stream().outgoing, b"Goodbye!\n");
    let lost = lines().into_iter().find(|line| line.contains("disconnected")).unwrap();
    assert!(lost.contains("connection reset"), "{lost}");
}

#[test]
fn who_comes_and_goes_without_a_word_is_not_known() {
    let mut bench = Bench::new(Protocol::Text, &[END]);
    assert_eq!(bench.run(), Turn::Over);
    assert!(!bench.connection.is_logged());
}

#[test]
fn who_talks_or_stays_is_known() {
    let mut talks = Bench::new(Protocol::Text, &[b"x", END]);
    talks.run();
    assert!(talks.connection.is_logged());

    let mut stays = Bench::on(
        ConnectionPolicy::of(Protocol::Text).with(Some(2 * limits::PROBE_TIME), None),
        &[],
    );
    for (deadline, turn) in [(limits::PROBE_TIME, Turn::Wait), (2 * limits::PROBE_TIME, Turn::Over)]
    {
        let deadline = stays.now + deadline;
        assert_eq!(stays.connection.deadline(), Some(deadline));
        let telemetry = ConnectionEvents::new(&stays.counters, true);
        assert_eq!(stays.connection.expire(deadline, &telemetry), turn);
        assert!(stays.connection.is_logged());
    }
}

#[test]
fn every_byte_is_counted() {
    let mut bench = Bench::new(Protocol::Text, &[b"hello\nexit\n", END]);
    bench.run();
    assert_eq!(bench.counters.bytes_received.get(), 11);
    assert_eq!(bench.counters.bytes_sent.get(), b"hello\nGoodbye!\n".len() as u64);
}

#[test]
fn what_goes_back_at_the_end_has_a_time_of_its_own() {
    let second = Duration::from_secs(1);
    let mut bench = Bench::on(
        ConnectionPolicy::of(Protocol::Length).with(None, Some(3 * second)),
        &[b"\0\0\0"],
    );
    bench.readable();
    bench.now += 10 * second;
    bench.stream().incoming.push_back(Ok(END.to_vec()));
    bench.stream().takes = [1, 0].into();
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.connection.deadline(), Some(bench.now + 3 * second));
}
