//! A rate: how many bytes may pass now.

use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

use common::fault::FaultAct;

/// The time for which bytes that did not pass add up. A wakeup that is later costs throughput.
const BURST: Duration = Duration::from_millis(50);

/// The time for which blocked bytes add up before they are tried again, so that a rate costs few wakeups.
const QUANTUM: Duration = Duration::from_millis(10);

/// Lets bytes pass at a rate.
#[derive(Debug)]
pub(super) struct Pacer {
    bytes_per_second: NonZeroU64,
    /// Bytes that may pass at `as_of`, in billionths.
    credit: u128,
    as_of: Instant,
    is_recorded: bool,
}

const NANO: u128 = 1_000_000_000;

impl Pacer {
    pub(super) fn new(bytes_per_second: NonZeroU64, now: Instant) -> Self {
        Self { bytes_per_second, credit: 0, as_of: now, is_recorded: false }
    }

    /// Returns the number of bytes that may pass now, or the time at which some may.
    pub(super) fn allowance(&mut self, now: Instant) -> Result<u64, Instant> {
        let rate = u128::from(self.bytes_per_second.get());
        let elapsed = now.saturating_duration_since(self.as_of).as_nanos();
        self.as_of = self.as_of.max(now);
        // At least one byte adds up, however low the rate is.
        let most = (rate * BURST.as_nanos()).max(NANO);
        self.credit = (self.credit + rate * elapsed).min(most);
        match u64::try_from(self.credit / NANO) {
            Ok(0) => {
                let wanted = (rate * QUANTUM.as_nanos()).max(NANO) - self.credit;
                let nanos = u64::try_from(wanted.div_ceil(rate)).unwrap_or(u64::MAX);
                Err(now + Duration::from_nanos(nanos))
            }
            Ok(bytes) => Ok(bytes),
            Err(_) => Ok(u64::MAX),
        }
    }

    /// Adds the record of the rate to `acts`, the first time that it holds bytes back.
    pub(super) fn record(&mut self, act: FaultAct, acts: &mut Vec<FaultAct>) {
        if !std::mem::replace(&mut self.is_recorded, true) {
            acts.push(FaultAct { bytes: Some(self.bytes_per_second.get()), ..act });
        }
    }

    /// Counts bytes that have passed.
    pub(super) fn pass(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_sub(u128::from(bytes) * NANO);
    }
}
