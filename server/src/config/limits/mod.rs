//! Every limit of the server in one place, each with its unit and the reason for its value.
//!
//! A setting that a user can change is in [`Config`](crate::Config), with its default here. The other limits
//! are fixed by the design.

#[cfg(feature = "admin")]
mod admin;
mod balance;
mod faults;
#[cfg(feature = "rooms")]
mod rooms;

use std::{num::NonZeroU32, time::Duration};

#[cfg(feature = "admin")]
pub use self::admin::*;
#[cfg(feature = "rooms")]
pub use self::rooms::*;
pub use self::{balance::*, faults::*};

/// Size of a worker's only read buffer, in bytes.
///
/// A peer that does not read can make the server keep this many bytes for it, and no more.
pub const READ_BUFFER: usize = 64 * 1024;

/// Maximum size of a connection's send buffer, in bytes: the echo of one read, with what a layer adds, and replies. A
/// connection whose session replies with more to one read is closed.
pub const SEND_BUFFER: usize = 4 * READ_BUFFER;

/// Maximum chunks of a send buffer that one write passes to the kernel: far below its limit of 1,024
/// (`sendmsg(2)`, `EMSGSIZE`), and enough for chunks of the size of a message.
pub const WRITE_CHUNKS: usize = 16;

#[cfg(feature = "rooms")]
const _: () = assert!(2 * ROOM_BATCH_BYTES <= SEND_BUFFER, "a layer takes a batch at once");

/// Maximum reads of one connection in one turn, after which the other connections of its worker have theirs.
///
/// Measured: the p99 of 50 interactive clients while one client streams to each of two workers, and the
/// throughput of the streams (medians of nine interleaved rounds on two cores; a bare epoll loop: 7.0 ms,
/// 1.05 GB/s):
///
/// | reads | p99, ms | streamed, GB/s |
/// |------:|--------:|---------------:|
/// |     1 |     6.1 |           1.13 |
/// |     2 |     4.9 |           1.12 |
/// |     4 |     5.2 |           1.19 |
/// |     8 |     5.0 |           1.23 |
/// |    16 |     5.6 |           1.17 |
///
/// Values from two to eight are equally good. One read costs an iteration of the loop per read, and sixteen
/// delay the other connections.
pub const TURN_READS: usize = 4;

/// Number of logged messages that count as one more read of a turn. A read of short lines is cheap, but
/// logging this many messages takes about as long as a few reads.
pub const TURN_MESSAGES: usize = 256;

/// Maximum connections that a worker takes from the dispatch queue before it serves those that it has.
pub const TURN_TAKES: usize = 64;

/// Maximum turns of connections with a handshake in one iteration of a worker's loop. A full handshake takes as long as
/// tens of messages.
///
/// Measured: the round trip of 50 established connections with 2,000 messages per second in all, while 50 others send one
/// hello after the other and never answer, and how many hellos are answered (medians of seven interleaved rounds on two
/// cores; tokio-rustls: p50 3.6 ms, p99 11.1 ms, 8,100 hellos; a bare epoll loop on rustls: 2.7 ms, 16.0 ms, 7,700):
///
/// | turns     | p50, ms | p99, ms | hellos per second |
/// |----------:|--------:|--------:|------------------:|
/// |         1 |     0.3 |     5.4 |             8,700 |
/// |         2 |     0.5 |     5.6 |             9,100 |
/// |         4 |     0.6 |     5.3 |             9,400 |
/// |         8 |     1.0 |     6.4 |             9,400 |
/// |        16 |     1.5 |     6.1 |             9,400 |
/// | unlimited |     2.1 |     8.4 |             9,400 |
///
/// Up to four, the p99 is that of the load's own process. Fewer cost an iteration of the loop per handshake.
pub const TURN_HANDSHAKES: usize = 4;

/// Maximum datagrams of one UDP socket in one turn, after which the other sockets of its worker have theirs. If the system has
/// joined datagrams (UDP receive offload), the last call of a turn may exceed it.
pub const TURN_DATAGRAMS: usize = 16;

/// Maximum size of the segments of a message (UDP segmentation offload), in bytes: what every IPv6 route carries in one packet
/// (RFC 8200, section 5), without the headers. A longer datagram may have to be sent in fragments, and segments cannot be.
pub const MAX_SEGMENT: u16 = 1280 - 40 - 8;

/// Calls without segmentation after a route has refused it, before the socket tries it again on that route. Each attempt that
/// fails costs a system call.
pub const SEGMENTATION_PAUSE: u32 = 256;

/// Datagrams of one size in a row from one source, in one batch, after which the socket lets the system join such datagrams (UDP
/// receive offload).
pub const OFFLOAD_RUN: usize = 4;

