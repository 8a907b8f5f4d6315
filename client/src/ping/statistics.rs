//! Statistics of a series of round trips.
//!
//! Must not know a clock or a server.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use crate::net::target::ConnectionTimes;

/// Counts and times of round trips, of constant size.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    sent: u64,
    times: Times,
    /// Times of the connects, if they are to be shown.
    connects: Times,
    /// Times of the TLS handshakes.
    handshakes: Times,
    /// Times of the logins.
    logins: Times,
    /// Times of the WebSocket handshakes.
    upgrades: Times,
    /// Number of anomalies of each kind.
    anomalies: [u64; Anomaly::ALL.len()],
}

/// Distribution of times, of constant size.
#[derive(Clone, Debug, Default)]
struct Times {
    count: u64,
    min_ms: f64,
    max_ms: f64,
    mean_ms: f64,
    /// Sum of the squared distances from the mean, by Welford's method: a plain sum of squares would lose
    /// small differences to rounding in a long run.
    squares: f64,
}

impl Times {
    fn record(&mut self, time: Duration) {
        let ms = millis(time);
        self.count += 1;
        self.min_ms = if self.count == 1 { ms } else { self.min_ms.min(ms) };
        self.max_ms = self.max_ms.max(ms);
        let from_old_mean = ms - self.mean_ms;
        self.mean_ms += from_old_mean / count(self.count);
        self.squares += from_old_mean * (ms - self.mean_ms);
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min_ms, mean_ms, max_ms, .. } = self;
        let stddev = (self.squares / count(self.count.max(1))).sqrt();
        write!(f, "min/avg/max/stddev = {min_ms:.3}/{mean_ms:.3}/{max_ms:.3}/{stddev:.3} ms")
    }
}

/// Reply that is not the awaited one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anomaly {
    /// Reply to a round trip that has been counted as lost.
    Late,
    /// Second copy of a reply.
    Duplicate,
    /// Reply with a wrong byte.
    Wrong,
    /// Data that answers nothing that was sent.
    Stray,
}

impl Anomaly {
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
    /// Records a round trip that took `time`.
    pub(super) fn record(&mut self, time: Duration) {
        self.sent += 1;
        self.times.record(time);
    }

    /// Records the times of a new connection, unless it has no layer.
    pub(super) fn record_connection(&mut self, times: ConnectionTimes) {
        if times.tls.is_some() || times.login.is_some() || times.websocket.is_some() {
            self.connects.record(times.connect);
        }
        if let Some(time) = times.tls {
            self.handshakes.record(time);
        }
        if let Some(time) = times.login {
            self.logins.record(time);
        }
        if let Some(time) = times.websocket {
            self.upgrades.record(time);
        }
    }

    /// Records a lost round trip.
    pub(super) fn record_lost(&mut self) {
        self.sent += 1;
    }

    /// Records an anomaly. A round trip may be both lost and an anomaly.
    pub(super) fn record_anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies[anomaly as usize] += 1;
    }

    /// Returns `true` if there was a reply, and none was lost.
    pub(super) fn is_perfect(&self) -> bool {
        self.times.count > 0 && self.times.count == self.sent
    }

    /// Returns the summary: a line of counts, with the anomalies that occurred and the total time, and, if
    /// there were replies, a line of their times; with layers, one line each for connects, handshakes and logins.
    pub(super) fn summary(&self, total: Duration) -> impl fmt::Display {
        let (sent, received) = (self.sent, self.times.count);
        let lost = 100.0 * count(sent - received) / count(sent.max(1));
        let lost = format!("{lost:.4}");
        let lost = lost.trim_end_matches('0').trim_end_matches('.');
        let mut text = format!("{sent} sent, {received} received, {lost}% lost, ");
        for anomaly in Anomaly::ALL {
            match self.anomalies[anomaly as usize] {
                0 => {}
                count => {
                    let _ = write!(text, "{count} {}, ", anomaly.name());
                }
            }
        }
        let _ = write!(text, "time {} ms", total.as_millis());
        if received > 0 {
            let _ = write!(text, "\n{}", self.times);
        }
        for (name, times) in [
            ("connect", &self.connects),
            ("handshake", &self.handshakes),
            ("login", &self.logins),
            ("ws-handshake", &self.upgrades),
        ] {
            if times.count > 0 {
                let _ = write!(text, "\n{name} {times}");
            }
        }
        text
    }
}

/// Returns a time in milliseconds, with its fraction.
pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "no run makes 2^53 round trips")]
fn count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summarizes_counts_and_times() {
        let mut statistics = Statistics::default();
        statistics.record(Duration::from_micros(1500));
        statistics.record(Duration::from_micros(2500));
        statistics.record_lost();
        assert_eq!(
            statistics.summary(Duration::from_secs(3)).to_string(),
            "3 sent, 2 received, 33.3333% lost, time 3000 ms\n\
             min/avg/max/stddev = 1.500/2.000/2.500/0.500 ms"
        );
    }

    fn times(connect_ms: u64) -> ConnectionTimes {
        ConnectionTimes {
            connect: Duration::from_millis(connect_ms),
            tls: Some(Duration::from_millis(5)),
            login: Some(Duration::from_millis(6)),
            websocket: Some(Duration::from_millis(7)),
        }
    }

    #[test]
    fn connects_and_handshakes_are_apart_from_round_trips() {
        let mut statistics = Statistics::default();
        statistics.record_connection(times(1));
        statistics.record_lost();
        statistics.record_connection(times(3));
        statistics.record(Duration::from_millis(2));
        let summary = statistics.summary(Duration::from_secs(3)).to_string();
        let lines: Vec<_> = summary.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "min/avg/max/stddev = 2.000/2.000/2.000/0.000 ms",
                "connect min/avg/max/stddev = 1.000/2.000/3.000/1.000 ms",
                "handshake min/avg/max/stddev = 5.000/5.000/5.000/0.000 ms",
                "login min/avg/max/stddev = 6.000/6.000/6.000/0.000 ms",
                "ws-handshake min/avg/max/stddev = 7.000/7.000/7.000/0.000 ms",
            ]
        );
    }

    #[test]
    fn without_a_reply_the_summary_has_no_times() {
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
    fn counts_anomalies_besides_losses() {
        let mut statistics = Statistics::default();
        statistics.record_lost();
        for anomaly in [Anomaly::Stray, Anomaly::Late, Anomaly::Stray] {
            statistics.record_anomaly(anomaly);
        }
        assert_eq!(
            statistics.summary(Duration::from_secs(1)).to_string(),
            "1 sent, 0 received, 100% lost, 1 late, 2 stray, time 1000 ms"
        );
    }

    #[test]
    fn a_series_without_losses_is_perfect() {
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
