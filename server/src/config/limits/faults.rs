//! Limits of faults on purpose.

use std::time::Duration;

/// Maximum time that a fault takes: a delay, a stall, an interval. No test needs a longer one.
pub const FAULT_TIME: Duration = Duration::from_hours(1);

/// Maximum number of bytes in a fault: a place, a rate, a block. At 100 Gbit/s a connection takes almost three years to send as
/// many, and the sum of a few such places fits into 64 bits.
pub const FAULT_SIZE: u64 = 1 << 60;

/// Maximum end of the time in which a fault applies, since its listener got it.
pub const FAULT_WINDOW: Duration = Duration::from_hours(365 * 24);

/// Maximum received bytes of a connection that its faults hold. Then nothing more is read, so a delayed connection costs one
/// read buffer.
pub const DELAYED_BYTES: usize = 64 * 1024;

/// Maximum reads of a connection whose bytes are held one by one. It bounds the cost of a client that sends single bytes.
pub const DELAYED_READS: usize = 1024;

/// Maximum segments of a split stream in one turn. Each is a system call.
pub const TURN_SEGMENTS: usize = 64;

/// Time between two checks whether a peer has acknowledged everything before its connection is reset.
pub const FAULT_RESET_RETRY: Duration = Duration::from_millis(1);

/// Maximum time for which a reset waits for these acknowledgements. A peer that does not read never sends them.
pub const FAULT_RESET_WAIT: Duration = Duration::from_secs(1);

/// Maximum answers that a UDP socket holds back, because its listener delays them. Then nothing is received, and the kernel
/// drops datagrams for which its buffer has no room. The last message that is received, of datagrams that the system has joined, may
/// exceed it. The limit is 160,000 answers per second, each 100 ms late.
pub const HELD_ANSWERS: usize = 16 * 1024;

/// Maximum bytes of these answers: a gigabit per second, 100 ms late.
pub const HELD_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Maximum sources whose datagrams a UDP socket with faults counts. The source that was silent for the longest time makes room,
/// and is a new one when it returns.
pub const FAULT_SOURCES: usize = 4096;

/// Maximum bytes of messages that a connection holds back, because they change places. A longer message keeps its place.
pub const POSTPONED_MESSAGE: usize = 64 * 1024;

/// Time after which a message or a datagram that waits for the next one is sent alone.
pub const REORDER_WAIT: Duration = Duration::from_secs(1);