/// Size of a UDP socket's receive buffer, in bytes, including the kernel's overhead per datagram. The kernel
/// takes the smaller of this and `net.core.rmem_max` and doubles it (`socket(7)`); datagrams beyond it are
/// lost. It holds some thousand small datagrams: at a hundred thousand per second, those that arrive while a
/// worker is busy for ten milliseconds or more. The usual 208 KiB hold less than four of the largest.
pub const DATAGRAM_BUFFER: usize = 2 * 1024 * 1024;

/// Maximum messages, of one or several datagrams, that a closing UDP socket still receives: all that its receive buffer can
/// hold, in which the smallest takes at least 512 bytes. Without this limit a peer that never pauses would keep it open.
pub const DRAIN_MESSAGES: usize = 2 * DATAGRAM_BUFFER / 512;

/// Answers per second to one source, and the size of a burst. Far more than a person, a probe or a call
/// needs, and less than two servers on one machine exchange when they answer each other.
pub const DATAGRAM_RATE: NonZeroU32 = NonZeroU32::new(10_000).expect("the rate is not zero");

/// Maximum of a limit on answers per second, from which it has no purpose: no worker receives as many. The interval
/// between two answers is a whole number of nanoseconds, so a rate up to this one is met within half a percent.
pub const DATAGRAM_RATE_MAX: NonZeroU32 =
    NonZeroU32::new(10_000_000).expect("the rate is not zero");

/// Number of token buckets of a UDP listener, which take 128 KiB whatever the number of sources. If a hundred
/// sources are at their limit at the same time, the chance that another source shares a bucket with one of
/// them is one in 160.
pub const RATE_BUCKETS: usize = 16 * 1024;

/// Maximum calls of `accept` in one turn, after which the acceptor checks its other listeners and the phase of
/// the server.
pub const TURN_ACCEPTS: usize = 256;

/// Maximum readiness events that one `epoll_wait` returns to a worker.
pub const EVENTS: usize = 1024;

/// Duration of a busy-poll: longer than a single client takes to answer a reply over loopback, and too short
/// for a person to notice.
pub const SPIN: Duration = Duration::from_micros(50);

/// Duration of a poll from which it counts as preempted. A poll takes about a microsecond; one that took
/// this long was interrupted by another thread that needs the core.
pub const SPIN_PREEMPTED: Duration = Duration::from_micros(20);

/// Minimum iterations without a busy-poll after one that found no event. Each further miss doubles them.
pub const SPIN_REST: u32 = 16;

/// Maximum that [`SPIN_REST`] grows to. One miss per this many iterations costs about ten nanoseconds per
/// iteration.
pub const SPIN_LONGEST_REST: u32 = 4096;

/// Timer entries that a worker keeps in addition to two per connection, before it removes the stale entries.
pub const TIMERS: usize = 1024;

/// Capacity of the dispatch queue, in connections. When it is full, the acceptor leaves further connections
/// in the kernel's backlog.
pub const QUEUE: usize = 1024;

/// Capacity of a worker's message queue. Before its workers run, a server opens all of its UDP listeners, each of which
/// is a message to each worker; an address has no more ports than this.
pub const WORKER_MESSAGES: usize = 65_536;

/// Size of a listening socket's backlog, in connections. The kernel takes the smaller of this and
/// `net.core.somaxconn` (4,096 on Linux).
pub const BACKLOG: i32 = 4096;

/// Maximum length of the path of a file, in bytes: `PATH_MAX` without the NUL at its end.
pub const PATH: usize = 4095;

/// Maximum time for which a closing listener waits for handshakes in progress. A handshake takes one round trip, which
/// takes less than this between any two places. A lost segment is sent again after a second: then the client finds
/// the next server.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(500);

/// Interval of the checks whether handshakes are still in progress, each of which visits all connections of the system.
pub const HANDSHAKE_CHECK: Duration = Duration::from_millis(10);

/// Attempts to find a port that is free at every address of a host name. A second one is needed rarely: the port must be
/// free at one address and taken at another.
pub const PORT_ATTEMPTS: usize = 16;

/// Default permissions of a Unix socket: only its owner may connect. Access for others is for the user to
/// grant.
pub const SOCKET_MODE: u32 = 0o600;

/// Maximum time for which the server still reads, and discards, the bytes of a peer whose session has ended.
/// An earlier close would answer those bytes with a reset, and a reset can overtake the goodbye.
pub const LINGER: Duration = Duration::from_secs(5);

/// Maximum bytes to a peer, in all, with which a connection closes before they are acknowledged. Linux discards the unsent
/// bytes of a closed socket when TCP is out of memory (`tcp_mem` in `tcp(7)`) and they take more than 4.5 KB with their
/// overhead (`tcp_check_oom`). To wait for the acknowledgement costs a short connection a twentieth of its CPU time.
pub const SAFE_ECHO: u64 = 2048;

