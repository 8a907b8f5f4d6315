//! Connections over scripted streams: every short write, stall, reset and end of stream, without a socket.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use common::protocol::Protocol;

mod delivery;
mod faults;
#[cfg(all(feature = "http", feature = "tls"))]
mod http;
mod layered;
mod message_faults;
mod proxied;
mod receipts;
mod steps;
#[cfg(feature = "tls")]
mod tls;

use super::{
    connection::Connection,
    stream::Stream,
    turn::{Readiness, Turn, TurnContext},
};
use crate::{
    admission::{ConnectionLimits, ConnectionPolicy, Peer},
    config::{Config, limits},
    metrics::WorkerCounters,
    telemetry::{Recorder, Recording, TcpInfo},
};

/// A stream that reads and writes by a script.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
struct ScriptedStream {
    /// Results of the next reads; after them a read would block. An empty chunk is the end of the stream.
    incoming: VecDeque<io::Result<Vec<u8>>>,
    /// Number of bytes that each of the next writes takes, 0 for "would block"; after them a write takes all.
    write_sizes: VecDeque<usize>,
    /// Number of the next writes that are interrupted.
    interrupted_writes: usize,
    /// Writes take no byte and return success.
    writes_zero: bool,
    /// Writes fail.
    writes_fail: bool,
    outgoing: Vec<u8>,
    half_closed: bool,
    /// The peer has not acknowledged everything.
    is_unacknowledged: bool,
    is_reset_by_peer: bool,
    /// Error that the half-close returns.
    half_close_error: Option<io::ErrorKind>,
    tcp_info: Option<TcpInfo>,
    /// How often they were read.
    tcp_info_reads: Rc<Cell<u32>>,
}

impl Read for ScriptedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.incoming.pop_front() {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Err(error)) => Err(error),
            Some(Ok(mut chunk)) => {
                let len = chunk.len().min(buffer.len());
                buffer[..len].copy_from_slice(&chunk[..len]);
                let rest = chunk.split_off(len);
                if !rest.is_empty() {
                    self.incoming.push_front(Ok(rest));
                }
                Ok(len)
            }
        }
    }
}

