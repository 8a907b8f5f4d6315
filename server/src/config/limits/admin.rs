//! Limits of the admin listener.

use std::time::Duration;

/// Maximum open connections of the admin listener. A person, a scraper, probes and a status view need a handful; when it
/// is full, the one that has waited longest without a complete request makes room.
pub const ADMIN_CONNECTIONS: usize = 32;

/// Maximum time from the accept of an admin connection, or from the first byte of a later request, until the request is
/// complete.
pub const ADMIN_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum body of a request to the admin listener, in bytes. All faults with their figures take less than 1 kB.
pub const ADMIN_BODY: usize = 4096;

/// Maximum time in which a client of the admin listener reads a response. The longest are a list of
/// [`LISTED_CONNECTIONS`], and metrics, which have 7 kB for each listener and 2 kB for each worker (measured with addresses of
/// IPv4). The numbers of listeners and workers bound them.
pub const ADMIN_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Size of the send buffer of an admin connection, in bytes, which the kernel doubles (`socket(7)`). It bounds what clients
/// that do not read cost, which by itself may grow to megabytes each.
pub const ADMIN_SEND_BUFFER: usize = 64 * 1024;

/// Maximum time for which the admin listener discards what a client sends after the last response.
pub const ADMIN_LINGER: Duration = Duration::from_secs(1);

/// Maximum admin connections that are accepted before the open ones have their turn.
pub const ADMIN_ACCEPTS: usize = 8;

/// Number of panics after which the admin listener closes. Each one drops its clients, and costs nothing else.
pub const ADMIN_PANICS: u32 = 10;

/// Interval of the checks whether each thread has completed an iteration of its loop.
pub const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);

/// Number of checks in a row without an iteration, after which a thread counts as stalled. An iteration takes milliseconds,
/// also under full load.
pub const STALLED_CHECKS: u32 = 3;

/// Slots of connections that a worker examines for a list before it serves its connections again.
pub const LISTED_SLOTS: usize = 4096;

/// Maximum connections in one list, which then has 290 kB with addresses of IPv4 and without users; the names of peers,
/// listeners and users make it longer.
pub const LISTED_CONNECTIONS: usize = 1000;

/// Connections in a list that names no number.
pub const LISTED_BY_DEFAULT: usize = 100;

/// Maximum time for which a list waits for an answer of a worker.
pub const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// Number of checks of the threads, one a second, over which the rates of `/status` are computed.
pub const RATE_CHECKS: usize = 10;
