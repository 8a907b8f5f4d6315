//! State of the clock of the machine, as the kernel knows it.

use std::fs;

use jiff::Timestamp;
use nix::libc::{STA_NANO, STA_UNSYNC, TIME_ERROR};
use rtime_clock::adjtime::{Timex, adjtimex};

/// What the kernel knows about the error of its clock (`adjtimex(2)`).
///
/// A time service such as `chronyd` reports it to the kernel, which adds 0.5 ms for each second since then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockState {
    /// A time service has set the clock lately.
    pub(crate) is_synchronized: bool,
    /// What the kernel has yet to correct.
    pub(crate) offset_ns: i64,
    /// Estimated error.
    pub(crate) estimated_error_ns: u64,
    /// Maximum error.
    pub(crate) max_error_ns: u64,
}

/// Reads the state of the clock; `None` if the system does not permit it.
pub(crate) fn clock_state() -> Option<ClockState> {
    let mut timex = Timex::new();
    let state = adjtimex(&mut timex).ok()?;
    Some(describe(state, &timex))
}

/// Returns the time that the clock shows.
#[expect(clippy::disallowed_methods, reason = "people and machines agree on it")]
pub(crate) fn clock_time() -> Timestamp {
    Timestamp::now()
}

/// Returns the boot ID: all containers on one kernel have the same one, and it changes with each boot.
pub(crate) fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned())
}

/// Returns the state that a call of `adjtimex` has returned.
fn describe(state: i32, Timex(timex): &Timex) -> ClockState {
    let unit_ns = if timex.status & STA_NANO == 0 { 1000 } else { 1 };
    // Errors are in microseconds, in every mode.
    let error_ns = |micros| u64::try_from(micros).unwrap_or(0).saturating_mul(1000);
    ClockState {
        is_synchronized: state != TIME_ERROR && timex.status & STA_UNSYNC == 0,
        offset_ns: timex.offset.saturating_mul(unit_ns),
        estimated_error_ns: error_ns(timex.esterror),
        max_error_ns: error_ns(timex.maxerror),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_in_the_unit_of_the_clock_and_errors_are_in_microseconds() {
        let mut timex = Timex::new();
        (timex.0.offset, timex.0.esterror, timex.0.maxerror) = (-20, 30, 40);
        let expected = ClockState {
            is_synchronized: true,
            offset_ns: -20_000,
            estimated_error_ns: 30_000,
            max_error_ns: 40_000,
        };
        assert_eq!(describe(0, &timex), expected);
        timex.0.status = STA_NANO;
        assert_eq!(describe(0, &timex), ClockState { offset_ns: -20, ..expected });
        timex.0.status |= STA_UNSYNC;
        let unsynchronized = ClockState { offset_ns: -20, is_synchronized: false, ..expected };
        assert_eq!(describe(TIME_ERROR, &timex), unsynchronized);
    }

    #[test]
    fn the_kernel_reports_the_state_of_its_clock() {
        // A seccomp profile may forbid adjtimex(2).
        let Some(state) = clock_state() else { return };
        assert!(state.is_synchronized || state.max_error_ns > 0, "{state:?}");
    }
}
