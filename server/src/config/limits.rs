//! Every limit of the server in one place, each with its unit and the reason for its value.
//!
//! What a user may want to change is in [`Config`](crate::Config) with its default here; the rest is
//! the design's own.

use std::{num::NonZeroU32, time::Duration};

/// Bytes that a worker reads at once, into its only read buffer.
///
/// Also the most that a peer which does not read can make the server keep for it.
pub const READ_BUFFER: usize = 64 * 1024;

/// Reads that one connection gets in a row before the others of its worker have their turn.
///
/// The p99 of 50 interactive clients beside one that streams for each of two workers, and what was
/// streamed (medians of nine interleaved rounds on two cores; a bare epoll loop: 7.0 ms, 1.05 GB/s):
///
/// | reads | p99, ms | streamed, GB/s |
/// |------:|--------:|---------------:|
/// |     1 |     6.1 |           1.13 |
/// |     2 |     4.9 |           1.12 |
/// |     4 |     5.2 |           1.19 |
/// |     8 |     5.0 |           1.23 |
/// |    16 |     5.6 |           1.17 |
///
/// From two to eight there is nothing to choose; one costs a round each, and sixteen hold others up.
pub const TURN_READS: usize = 4;

/// Logged messages that are as much of a turn as one more read. A read of short lines is cheap, and
/// the records of its messages are not: by then they have taken about as long as some reads.
pub const TURN_MESSAGES: usize = 256;

/// Connections that a worker takes off the queue before it serves those that it has.
pub const TURN_TAKES: usize = 64;

/// Datagrams that one UDP socket gets in a row before the others of its worker have their turn.
pub const TURN_DATAGRAMS: usize = 16;

/// Bytes of datagrams, with what the kernel keeps besides, that may wait in a UDP socket; it takes the
/// smaller of this and `net.core.rmem_max`, and then twice that (`socket(7)`). What comes beyond is lost. This
/// is some thousand small ones: what comes at a hundred thousand a second while a worker is busy
/// with others for ten milliseconds or more. The usual 208 KiB are less than four of the largest.
pub const DATAGRAM_BUFFER: usize = 2 * 1024 * 1024;

/// Datagrams that a UDP socket which is to be closed still answers: all that can have been there, of
/// which the smallest takes no less than 512 bytes of the buffer. Or somebody who never pauses would keep it.
pub const DRAIN_DATAGRAMS: usize = 2 * DATAGRAM_BUFFER / 512;

/// Datagrams that one source is answered in a second, and at once. Far more than a person, a probe or a call
/// needs, and less than two servers that answer each other on one machine exchange.
pub const DATAGRAM_RATE: NonZeroU32 = NonZeroU32::new(10_000).expect("it is not zero");

/// Buckets by which a UDP listener tells sources apart: 128 KiB for each listener, whoever sends. Of a
/// hundred sources at their limit at a time, one more shares a bucket with one of them in one case of 160.
pub const RATE_BUCKETS: usize = 16 * 1024;

/// Attempts to accept that the acceptor makes before it looks whether it is wanted elsewhere: by another
/// listener, or by a server that is to leave.
pub const TURN_ACCEPTS: usize = 256;

/// Readiness events that a worker collects with one `epoll_wait`.
pub const EVENTS: usize = 1024;

/// How long a worker looks for more to do before it sleeps, where that pays: longer than a lone
/// client takes to answer a reply over loopback, and far shorter than anybody would notice.
pub const SPIN: Duration = Duration::from_micros(50);

/// A look at a poll takes about a microsecond. One that took this long was not running meanwhile:
/// somebody else wanted the core.
pub const SPIN_PREEMPTED: Duration = Duration::from_micros(20);

/// Rounds for which a worker that has looked in vain does not look again: at least so many, and twice
/// as many after every further time.
pub const SPIN_REST: u32 = 16;

/// The most that become of [`SPIN_REST`]: a vain look in so many rounds costs each of them about ten
/// nanoseconds.
pub const SPIN_LONGEST_REST: u32 = 4096;

/// How often a busy worker looks whether others have less to do. Short enough for a load that lasts
/// to be spread before a person notices, long enough for what it saw to be more than a burst.
pub const BALANCE_INTERVAL: Duration = Duration::from_millis(100);

/// The share of the time from which on a busy worker has too much to do: what comes in bursts waits
/// by then.
pub const SATURATED: f64 = 0.7;

/// The share of the time by which another worker must have been less busy to be given connections:
/// for less, they would soon come back.
pub const SKEW: f64 = 0.3;

/// Timer entries that a worker keeps besides two for each connection, before it throws away those
/// of connections that have gone.
pub const TIMERS: usize = 1024;