impl Write for ScriptedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.half_closed, "a write after the half-close");
        if self.interrupted_writes > 0 {
            self.interrupted_writes -= 1;
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.writes_zero {
            return Ok(0);
        }
        if self.writes_fail {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = self.write_sizes.pop_front().unwrap_or(usize::MAX).min(bytes.len());
        self.outgoing.extend_from_slice(&bytes[..len]);
        if len == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for ScriptedStream {
    fn local_name(&self) -> String {
        "127.0.0.1:65432".to_owned()
    }

    fn half_close(&mut self) -> io::Result<()> {
        self.half_closed = true;
        self.half_close_error.map_or(Ok(()), |error| Err(error.into()))
    }

    fn is_delivered(&self) -> io::Result<bool> {
        Ok(!self.is_unacknowledged)
    }

    fn received(&self) -> io::Result<u64> {
        Ok(self.incoming.iter().flatten().map(|chunk| chunk.len() as u64).sum())
    }

    fn is_reset_by_peer(&self) -> bool {
        self.is_reset_by_peer
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        self.tcp_info_reads.update(|reads| reads + 1);
        self.tcp_info
    }
}

/// A logger that captures the lines of the threads that called [`capture_log`].
struct CapturingLogger;

thread_local! {
    static CAPTURED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

impl log::Log for CapturingLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        CAPTURED.with_borrow_mut(|captured| {
            if let Some(lines) = captured {
                lines.push(record.args().to_string());
            }
        });
    }

    fn flush(&self) {}
}

/// Captures this thread's log lines, beginning with none.
fn capture_log() {
    // Another test may have installed the logger.
    let _ = log::set_logger(&CapturingLogger);
    log::set_max_level(log::LevelFilter::Info);
    CAPTURED.set(Some(Vec::new()));
}

/// Returns the captured log lines.
fn lines() -> Vec<String> {
    CAPTURED.with_borrow(|captured| captured.clone().unwrap_or_default())
}

/// Returns the number of captured log lines that begin with `start`.
fn count_lines(start: &str) -> usize {
    lines().iter().filter(|line| line.starts_with(start)).count()
}

/// A connection and the worker's resources for it.
struct Harness {
    connection: Connection<ScriptedStream>,
    counters: WorkerCounters,
    recording: Recording,
    limits: ConnectionLimits,
    buffer: Vec<u8>,
    now: Instant,
}

impl Harness {
    fn new(protocol: Protocol, incoming: &[&[u8]]) -> Self {
        Self::with_policy(ConnectionPolicy::for_protocol(protocol), incoming)
    }

    fn with_policy(policy: ConnectionPolicy, incoming: &[&[u8]]) -> Self {
        Self::with_limits(ConnectionLimits::new(&Config::default()), policy, incoming)
    }

    fn with_limits(limits: ConnectionLimits, policy: ConnectionPolicy, incoming: &[&[u8]]) -> Self {
        let policy = Arc::new(policy);
        let permit = limits.admit(&policy, policy.source_of(&PEER)).unwrap();
        let now = Instant::now();
        let incoming = incoming.iter().map(|chunk| Ok(chunk.to_vec())).collect();
        let stream = ScriptedStream { incoming, ..ScriptedStream::default() };
        Self {
            connection: {
                let counters = Arc::clone(permit.policy().counters.worker(0));
                Connection::new(stream, &PEER, permit, counters, now, now)
            },
            counters: WorkerCounters::default(),
            recording: true.into(),
            limits,
            buffer: vec![0; limits::READ_BUFFER],
            now,
        }
    }

    fn stream(&mut self) -> &mut ScriptedStream {
        self.connection.stream_mut()
    }

    fn turn(&mut self) -> Turn {
        let telemetry = Recorder::new(0, &self.counters, self.recording);
        let mut context =
            TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, now: self.now };
        self.connection.turn(&mut context)
    }

    /// Gives the connection the faults that its listener has now. Returns whether they are others than before.
    fn update_faults(&mut self) -> bool {
        let telemetry = Recorder::new(0, &self.counters, self.recording);
        self.connection.update_faults(self.now, &telemetry)
    }

    #[cfg(feature = "http")]
    fn expire_session(&mut self) -> Turn {
        let telemetry = Recorder::new(0, &self.counters, self.recording);
        let mut context =
            TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, now: self.now };
        self.connection.expire_session(&mut context)
    }

    fn readable(&mut self) -> Turn {
        self.connection.set_ready(Readiness { readable: true, has_more: false });
        self.turn()
    }

    /// Gives readable turns until the script has no more chunks.
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
fn a_small_message_takes_one_read_and_one_write() {
    let mut harness = Harness::new(Protocol::Text, &[b"hello\n", b"not read yet\n"]);
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"hello\n");
    assert_eq!(harness.stream().incoming.len(), 1, "a short read empties the socket");
}

#[test]
fn data_is_handled_before_the_end_of_stream_of_the_same_wakeup() {
    let mut harness = Harness::new(Protocol::Text, &[b"hello", END]);
    harness.connection.set_ready(Readiness { readable: true, has_more: true });
    assert_eq!(harness.turn(), Turn::Over);
    assert_eq!(harness.stream().outgoing, b"hello");
}

#[test]
fn urgent_data_splits_reads_and_stalls_nothing() {
    let mut harness = Harness::new(Protocol::Text, &[b"ab\n", b"!cd\n"]);
    harness.connection.set_ready(Readiness { readable: true, has_more: true });
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"ab\n!cd\n");
}

#[test]
fn a_drain_serves_all_received_bytes_in_any_number_of_reads() {
    let mut harness = Harness::new(Protocol::Text, &[b"ab\n", b"!cd\n"]);
    harness.connection.drain();
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"ab\n!cd\n");
    assert!(harness.stream().half_closed);
}

#[test]
fn a_timeout_beyond_the_range_of_the_clock_never_expires() {
    let mut harness = Harness::with_policy(
        ConnectionPolicy::for_protocol(Protocol::Text).with_timeouts(Some(Duration::MAX), None),
        &[],
    );
    harness.connection.is_logged = true;
    assert_eq!(harness.connection.deadline(), None);
}

