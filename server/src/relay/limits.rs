//! The limits of the relay, each with its reason.

use std::time::Duration;

use common::room::MAX_TEXT;

/// Maximum bytes of events that wait until they are published: some seconds of heavy traffic. What does not fit is dropped,
/// and the other servers are told.
pub(super) const OUTBOX: usize = 8 * 1024 * 1024;

/// Events that are published together. Redis answers each, so more would only add latency.
pub(super) const BATCH: usize = 128;

/// Bytes of events that are published together. A slow network has to take them within [`REPLY`].
pub(super) const BATCH_BYTES: usize = 256 * 1024;

/// Maximum time for which Redis may not answer: to connect, and to publish.
pub(super) const REPLY: Duration = Duration::from_secs(2);

/// Interval of the heartbeats, which each server receives from itself as well.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);

/// Maximum time for which nothing may arrive from Redis, not even the server's own heartbeat.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

/// Time before the first attempt to connect again. Each further one takes twice as long.
pub(super) const BACKOFF: Duration = Duration::from_millis(100);

/// Maximum time between two attempts to connect.
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Maximum time at the end of the server for events that are not published.
pub(crate) const END: Duration = Duration::from_secs(2);

/// Maximum length of the name of a member, in bytes: that of a user, with its `@`.
pub(super) const NAME: usize = 1025;

/// Maximum length of a payload, in bytes.
pub(super) const PAYLOAD: usize = 64 + NAME + MAX_TEXT;

/// Rooms in one heartbeat, so that it is not longer than other payloads.
pub(super) const HEARTBEAT_ROOMS: usize = 64;

/// Other servers that are remembered. The one that was silent for the longest time makes room.
pub(super) const SERVERS: usize = 64;

/// Rooms of one server that are remembered. If there are more, all are forgotten, and what was lost until the next event of
/// each is not noticed.
pub(super) const ROOMS: usize = 4096;

// A heartbeat fits into a payload.
const _: () = assert!(32 + HEARTBEAT_ROOMS * (1 + common::room::MAX_ROOM + 16) <= PAYLOAD);
// A heartbeat that is late by a heartbeat and an answer is not an outage.
const _: () = assert!(SILENCE.as_millis() >= HEARTBEAT.as_millis() + REPLY.as_millis());
