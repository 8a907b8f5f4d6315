//! What a series of round trips adds up to.
//!
//! Must not know a clock or a server: it is told.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

/// Counts and times of round trips; constant in size, however many there were.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    sent: u64,
    received: u64,
    min_ms: f64,
    max_ms: f64,
    mean_ms: f64,
    /// The sum of the squared distances from the mean (Welford's method: a sum of squares would lose
    /// its small differences to rounding in a long run).
    squares: f64,
    /// By what they are.
    odd: [u64; Odd::ALL.len()],
}

/// What can come besides the reply that is waited for, or instead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// A reply to what had been counted as lost.
    Late,
    /// A reply that had come before.
    Duplicate,
    /// A reply with a wrong byte.
    Wrong,
    /// No reply to anything that was sent.
    Stray,
}

impl Odd {
    const ALL: [Self; 4] = [Self::Late, Self::Duplicate, Self::Wrong, Self::Stray];

    fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Wrong => "wrong",
            Self::Stray => "stray",
        }
    }
}

impl Statistics {
    /// A round trip that came back, and took this long.
    pub fn record(&mut self, time: Duration) {
        let ms = millis(time);
        self.sent += 1;
        self.received += 1;
        self.min_ms = if self.received == 1 { ms } else { self.min_ms.min(ms) };
        self.max_ms = self.max_ms.max(ms);
        let from_old_mean = ms - self.mean_ms;
        self.mean_ms += from_old_mean / count(self.received);
        self.squares += from_old_mean * (ms - self.mean_ms);
    }

    /// A round trip that did not.
    pub fn record_lost(&mut self) {
        self.sent += 1;
    }

    /// Something odd has come. One that was lost is counted as that as well.
    pub fn record_odd(&mut self, what: Odd) {
        self.odd[what as usize] += 1;
    }

    /// Whether there was a reply, and none was lost.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        self.received > 0 && self.received == self.sent
    }

    /// The summary, in two lines: counts, of what was odd where there was anything, and the time that all
    /// took; times of those that came back.
    ///
    /// ```
    /// use std::time::Duration;
    /// let mut statistics = client::ping::statistics::Statistics::default();
    /// statistics.record(Duration::from_micros(1500));
    /// statistics.record(Duration::from_micros(2500));
    /// statistics.record_lost();
    /// assert_eq!(
    ///     statistics.summary(Duration::from_secs(3)).to_string(),
    ///     "3 sent, 2 received, 33.3333% lost, time 3000 ms\n\
    ///      min/avg/max/stddev = 1.500/2.000/2.500/0.500 ms"
    /// );
    /// ```
    #[must_use]
    pub fn summary(&self, total: Duration) -> impl fmt::Display {
        let Self { sent, received, min_ms, max_ms, mean_ms, .. } = self;
        let lost = 100.0 * count(sent - received) / count((*sent).max(1));
        let lost = format!("{lost:.4}");
        let lost = lost.trim_end_matches('0').trim_end_matches('.');
        let mut text = format!("{sent} sent, {received} received, {lost}% lost, ");
        for odd in Odd::ALL {
            match self.odd[odd as usize] {
                0 => {}
                count => {
                    let _ = write!(text, "{count} {}, ", odd.name());
                }
            }
        }
        let _ = write!(text, "time {} ms", total.as_millis());
        if *received > 0 {
            let stddev = (self.squares / count(*received)).sqrt();
            let _ = write!(
                text,
                "\nmin/avg/max/stddev = {min_ms:.3}/{mean_ms:.3}/{max_ms:.3}/{stddev:.3} ms"
            );
        }
        text
    }
}

/// Milliseconds with their fraction.
#[must_use]
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 round trips")]
fn count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_reply_there_are_no_times() {
        let mut statistics = Statistics::default();
        assert!(!statistics.is_perfect());
        statistics.record_lost();
        assert!(!statistics.is_perfect());
        assert_eq!(
            statistics.summary(Duration::from_secs(1)).to_string(),
            "1 sent, 0 received, 100% lost, time 1000 ms"
        );
    }

    #[test]
    fn what_is_odd_is_counted_beside_what_is_lost() {
        let mut statistics = Statistics::default();
        statistics.record_lost();
        for odd in [Odd::Stray, Odd::Late, Odd::Stray] {
            statistics.record_odd(odd);
        }
        assert_eq!(
            statistics.summary(Duration::from_secs(1)).to_string(),
            "1 sent, 0 received, 100% lost, 1 late, 2 stray, time 1000 ms"
        );
    }

    #[test]
    fn nothing_lost_is_perfect() {
        let mut statistics = Statistics::default();
        for ms in [2, 4, 4, 4, 5, 5, 7, 9] {
            statistics.record(Duration::from_millis(ms));
        }
        assert!(statistics.is_perfect());
        assert_eq!(
            statistics.summary(Duration::from_secs(7)).to_string(),
            "8 sent, 8 received, 0% lost, time 7000 ms\n\
             min/avg/max/stddev = 2.000/5.000/9.000/2.000 ms"
        );
    }
}