#[test]
fn a_short_write_at_every_offset_loses_and_repeats_nothing() {
    let sent = b"one\ntwo\nexit\nthree";
    let replies = b"one\ntwo\nGoodbye!\n";
    for first in 0..=replies.len() {
        for second in 0..=replies.len() - first {
            let mut harness = Harness::new(Protocol::Text, &[sent, END]);
            harness.stream().write_sizes = [first, 0, second, 0].into();
            while harness.readable() != Turn::Over {}
            assert_eq!(harness.stream().outgoing, replies, "{first}, then {second}");
            assert!(harness.stream().half_closed);
        }
    }
}

#[test]
fn a_message_is_logged_as_echoed_once_when_its_last_byte_is_sent() {
    let lines = b"one\ntwo\nthree\nexit\n";
    for at in 0..lines.len() {
        capture_log();
        let mut harness = Harness::new(Protocol::Text, &[lines]);
        let then = (0..lines.len()).flat_map(|_| [1, 0]);
        harness.stream().write_sizes = [at, 0].into_iter().chain(then).collect();
        harness.readable();
        assert_eq!(count_lines("Received from"), 4);
        while harness.connection.wants_write() {
            // The goodbye is not logged as echoed.
            let complete = memchr::memchr_iter(b'\n', &harness.stream().outgoing).count();
            assert_eq!(
                count_lines("Echoed to"),
                complete.min(3),
                "{:?}",
                harness.stream().outgoing
            );
            harness.turn();
        }
        assert_eq!(harness.stream().outgoing, b"one\ntwo\nthree\nGoodbye!\n");
        assert_eq!(count_lines("Echoed to"), 3);
        assert_eq!(harness.connection.counters.bytes_sent.get(), 23);
    }
}

#[test]
fn a_failed_write_ends_the_connection() {
    for taken in [vec![], vec![1, 0]] {
        let mut harness = Harness::new(Protocol::Text, &[b"hello"]);
        let has_unsent = !taken.is_empty();
        harness.stream().write_sizes = taken.into();
        if has_unsent {
            assert_eq!(harness.readable(), Turn::Wait);
        }
        harness.stream().writes_fail = true;
        assert_eq!(harness.readable(), Turn::Over);
    }
}

#[test]
fn an_interrupted_write_is_repeated() {
    let mut harness = Harness::new(Protocol::Text, &[b"hello"]);
    harness.stream().interrupted_writes = 2;
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"hello");
}

#[test]
fn nothing_is_read_while_the_send_buffer_holds_bytes() {
    let mut harness = Harness::new(Protocol::Raw, &[b"first", b"second"]);
    harness.stream().write_sizes = [2, 0, 0].into();
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!((harness.connection.unsent(), harness.stream().incoming.len()), (3, 1));
    assert!(harness.connection.wants_write());
    assert_eq!(harness.readable(), Turn::Wait, "still stalled");
    assert_eq!(harness.stream().incoming.len(), 1);
    assert_eq!(harness.turn(), Turn::Wait, "the earlier readiness still counts");
    assert_eq!(harness.stream().outgoing, b"firstsecond");
}

#[test]
fn a_turn_ends_at_its_budget_of_reads() {
    let full = vec![b'x'; limits::READ_BUFFER];
    let mut harness = Harness::new(Protocol::Raw, &[&full[..]; 10]);
    assert_eq!(harness.readable(), Turn::Again);
    assert_eq!(harness.stream().incoming.len(), 10 - limits::TURN_READS);
    assert_eq!(harness.turn(), Turn::Again, "the rest needs no new readiness");
}

#[test]
fn a_read_of_many_logged_lines_counts_as_several_reads() {
    // Messages count only if they are logged.
    capture_log();
    let full = vec![b'\n'; limits::READ_BUFFER];
    let mut harness = Harness::new(Protocol::Text, &[&full[..]; 10]);
    assert_eq!(harness.readable(), Turn::Again);
    assert_eq!(harness.stream().incoming.len(), 9);
}

