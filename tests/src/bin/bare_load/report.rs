//! What a run is found to be: its time, its round trips, and what it cost this process.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// The significant digits of a round trip.
const DIGITS: u8 = 3;

/// The longest round trip that is told from longer ones, in nanoseconds: a minute.
const LONGEST: u64 = 60_000_000_000;

/// What is seen of a run, from when this is made.
pub(crate) struct Watch {
    begun: Instant,
    cpu: Cpu,
    /// Round trips in nanoseconds, if they are asked for.
    laps: Option<Histogram<u64>>,
}

/// Processor time of this process so far: all of it exactly, and by which it is divided.
struct Cpu {
    total: Duration,
    user_ticks: f64,
    system_ticks: f64,
}

impl Watch {
    pub(crate) fn new(timed: bool) -> anyhow::Result<Self> {
        let laps = if timed { Some(Histogram::new_with_max(LONGEST, DIGITS)?) } else { None };
        Ok(Self { begun: Instant::now(), cpu: Cpu::now()?, laps })
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.laps.is_some()
    }

    /// A message has returned that was sent at `since`, if that is known, and the next one is sent.
    pub(crate) fn lap(&mut self, since: &mut Option<Instant>) {
        if let Some(laps) = &mut self.laps {
            let now = Instant::now();
            if let Some(sent) = since.replace(now) {
                let nanos = u64::try_from((now - sent).as_nanos()).unwrap_or(u64::MAX);
                laps.saturating_record(nanos);
            }
        }
    }

    pub(crate) fn report(&self, count: u64) -> anyhow::Result<Value> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (user, system) = Cpu::now()?.since(&self.cpu);
        #[expect(clippy::cast_precision_loss, reason = "52 bits of messages are more than will be")]
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
                "p50": at(0.5), "p99": at(0.99), "p99.9": at(0.999), "max": at(1.0),
            });
        }
        Ok(report)
    }
}

impl Cpu {
    fn now() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        // The name of the program is in brackets and could hold anything.
        let (_, fields) = stat.rsplit_once(')').context("the kernel's own format")?;
        let ticks = |field| -> anyhow::Result<f64> {
            let field: Option<&str> = fields.split_whitespace().nth(field);
            Ok(field.context("the kernel's own format")?.parse()?)
        };
        Ok(Self {
            total: Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?,
            // Fields 14 and 15 of all; two are before these.
            user_ticks: ticks(11)?,
            system_ticks: ticks(12)?,
        })
    }

    /// The seconds since then: in user mode, and in the kernel.
    fn since(&self, then: &Self) -> (f64, f64) {
        let total = self.total.saturating_sub(then.total).as_secs_f64();
        let user = self.user_ticks - then.user_ticks;
        let system = self.system_ticks - then.system_ticks;
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        (total * share, total * (1.0 - share))
    }
}
