//! Whether a load's figures are to be believed, and if not, which of them says so.
//!
//! Owns the thresholds. Must not know how the figures came about.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::{
    report::document::{Datagrams, Distribution, Report},
    stats::format::{count, percent, plural, share, time},
};

/// Whether a load's figures are to be believed; the worst is the greatest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Verdict {
    /// Every byte came back, and the client was not the limit.
    Valid,
    /// Nothing is known of errors, nor of the client: a histogram log was merged.
    Unknown,
    /// The client's own CPU, or its lag behind the schedule, was the limit.
    ClientLimited,
    /// Errors, lost messages, wrong bytes, or a process of the client that died.
    Failed,
}

/// The share of a core at which a process counts as busy throughout. What is missing to 1 goes to the
/// scheduler and to the start and the end of the run, where a process waits for the others.
pub const BUSY: f64 = 0.90;

/// Below this a schedule is kept: it is what waking up in time costs on a machine that does other
/// things as well.
pub const LAG_FLOOR_NS: u64 = 1_000_000;

/// The share of the latency's p99 from which on lag explains it: the figures have about one digit less
/// than they seem to.
pub const LAG_SHARE: f64 = 0.10;

/// Judges a report by its figures; what its verdict has been so far does not matter.
#[must_use]
pub fn judge(report: &Report) -> (Verdict, String) {
    if let Some(reason) = failure(report) {
        return (Verdict::Failed, reason);
    }
    if let Some(reason) = limit(report) {
        return (Verdict::ClientLimited, reason + &loss(report.datagrams, report.lost));
    }
    let came = plural(report.messages, "message");
    if report.lost.is_none() || report.errors.is_none() {
        let reason =
            format!("{came} came back; a histogram log does not say what did not, nor why");
        return (Verdict::Unknown, reason);
    }
    let stopped = if report.stopped_early { ", until it was stopped" } else { "" };
    let loss = loss(report.datagrams, report.lost);
    let reason = format!(
        "every byte of {came} came back right, and the client was not the limit{stopped}{loss}"
    );
    (Verdict::Valid, reason)
}

/// What of a load over datagrams is to be known besides: no failure, as the network may lose them.
#[must_use]
pub fn loss(datagrams: Option<Datagrams>, lost: Option<u64>) -> String {
    match (datagrams, lost) {
        (Some(Datagrams { sent, .. }), Some(lost @ 1..)) => {
            let datagrams = plural(sent, "datagram");
            let share = share(lost, sent);
            format!("; {} of {datagrams} {} lost ({share})", count(lost), was(lost))
        }
        _ => String::new(),
    }
}

fn was(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

fn failure(report: &Report) -> Option<String> {
    let mut reasons = report.casualties.clone();
    if let Some(errors) = &report.errors {
        let kinds: Vec<_> = errors
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        if !kinds.is_empty() {
            let all = plural(errors.values().sum(), "error");
            reasons.push(format!("{all} ({})", kinds.join(", ")));
        }
    }
    if report.datagrams.is_none()
        && let Some(lost @ 1..) = report.lost
    {
        reasons.push(format!("{} lost", plural(lost, "message")));
    }
    if reasons.is_empty() && !report.faults.is_empty() {
        reasons.push("wrong bytes".to_owned());
    }
    // Who stopped it in the warm-up has seen what there was to see.
    let was_warming_up = report.stopped_early && report.bytes_checked > Some(0);
    if reasons.is_empty() && report.messages == 0 && !was_warming_up {
        reasons.push("no message came back in the measured time".to_owned());
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn limit(report: &Report) -> Option<String> {
    if let Some(cpu) = report.client_cpu {
        if cpu.busiest_process >= BUSY {
            let share = percent(cpu.busiest_process);
            return Some(format!(
                "the client's busiest process used {share} of a core: use more --processes"
            ));
        }
        let machine = f64::from(cpu.machine_cores);
        if cpu.cores >= BUSY * machine {
            return Some(format!(
                "the client used {:.2} of the machine's {machine} cores: use more machines, or ask for less",
                cpu.cores
            ));
        }
    }
    if let Some(Datagrams {
        dropped_by_client: dropped @ 1..,
        receive_buffer_asked: asked,
        receive_buffer_given: given,
        ..
    }) = report.datagrams
    {
        let more =
            if given < asked { ", or allow larger buffers (sysctl net.core.rmem_max)" } else { "" };
        return Some(format!(
            "{} came back, and the client's own system threw {} away, as the receive buffers of its \
             sockets were full ({} bytes each, of {} asked for): use more --processes or \
             --connections, or a lower --rate or --pipeline{more}",
            plural(dropped, "datagram"),
            if dropped == 1 { "it" } else { "them" },
            count(given),
            count(asked),
        ));
    }
    let p99 = |times: &Distribution| times.p99_ns;
    let lag = report.lag.as_ref().and_then(p99).filter(|&lag| lag > LAG_FLOOR_NS)?;
    let latency = report.latency.p99_ns?;
    if nanos(lag) <= LAG_SHARE * nanos(latency) {
        return None;
    }
    let behind = match report.plan.as_ref().and_then(|plan| plan.rate) {
        Some(asked) if report.rate < 0.95 * asked => {
            format!(", and sent {:.0} of {asked:.0} messages a second", report.rate)
        }
        _ => String::new(),
    };
    Some(format!(
        "the client was behind its schedule (lag p99 {}, of a latency p99 of {}){behind}: use more \
         --processes, or a lower --rate",
        time(lag),
        time(latency)
    ))
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
fn nanos(nanos: u64) -> f64 {
    nanos as f64
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "VALID",
            Self::Unknown => "UNKNOWN",
            Self::ClientLimited => "CLIENT-LIMITED",
            Self::Failed => "FAILED",
        })
    }
}

#[cfg(test)]
mod tests;