#[test]
fn ten_thousand_pipelined_lines_keep_their_order() {
    let lines: Vec<u8> =
        (0..10_000).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
    let mut harness = Harness::new(Protocol::Text, &[&lines, END]);
    assert_eq!(harness.run(), Turn::Over);
    assert!(harness.stream().outgoing == lines);
}

#[test]
fn a_connection_closes_after_its_unsent_bytes_are_sent() {
    let mut harness = Harness::new(Protocol::Text, &[b"no newline", END]);
    harness.stream().write_sizes = [4, 0, 0, 0].into();
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(harness.stream().outgoing, b"no newline");
}

#[test]
fn bytes_after_an_exit_are_discarded_until_the_peer_closes() {
    let mut harness = Harness::new(Protocol::Text, &[b"exit\n", b"still talking", END]);
    assert_eq!(harness.readable(), Turn::Wait);
    assert!(harness.stream().half_closed);
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.readable(), Turn::Over);
    assert_eq!(harness.stream().outgoing, b"Goodbye!\n");
}

#[test]
fn a_peer_that_keeps_sending_after_its_exit_has_the_linger_deadline() {
    let mut harness = Harness::with_policy(
        ConnectionPolicy::for_protocol(Protocol::Text).with_timeouts(None, None),
        &[b"exit\n", b"more"],
    );
    harness.run();
    assert_eq!(harness.connection.deadline(), Some(harness.now + limits::LINGER));
}

#[test]
fn a_reset_ends_the_connection() {
    let mut harness = Harness::new(Protocol::Text, &[b"hello\n"]);
    harness.stream().incoming.push_back(Err(io::ErrorKind::ConnectionReset.into()));
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.readable(), Turn::Over);
}

/// Repeating a write that returns `Ok(0)` would spin, so it is an error.
#[test]
fn a_write_of_zero_bytes_ends_the_connection() {
    let mut harness = Harness::new(Protocol::Text, &[b"hello\n"]);
    harness.stream().writes_zero = true;
    assert_eq!(harness.readable(), Turn::Over);

    let mut harness = Harness::new(Protocol::Text, &[b"hello\n"]);
    harness.stream().write_sizes = [2, 0].into();
    assert_eq!(harness.readable(), Turn::Wait);
    harness.stream().writes_zero = true;
    assert_eq!(harness.turn(), Turn::Over);
}

#[test]
fn an_interrupted_read_is_repeated() {
    let mut harness = Harness::new(Protocol::Text, &[b"hello\n"]);
    harness.stream().incoming.push_front(Err(io::ErrorKind::Interrupted.into()));
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"hello\n");
}

#[test]
fn a_drain_echoes_the_received_bytes_and_half_closes() {
    let mut harness = Harness::new(Protocol::Text, &[b"arrived\n"]);
    harness.connection.drain();
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"arrived\n");
    assert!(harness.stream().half_closed);
    harness.stream().incoming.extend([Ok(b"too late\n".to_vec()), Ok(END.to_vec())]);
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(harness.stream().outgoing, b"arrived\n");
}

#[test]
fn a_drain_does_not_serve_later_bytes() {
    let mut harness = Harness::new(Protocol::Raw, &[b"arrived"]);
    harness.connection.drain();
    harness.stream().incoming[0] = Ok(b"arrived and more".to_vec());
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"arrived");
    assert!(harness.stream().half_closed);
}

#[test]
fn a_drain_echoes_an_incomplete_frame_after_the_unsent_bytes() {
    let mut harness = Harness::new(Protocol::Length, &[b"\0\0\0\x01a\0\0\0\x05hel"]);
    harness.stream().write_sizes = [3, 0].into();
    harness.connection.drain();
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"\0\0\0\x01a\0\0\0\x05hel");
    assert!(harness.stream().half_closed);
}

