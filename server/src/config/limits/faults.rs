//! Limits of faults on purpose.

use std::time::Duration;

use super::READ_BUFFER;

/// Maximum time that a fault takes: a delay, a stall, an interval. A test that waits longer waits for nothing.
pub const FAULT_TIME: Duration = Duration::from_hours(1);

/// Maximum end of the time in which a fault applies, since its listener got it.
pub const FAULT_WINDOW: Duration = Duration::from_hours(365 * 24);

/// Maximum received bytes of a connection that its faults hold. Then nothing more is read, so a delayed connection costs one
/// read buffer.
pub const HELD_BYTES: usize = READ_BUFFER;

/// Maximum reads of a connection whose bytes are held one by one. It bounds what a client of single bytes costs.
pub const HELD_CHUNKS: usize = 1024;

/// Maximum segments of a split stream in one turn. Each is a system call.
pub const TURN_SEGMENTS: usize = 64;

/// Time between two checks whether a peer has acknowledged everything before its connection is reset.
pub const FAULT_RESET_RETRY: Duration = Duration::from_millis(1);

/// Maximum time for which a reset waits for these acknowledgements. A peer that does not read never sends them.
pub const FAULT_RESET_WAIT: Duration = Duration::from_secs(1);