/// Accepted connections that wait for a worker. When this many wait, the acceptor leaves further
/// ones in the kernel's backlog, which is what a backlog is for.
pub const QUEUE: usize = 1024;

/// Connections that the kernel completes for us before they are accepted; it takes the smaller of
/// this and `net.core.somaxconn` (4,096 on Linux).
pub const BACKLOG: i32 = 4096;

/// The most bytes of a Unix socket's path (`unix(7)`): the kernel has room for no more.
pub const SOCKET_PATH: usize = 107;

/// The permissions of a Unix socket unless told otherwise: only its owner may connect, since who else may
/// is not ours to guess.
pub const SOCKET_MODE: u32 = 0o600;

/// How long a session that the server ended goes on taking (and discarding) what its peer still
/// sends. Closing earlier would answer those bytes with a reset, and a reset can overtake the goodbye.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long a peer may take nothing of what is owed to it.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that a PROXY header of version 2 may have. The specification wants it to fit in 536, and some
/// proxies tell more of a client than it foresaw: names out of its certificate, for one.
pub const PROXY_HEADER: usize = 4096;

/// How long a PROXY header may take to come. It is the first that a proxy sends, so this is for a packet
/// that has to be sent again; the specification wants 3 s at least.
pub const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of what came in place of a PROXY header that the log shows: all of a line of version 1.
pub const PROXY_SHOWN: usize = 107;

/// How long the log says nothing of a client that says nothing itself: who is gone by then was a probe.
/// Longer than a round trip to most places, and too short for a person to miss the line.
pub const PROBE: Duration = Duration::from_millis(200);

/// How long a draining server waits for its peers to leave.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a silent connection is left alone before the kernel asks whether its peer is there, and
/// how long it waits between the questions. A peer that vanished without a word is noticed after
/// this long and nine unanswered questions more (`tcp(7)`, `tcp_keepalive_probes`).
pub const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// See [`KEEPALIVE_IDLE`].
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long the acceptor rests when the system has no descriptor or memory for another connection.
/// Long enough not to spin, short enough that nobody in the backlog gives up.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a reload waits for the acceptor to open and close listeners, which takes it no longer than
/// accepting who is in their backlogs.
pub const COMMANDS: Duration = Duration::from_secs(1);

/// How long a server that makes a Unix socket waits for another one that does so in the same directory, which
/// takes that one no time to speak of.
pub const LOCK: Duration = Duration::from_secs(1);

/// How often it looks.
pub const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A line about the same trouble is logged at most this often.
pub const LOG_THROTTLE: Duration = Duration::from_secs(1);

/// Descriptors that are neither connections nor listeners: the standard three, the acceptor's poll and waker, the signal pipe, the log file, and some to spare for what libraries open for a moment.
pub const OWN_DESCRIPTORS: usize = 16;

/// Descriptors of each worker: its poll and its waker.
pub const WORKER_DESCRIPTORS: usize = 2;

/// Bytes of log records that a worker gathers before it hands them over in mid-turn.
pub const LOG_BATCH: usize = 64 * 1024;

/// Bytes of log records that may wait for the writer. Then whoever logs waits, or drops.
pub const LOG_PENDING: usize = 8 * 1024 * 1024;

/// Bytes of waiting log records that make the writer begin before [`LOG_GATHER`] is over.
pub const LOG_EAGER: usize = 1024 * 1024;

/// How long the log writer lets records gather, so that a busy server writes rarely and an idle one
/// soon: half of the 100 ms within which a record is promised to be in the file.
pub const LOG_GATHER: Duration = Duration::from_millis(50);

/// Bytes that the log writer writes at once to what is not a file. A pipe with room for anything
/// has room for this much (`pipe(7)`), so what a slow reader takes is seen as it takes it.
pub const LOG_CHUNK: usize = 4096;

/// A log sink that has taken nothing for this long is stuck: records are dropped and counted.
pub const LOG_STUCK: Duration = Duration::from_secs(1);

/// Bytes of a configuration file. Every setting takes a few lines; what is larger is some other file.
pub const CONFIGURATION_FILE: u64 = 1024 * 1024;

// A batch has to fit where it is handed to, and the writer has to start before the room is gone.
const _: () = assert!(LOG_BATCH < LOG_EAGER && LOG_EAGER < LOG_PENDING);
// A datagram is read whole: over IPv6 it has 65,527 bytes at most.
const _: () = assert!(READ_BUFFER > 65_527);
// A frame that is held to see whether it is an exit must leave room in the buffer for the next read.
const _: () = assert!((common::protocol::MAX_EXIT_PAYLOAD as usize) < READ_BUFFER / 2);
// And so must a PROXY header that is held until it is whole.
const _: () = assert!(PROXY_HEADER < READ_BUFFER / 2);
