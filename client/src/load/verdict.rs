//! Whether a load's figures are to be believed, and if not, which of them says so.
//!
//! Owns the thresholds. Must not know how the figures came about.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    report::{Datagrams, Distribution, Report},
    text::{count, percent, plural, share, time},
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
mod tests {
    use super::*;
    use crate::load::{
        report::ClientCpu,
        tally::{ErrorKind, Fault, FaultKind, Times},
        testing::{datagrams, report},
    };
    use std::time::Duration;

    fn with_lag(mut report: Report, lag_us: u64) -> Report {
        let mut lag = Times::default();
        lag.record(Duration::from_micros(lag_us));
        report.lag = Some(lag.into());
        report
    }

    fn with_cpu(mut report: Report, busiest_process: f64, cores: f64) -> Report {
        report.client_cpu =
            Some(ClientCpu { seconds: cores, cores, busiest_process, machine_cores: 4 });
        report
    }

    #[test]
    fn what_came_back_whole_is_valid() {
        let (verdict, reason) = judge(&report(1000, 300));
        assert_eq!(verdict, Verdict::Valid, "{reason}");
        assert!(reason.contains("1,000 messages"), "{reason}");
    }

    #[test]
    fn every_failure_is_named() {
        let mut failed = report(1000, 300);
        failed.errors = Some([(ErrorKind::Reset, 2), (ErrorKind::Timeout, 1)].into());
        failed.lost = Some(7);
        failed.casualties =
            vec!["process 3 (pid 5) was killed by SIGKILL before it was done".to_owned()];
        let (verdict, reason) = judge(&failed);
        assert_eq!(verdict, Verdict::Failed);
        for part in ["process 3 (pid 5)", "3 errors (2 reset, 1 timeout)", "7 messages lost"] {
            assert!(reason.contains(part), "{reason}");
        }
        let one = Report { lost: Some(1), ..report(1000, 300) };
        assert_eq!(judge(&one), (Verdict::Failed, "1 message lost".to_owned()));
    }

    #[test]
    fn lost_datagrams_are_said_and_no_failure() {
        let (verdict, reason) = judge(&datagrams(990, 300));
        assert_eq!(verdict, Verdict::Valid);
        let said = "; 10 of 1,000 datagrams were lost (1.00 %)";
        assert!(reason.ends_with(said), "{reason}");
        let (verdict, reason) = judge(&with_cpu(datagrams(990, 300), 0.95, 1.0));
        assert_eq!(verdict, Verdict::ClientLimited);
        assert!(reason.ends_with(said), "{reason}");
        let all = Report { messages: 0, lost: Some(1000), ..datagrams(990, 300) };
        assert_eq!(judge(&all).0, Verdict::Failed);
    }

    #[test]
    fn what_the_client_throws_away_is_its_limit() {
        let mut report = datagrams(990, 300);
        let counts = report.datagrams.as_mut().unwrap();
        counts.dropped_by_client = 4;
        (counts.receive_buffer_asked, counts.receive_buffer_given) = (4_194_304, 212_992);
        let (verdict, reason) = judge(&report);
        assert_eq!(verdict, Verdict::ClientLimited);
        for part in ["4 datagrams", "212,992 bytes each, of 4,194,304", "rmem_max", "10 of 1,000"] {
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn wrong_bytes_and_silence_are_failures() {
        let fault =
            Fault { connection: 0, offset: 0, kind: FaultKind::Damaged, text: String::new() };
        let wrong = Report { faults: vec![fault], ..report(1000, 300) };
        assert_eq!(judge(&wrong).0, Verdict::Failed);
        assert_eq!(judge(&report(0, 0)).0, Verdict::Failed);
    }

    #[test]
    fn a_busy_process_or_machine_is_the_limit_and_named() {
        let (verdict, reason) = judge(&with_cpu(report(1000, 300), 0.95, 1.0));
        assert_eq!(verdict, Verdict::ClientLimited);
        assert!(reason.contains("95 % of a core") && reason.contains("--processes"), "{reason}");
        let (verdict, reason) = judge(&with_cpu(report(1000, 300), 0.5, 3.7));
        assert_eq!(verdict, Verdict::ClientLimited);
        assert!(reason.contains("3.70 of the machine's 4 cores"), "{reason}");
        assert_eq!(judge(&with_cpu(report(1000, 300), 0.89, 3.5)).0, Verdict::Valid);
    }

    #[test]
    fn a_lag_that_explains_the_latency_is_the_limit() {
        let (verdict, reason) = judge(&with_lag(report(1000, 10_000), 5_000));
        assert_eq!(verdict, Verdict::ClientLimited);
        assert!(reason.contains("lag p99 5.00 ms, of a latency p99 of 10.0 ms"), "{reason}");
        // Most of the latency, but hardly any: the schedule was kept.
        assert_eq!(judge(&with_lag(report(1000, 1000), 900)).0, Verdict::Valid);
        // Late, but hardly any of the latency.
        assert_eq!(judge(&with_lag(report(1000, 100_000), 5_000)).0, Verdict::Valid);
    }

    #[test]
    fn a_failure_goes_before_the_limit() {
        let limited = with_cpu(report(1000, 300), 0.99, 1.0);
        assert_eq!(judge(&Report { lost: Some(1), ..limited }).0, Verdict::Failed);
    }

    #[test]
    fn what_is_not_known_is_not_valid() {
        assert_eq!(judge(&Report { lost: None, ..report(1000, 300) }).0, Verdict::Unknown);
    }

    #[test]
    fn verdicts_are_words_of_scripts() {
        for (verdict, word) in
            [(Verdict::Valid, "VALID"), (Verdict::ClientLimited, "CLIENT-LIMITED")]
        {
            assert_eq!(serde_json::to_value(verdict).unwrap(), word);
            assert_eq!(verdict.to_string(), word);
        }
    }
}