#[test]
fn a_frame_split_at_every_byte_is_held_and_then_echoed() {
    let frames = b"\0\0\0\x05hello\0\0\0\x00\0\0\0\x01!";
    let bytes: Vec<&[u8]> = frames.chunks(1).collect();
    let mut harness = Harness::new(Protocol::Length, &bytes);
    assert_eq!(harness.run(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, frames);
    assert!(harness.connection.held.is_empty(), "between frames a connection owns no buffer");
}

#[test]
fn timeouts_count_from_the_last_byte_that_moved() {
    let second = Duration::from_secs(1);
    let mut harness = Harness::with_policy(
        ConnectionPolicy::for_protocol(Protocol::Raw)
            .with_timeouts(Some(10 * second), Some(3 * second)),
        &[b"hello"],
    );
    let start = harness.now;
    harness.connection.is_logged = true;
    assert_eq!(harness.connection.deadline(), Some(start + 10 * second));
    harness.now = start + second;
    harness.stream().write_sizes = [2, 0, 0, 1, 0].into();
    harness.readable();
    assert_eq!(harness.connection.deadline(), Some(start + 4 * second), "bytes are unsent");
    harness.now = start + 2 * second;
    harness.turn();
    assert_eq!(harness.connection.deadline(), Some(start + 4 * second), "the socket took nothing");
    harness.turn();
    assert_eq!(harness.connection.deadline(), Some(start + 5 * second), "the socket took a byte");
    harness.turn();
    assert_eq!(harness.connection.deadline(), Some(start + 12 * second), "no bytes are unsent");
}

#[test]
fn a_reset_after_an_exit_is_logged_as_a_reset() {
    capture_log();
    let mut harness = Harness::new(Protocol::Text, &[b"exit\n"]);
    harness.stream().incoming.push_back(Err(io::ErrorKind::ConnectionReset.into()));
    harness.stream().half_close_error = Some(io::ErrorKind::NotConnected);
    assert_eq!(harness.readable(), Turn::Over);
    assert_eq!(harness.stream().outgoing, b"Goodbye!\n");
    let lost = lines().into_iter().find(|line| line.contains("disconnected")).unwrap();
    assert!(lost.contains("connection reset"), "{lost}");
}

#[test]
fn a_connection_that_closes_without_sending_data_is_not_logged() {
    let mut harness = Harness::new(Protocol::Text, &[END]);
    assert_eq!(harness.run(), Turn::Over);
    assert!(!harness.connection.is_logged);
}

#[test]
fn a_connection_that_sends_data_or_stays_open_is_logged() {
    let mut sends = Harness::new(Protocol::Text, &[b"x", END]);
    sends.run();
    assert!(sends.connection.is_logged);

    let mut stays = Harness::with_policy(
        ConnectionPolicy::for_protocol(Protocol::Text)
            .with_timeouts(Some(2 * limits::PROBE_TIME), None),
        &[],
    );
    for (deadline, turn) in [(limits::PROBE_TIME, Turn::Wait), (2 * limits::PROBE_TIME, Turn::Over)]
    {
        let deadline = stays.now + deadline;
        assert_eq!(stays.connection.deadline(), Some(deadline));
        let telemetry = Recorder::new(0, &stays.counters, true);
        assert_eq!(stays.connection.expire(deadline, &telemetry), turn);
        assert!(stays.connection.is_logged);
    }
}

#[test]
fn every_byte_is_counted() {
    let mut harness = Harness::new(Protocol::Text, &[b"hello\nexit\n", END]);
    harness.run();
    assert_eq!(harness.connection.counters.bytes_received.get(), 11);
    assert_eq!(harness.connection.counters.bytes_sent.get(), b"hello\nGoodbye!\n".len() as u64);
}

#[test]
fn the_echo_at_the_end_of_the_stream_has_its_own_write_timeout() {
    let second = Duration::from_secs(1);
    let mut harness = Harness::with_policy(
        ConnectionPolicy::for_protocol(Protocol::Length).with_timeouts(None, Some(3 * second)),
        &[b"\0\0\0"],
    );
    harness.readable();
    harness.now += 10 * second;
    harness.stream().incoming.push_back(Ok(END.to_vec()));
    harness.stream().write_sizes = [1, 0].into();
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.connection.deadline(), Some(harness.now + 3 * second));
}
