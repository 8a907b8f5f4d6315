//! CPU time that TLS takes in this process: a load must know how much of its own limit it is.
//!
//! Reading the clock costs as much as the encryption of a small record, so only some operations are measured.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// One of so many operations on records is measured. A prime number, because reads and writes take turns.
const INTERVAL: u32 = 17;

static NANOS: AtomicU64 = AtomicU64::new(0);

static RECORDS: AtomicU32 = AtomicU32::new(0);

/// Time between two readings of the clock, which is a part of each measurement.
static CLOCK: LazyLock<u64> = LazyLock::new(|| {
    let readings = (0..16).map(|_| {
        let start = thread_nanos();
        thread_nanos().saturating_sub(start)
    });
    readings.min().unwrap_or(0)
});

/// Returns the CPU time that TLS has taken in this process. The time for records is an estimate.
pub(crate) fn cpu_time() -> Duration {
    Duration::from_nanos(NANOS.load(Relaxed))
}

/// Does a part of a handshake.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no handshake"))]
pub(super) fn handshake<T>(operation: impl FnOnce() -> T) -> T {
    measure(1, operation)
}

/// Encrypts or decrypts records.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no record"))]
pub(super) fn records<T>(operation: impl FnOnce() -> T) -> T {
    if RECORDS.fetch_add(1, Relaxed).is_multiple_of(INTERVAL) {
        measure(INTERVAL.into(), operation)
    } else {
        operation()
    }
}

fn measure<T>(weight: u64, operation: impl FnOnce() -> T) -> T {
    let clock = *CLOCK;
    let start = thread_nanos();
    let result = operation();
    let time = thread_nanos().saturating_sub(start).saturating_sub(clock);
    NANOS.fetch_add(weight * time, Relaxed);
    result
}

fn thread_nanos() -> u64 {
    let time = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_and_every_seventeenth_record_add_their_cpu_time() {
        let work = || {
            let start = thread_nanos();
            while thread_nanos() < start + 100_000 {}
        };
        // Other tests add to it too.
        let start = cpu_time();
        handshake(work);
        let after_handshake = cpu_time();
        assert!(after_handshake >= start + Duration::from_micros(50));
        (0..INTERVAL).for_each(|_| records(work));
        assert!(cpu_time() >= after_handshake + Duration::from_micros(17 * 50));
    }
}
