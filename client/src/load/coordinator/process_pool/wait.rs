//! Wait of processes that are ready, until the time of the start.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Error, Outcome, ProcessPool, REPORT_INTERVAL};
use crate::load::host::clock::clock_time;

impl ProcessPool<'_> {
    /// Waits until the clock shows this time; returns `true` if it has passed already.
    pub(super) fn wait_until(
        &mut self,
        time: Timestamp,
        on_progress: &mut dyn FnMut(&Outcome),
    ) -> Result<bool, Error> {
        let is_overdue = time_until(time).is_zero();
        loop {
            let left = time_until(time);
            if left.is_zero() {
                self.outcome.starts_in = None;
                return Ok(is_overdue);
            }
            self.outcome.starts_in = Some(left);
            on_progress(&self.outcome);
            // Someone may set the clock meanwhile, so it is read again after each interval.
            if self.poll(Instant::now().checked_add(left.min(REPORT_INTERVAL)))? {
                return Err(Error::Interrupted);
            }
            if let Some(process) = self.outcome.failed_processes.pop() {
                return Err(Error::NotReady(process));
            }
        }
    }
}

fn time_until(time: Timestamp) -> Duration {
    clock_time().duration_until(time).try_into().unwrap_or_default()
}
