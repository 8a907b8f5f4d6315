//! Counts, round trips and processor time of a run.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Number of significant digits of a round trip.
const DIGITS: u8 = 3;

/// Maximum round trip in nanoseconds: a minute. Longer ones count as this.
const LONGEST: u64 = 60_000_000_000;

/// Measurement of a run, from its start.
pub(crate) struct Measurement {
    start: Instant,
    cpu: Cpu,
    /// Round trips in nanoseconds, if they are measured.
    laps: Option<Histogram<u64>>,
}

/// Processor time of this process so far: the exact total, and ticks that divide it into user and system time.
struct Cpu {
    total: Duration,
    user_ticks: f64,
    system_ticks: f64,
}

impl Measurement {
    pub(crate) fn start(timed: bool) -> anyhow::Result<Self> {
        let laps = if timed { Some(Histogram::new_with_max(LONGEST, DIGITS)?) } else { None };
        Ok(Self { start: Instant::now(), cpu: Cpu::now()?, laps })
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.laps.is_some()
    }

    /// Records the return of a message that was sent at `since`, if that is known, and the start of the next one.
    pub(crate) fn lap(&mut self, since: &mut Option<Instant>) {
        if let Some(laps) = &mut self.laps {
            let now = Instant::now();
            if let Some(sent) = since.replace(now) {
                laps.saturating_record(nanos(now - sent));
            }
        }
    }

    /// Records the time of a delivery, if they are measured.
    pub(crate) fn record(&mut self, time: Duration) {
        if let Some(laps) = &mut self.laps {
            laps.saturating_record(nanos(time));
        }
    }

    pub(crate) fn report(&self, count: u64) -> anyhow::Result<Value> {
        let seconds = self.start.elapsed().as_secs_f64();
        let (user, system) = Cpu::now()?.since(&self.cpu);
        #[expect(clippy::cast_precision_loss, reason = "no run has 2^52 messages")]
        let rate = count as f64 / seconds;
        let mut report = json!({
            "messages": count,
            "seconds": seconds,
            "rate": rate,
            "client_cpu": { "seconds": user + system, "user_seconds": user, "system_seconds": system },
        });
        if let Some(laps) = &self.laps {
            let at =
                |quantile| Duration::from_nanos(laps.value_at_quantile(quantile)).as_secs_f64();
            report["latency_seconds"] = json!({
                "p50": at(0.5), "p99": at(0.99), "p99_9": at(0.999), "max": at(1.0),
            });
        }
        Ok(report)
    }
}

/// Returns a time in nanoseconds.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Cpu {
    fn now() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        // The name of the program is in brackets and may contain any character.
        let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat has an unknown format")?;
        let ticks = |field| -> anyhow::Result<f64> {
            let field: Option<&str> = fields.split_whitespace().nth(field);
            Ok(field.context("/proc/self/stat has an unknown format")?.parse()?)
        };
        Ok(Self {
            total: Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?,
            // Fields 14 and 15 of the line; two fields are before the brackets end.
            user_ticks: ticks(11)?,
            system_ticks: ticks(12)?,
        })
    }

    /// Returns the seconds of user time and of system time since `then`.
    fn since(&self, then: &Self) -> (f64, f64) {
        let total = self.total.saturating_sub(then.total).as_secs_f64();
        let user = self.user_ticks - then.user_ticks;
        let system = self.system_ticks - then.system_ticks;
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        (total * share, total * (1.0 - share))
    }
}