/// Maximum time for which a connection whose directions have both ended waits for the peer to acknowledge everything.
/// Progress is not visible, so it is long enough for a peer that takes the 4 MiB of the system's largest buffer slowly.
pub const DELIVERY: Duration = Duration::from_mins(1);

/// Default limit on the time in which nothing can be written to a peer that has bytes to receive.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum length of a PROXY header of version 2, in bytes. The specification recommends at most 536, but some proxies
/// add fields that it did not foresee, such as names from the client's certificate.
pub const PROXY_HEADER: usize = 4096;

/// Default limit on the time until a PROXY header is complete. Most proxies send it first, so the time is for a
/// retransmission; the specification asks for at least 3 s. A proxy that sends it with the first bytes of its client
/// needs a longer limit, or none.
pub const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

/// Default limit on the time from the accept until a TLS handshake is complete. A client needs two round trips and a
/// signature for it, so the time is for retransmissions.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum length of the head of an HTTP request, in bytes, with its request line: what common servers accept.
pub const HTTP_HEAD: usize = 16 * 1024;

/// Maximum length of the target of an HTTP request, in bytes: the least that RFC 9112, section 3, recommends.
pub const HTTP_TARGET: usize = 8000;

/// Maximum number of headers of an HTTP request, and of its trailers.
pub const HTTP_HEADERS: usize = 100;

/// Default limit on the time from the first byte of an HTTP request until its head is complete.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time for which an HTTP connection waits for its next request, or for more of a body. Proxies keep theirs for a
/// minute.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Default limit on a WebSocket message, in bytes. It costs no memory: its parts are echoed as they arrive.
pub const MESSAGE: u64 = 1024 * 1024 * 1024;

/// Bytes that a WebSocket inflates in one step, after which the step ends: as many as one read of plain messages has. A
/// compressed byte inflates to more than a thousand, so one read could otherwise take as long as thousands of messages.
pub const INFLATED: usize = READ_BUFFER;

/// Maximum of that limit: the parts of a longer frame could not be counted in the log.
pub const MESSAGE_MAX: u64 = u32::MAX as u64;

/// Default interval of pings to a silent WebSocket client. Proxies close a connection that was silent for a minute.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Maximum time for which a WebSocket connection waits for the close of its peer.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum bytes that the log shows of input that is not a PROXY header: the longest line of version 1.
pub const PROXY_SHOWN: usize = 107;

/// Time after which a connection without received bytes is logged; one that closes earlier was a probe.
/// Longer than a round trip to most places, and too short for a person to miss the line.
pub const PROBE_TIME: Duration = Duration::from_millis(200);

/// Default limit on the time for which a draining server waits for its peers to close.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle time after which the kernel sends the first keepalive probe. A peer that vanished is detected after
/// this time and nine unanswered probes (`tcp(7)`, `tcp_keepalive_probes`).
pub const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);

/// Interval between two keepalive probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Pause of the acceptor when the system has no descriptor or memory for another connection. Long enough not
/// to spin, short enough that no client in the backlog gives up.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Maximum time for which a reload waits for the acceptor to open and close listeners. The acceptor only has
/// to accept the connections in their backlogs; on an overloaded machine, or while the server starts, its thread may
/// not run for a while. A listener that needs the port of another is bound after this time at the latest, and fails
/// if that is still open.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time for which a server waits for the lock on the directory of a Unix socket. Another server that
/// starts holds the lock for far less.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Interval of the attempts to take that lock.
pub const LOCK_INTERVAL: Duration = Duration::from_millis(10);

/// Minimum interval between two log lines about the same problem.
pub const LOG_THROTTLE: Duration = Duration::from_secs(1);

/// Descriptors of a server that are neither connections nor listeners nor those of workers: the standard three,
/// the acceptor's poll and waker, the signal pipe, the log file, and a reserve for files that libraries open.
pub const OWN_DESCRIPTORS: usize = 16;

/// Maximum number of workers of the program, far more than a machine has cores.
pub const WORKERS: usize = 10_000;

/// Descriptors of each worker: its poll, its waker and the file with the times of its thread.
pub const WORKER_DESCRIPTORS: usize = 3;

/// The latency of echoes is measured in one of so many iterations of an event loop.
pub const SAMPLED_ITERATIONS: u64 = 64;

/// Bytes of log records from which a worker hands over its batch in the middle of a turn.
pub const LOG_BATCH: usize = 64 * 1024;

/// Capacity of the log queue, in bytes. When it is full, a thread that logs waits or drops its records.
pub const LOG_PENDING: usize = 8 * 1024 * 1024;

/// Bytes of queued log records from which the writer begins before [`LOG_GATHER`] has passed.
pub const LOG_EAGER: usize = 1024 * 1024;

/// Time for which the log writer lets records accumulate, so that a busy server makes few writes. Half of the
/// 100 ms within which a record must be in the file.
pub const LOG_GATHER: Duration = Duration::from_millis(50);

