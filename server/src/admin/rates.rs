//! Rates over the last seconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{config::limits, metrics::Counters};

/// Totals at the last checks of the admin thread.
#[derive(Debug, Default)]
pub(super) struct Rates(VecDeque<(Instant, Totals)>);

#[derive(Clone, Debug, Default)]
struct Totals {
    accepted: u64,
    bytes_received: u64,
    bytes_sent: u64,
    messages_received: u64,
    messages_sent: u64,
    /// Busy time of each worker.
    busy_ns: Vec<u64>,
}

impl Rates {
    /// Records the totals of this time.
    pub(super) fn record(&mut self, counters: &Counters, now: Instant) {
        let listeners = &counters.listeners;
        let totals = Totals {
            accepted: listeners.sum(|all| all.accepted.get()),
            bytes_received: listeners.sum(|all| all.bytes_received.get()),
            bytes_sent: listeners.sum(|all| all.bytes_sent.get()),
            messages_received: listeners.sum(|all| all.messages_received.get()),
            messages_sent: listeners.sum(|all| all.messages_sent.get()),
            busy_ns: counters.workers.iter().map(|worker| worker.busy_ns.get()).collect(),
        };
        // One more, because an interval has two ends.
        if self.0.len() > limits::RATE_CHECKS {
            self.0.pop_front();
        }
        self.0.push_back((now, totals));
    }

    /// Returns the rates per second over the recorded time.
    pub(super) fn to_json(&self) -> Value {
        let rate = |of: fn(&Totals) -> u64| self.rate(of);
        json!({
            "interval_seconds": self.interval().as_secs_f64(),
            "accepted": rate(|totals| totals.accepted),
            "received": {
                "bytes": rate(|totals| totals.bytes_received),
                "messages": rate(|totals| totals.messages_received),
            },
            "sent": {
                "bytes": rate(|totals| totals.bytes_sent),
                "messages": rate(|totals| totals.messages_sent),
            },
        })
    }

    /// Returns the share of the recorded time for which a worker was awake.
    pub(super) fn busy_ratio(&self, worker: usize) -> f64 {
        (self.rate(|totals| totals.busy_ns.get(worker).copied().unwrap_or_default()) / 1e9).min(1.0)
    }

    fn interval(&self) -> Duration {
        let ends = self.0.front().zip(self.0.back());
        ends.map_or(Duration::ZERO, |(first, last)| last.0 - first.0)
    }

    /// Returns the increase per second.
    fn rate(&self, of: impl Fn(&Totals) -> u64) -> f64 {
        let interval = self.interval().as_secs_f64();
        match self.0.front().zip(self.0.back()) {
            Some((first, last)) if interval > 0.0 => {
                #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision")]
                let increase = of(&last.1).saturating_sub(of(&first.1)) as f64;
                increase / interval
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let counters = Counters::new(1, Arc::new(Registry::new(1)));
        let listener = counters.listeners.listener("127.0.0.1:7", "text");
        let mut rates = Rates::default();
        assert_eq!(rates.to_json()["accepted"], 0.0);
        let start = Instant::now();
        for second in 0..100 {
            rates.record(&counters, start + Duration::from_secs(second));
            listener.worker(0).bytes_sent.add(if second < 50 { 1 } else { 1000 });
        }
        let seconds = u32::try_from(limits::RATE_CHECKS).unwrap();
        assert_eq!(rates.to_json()["interval_seconds"], f64::from(seconds));
        assert_eq!(rates.to_json()["sent"]["bytes"], 1000.0);
    }
}
