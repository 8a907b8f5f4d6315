//! A complaint that is worth a line, but not a line each time.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Lets something through at most once an interval, and counts what it held back.
#[derive(Debug)]
pub(crate) struct Throttle {
    interval: Duration,
    last: Option<Instant>,
    held_back: u64,
}

/// What a line says of those that were held back before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct More(pub(crate) u64);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " ({more} more since the last such line)"),
        }
    }
}

impl Throttle {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, last: None, held_back: 0 }
    }

    /// Whether to speak up now; if so, how many times it was held back since it last did.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_once_an_interval_and_says_what_it_held_back() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut throttle = Throttle::new(second);
        assert_eq!(throttle.pass(start), Some(0));
        assert_eq!(throttle.pass(start + second / 2), None);
        assert_eq!(throttle.pass(start + second / 2), None);
        assert_eq!(throttle.pass(start + second), Some(2));
    }
}
