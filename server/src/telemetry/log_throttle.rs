//! A limit on repeated log lines.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Allows one log line per interval and counts the suppressed ones.
#[derive(Debug)]
pub(crate) struct LogThrottle {
    interval: Duration,
    last: Option<Instant>,
    suppressed: u64,
}

/// The number of lines that were suppressed since the last one, for the end of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suppressed(u64);

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " ({more} more since the last such line)"),
        }
    }
}

impl Suppressed {
    /// Returns the text for a limit that lines of several kinds share. `events` names all of them.
    pub(crate) fn of(self, events: &str) -> String {
        match self.0 {
            0 => String::new(),
            more => format!(" ({more} more {events} since the last such line)"),
        }
    }
}

impl LogThrottle {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, last: None, suppressed: 0 }
    }

    /// Returns the number of suppressed lines if a line may be logged now.
    pub(crate) fn allow(&mut self, now: Instant) -> Option<Suppressed> {
        if self.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(Suppressed(std::mem::take(&mut self.suppressed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_one_line_per_interval_and_counts_the_suppressed_ones() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut throttle = LogThrottle::new(second);
        assert_eq!(throttle.allow(start), Some(Suppressed(0)));
        assert_eq!(throttle.allow(start + second / 2), None);
        assert_eq!(throttle.allow(start + second / 2), None);
        assert_eq!(throttle.allow(start + second), Some(Suppressed(2)));
    }
}