/// Maximum bytes per write to a log sink that is not a file. A pipe that polls as writable takes this many
/// bytes (`pipe(7)`), so the writer records the progress of a slow reader at each of its reads.
pub const LOG_CHUNK: usize = 4096;

/// Time without progress after which a log sink counts as stuck: records are then dropped and counted.
pub const LOG_STUCK: Duration = Duration::from_secs(1);

/// Maximum size of a configuration file, in bytes. Every setting takes a few lines, so a larger file is not a
/// configuration file.
pub const CONFIGURATION_FILE: u64 = 1024 * 1024;

/// Maximum size of a file with certificates or keys, in bytes: more than a bundle of all public CAs.
pub const CERTIFICATE_FILE: u64 = 1024 * 1024;

/// Maximum size of a file with revocation lists, in bytes. The entry of a certificate takes about 40 bytes, in PEM a third
/// more, so this is a list of more than half a million certificates.
pub const REVOCATION_FILE: u64 = 32 * 1024 * 1024;

// A batch must fit into the queue, and the writer must begin before the queue is full.
const _: () = assert!(LOG_BATCH < LOG_EAGER && LOG_EAGER < LOG_PENDING);
// A delayed connection holds one read buffer; a message that is held has its place in the send buffer.
const _: () = assert!(DELAYED_BYTES == READ_BUFFER && POSTPONED_MESSAGE == READ_BUFFER);
const _: () = assert!(2 * POSTPONED_MESSAGE <= SEND_BUFFER);
// An answer that is held has its place, however long it is.
const _: () = assert!(HELD_ANSWER_BYTES > 2 * READ_BUFFER);
// A datagram is received whole; over IPv6 it has at most 65,527 bytes.
const _: () = assert!(READ_BUFFER > 65_527);
// A frame that is held until it is complete, because it may be an exit, leaves room for the next read.
const _: () = assert!((common::protocol::MAX_EXIT_PAYLOAD as usize) < READ_BUFFER / 2);
// A PROXY header that is held until it is complete leaves room for the next read.
const _: () = assert!(PROXY_HEADER < READ_BUFFER / 2);

/// Iterations of PBKDF2 for a new password. More would be safer if the file of users is stolen, and take longer at each
/// login of a client; OWASP recommends 600,000 where the server derives the keys, which here the client does.
#[cfg(feature = "login")]
pub const ITERATIONS: u32 = 15_000;

/// Maximum length of what a client sends at a time to log in, in bytes. SCRAM needs a few hundred.
#[cfg(feature = "login")]
pub const LOGIN_UNIT: usize = 8 * 1024;

/// Failed logins and wrong commands of one connection, after which it closes.
#[cfg(feature = "login")]
pub const LOGIN_TRIES: u32 = 3;

/// Time between two looks at a password that another thread verifies. Nothing wakes a worker for it.
#[cfg(feature = "login")]
pub const LOGIN_POLL: Duration = Duration::from_millis(5);

/// Maximum passwords that wait for their verification, about a second of work; further logins are refused. As many guesses of
/// one source can be under way when its limit is reached.
#[cfg(feature = "login")]
pub const PASSWORD_QUEUE: usize = 256;

/// Delay of the answer to the first failed login of a source or a name. Each further one doubles it.
#[cfg(feature = "login")]
pub const LOGIN_DELAY: Duration = Duration::from_millis(200);

/// Maximum delay of the answer to a failed login.
#[cfg(feature = "login")]
pub const MAX_LOGIN_DELAY: Duration = Duration::from_secs(3);

/// Failed logins of a source, after which it is refused for [`LOGIN_REFUSAL`].
#[cfg(feature = "login")]
pub const LOGIN_FAILURES_OF_SOURCE: u32 = 20;

/// Failed logins with a name, after which it is refused for [`LOGIN_REFUSAL`]. It is much higher than that of a source, because
/// it also refuses the user: a single source takes 50 minutes for it.
#[cfg(feature = "login")]
pub const LOGIN_FAILURES_OF_NAME: u32 = 1000;

/// Time of a refusal. Then the count begins again.
#[cfg(feature = "login")]
pub const LOGIN_REFUSAL: Duration = Duration::from_mins(1);

/// Time for which the cookie of the page is valid.
#[cfg(feature = "login")]
pub const LOGIN_COOKIE: Duration = Duration::from_hours(12);

/// Time after which failed logins are forgotten, if none follows.
#[cfg(feature = "login")]
pub const LOGIN_MEMORY: Duration = Duration::from_mins(10);

/// Maximum sources, and maximum names, whose failed logins are counted. The one that failed the longest time ago makes room.
#[cfg(feature = "login")]
pub const LOGIN_TABLE: usize = 4096;
