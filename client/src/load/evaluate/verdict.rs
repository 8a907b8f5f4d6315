//! Verdict on a report: whether its figures are valid, and the reason if they are not.
//!
//! Owns the thresholds. Must not know how the figures were measured.

use std::time::Duration;

use crate::load::{
    report::{
        distribution::Distribution,
        document::{ClientCpu, Report},
        figures::{
            datagram_counts::DatagramCounts, fault_figures::FaultFigures, room_figures::RoomFigures,
        },
        verdict::Verdict,
    },
    stats::{
        format::{count, nanos as duration_nanos, percent, plural, rate, share, time},
        rate::per_second,
    },
};

/// Share of a core from which a process counts as busy. The scheduler takes the rest, and the start and the
/// end of the run, when a process waits for the others.
const BUSY: f64 = 0.90;

/// Lag below which the client kept its schedule: a wakeup costs that much on a machine that does other work
/// too.
const LAG_FLOOR_NS: u64 = 1_000_000;

/// Share of the p99 of the latency from which the lag explains it: then the figures have about one digit
/// less.
const LAG_SHARE: f64 = 0.10;

/// Share of the target rate below which the reason also names the rate.
const RATE_SHARE: f64 = 0.95;

/// Measured time in seconds below which the client is not called the limit: its start, and a process that waits for
/// a core, take a large part of a shorter time, and in a closed loop the client may be busy throughout.
const MIN_LIMITED_SECONDS: f64 = 0.25;

/// Measured time in seconds below which nothing is said about the client: a scheduler may account for CPU time in
/// ticks of this length.
const MIN_SECONDS: f64 = 0.01;

/// Sets the verdict of a report by its figures.
pub(crate) fn set(report: &mut Report) {
    (report.verdict, report.reason) = evaluate(report);
}

/// Returns the worst verdict, and the reasons of the reports that have it, each with its name; `valid` is the reason if all are valid.
pub(crate) fn worst(
    reports: &[(&str, &Report)],
    valid: impl FnOnce() -> String,
) -> (Verdict, String) {
    let worst = reports.iter().map(|(_, report)| report.verdict).max();
    let worst = worst.unwrap_or(Verdict::Unknown);
    if worst == Verdict::Valid {
        return (worst, valid());
    }
    let those = reports.iter().filter(|(_, report)| report.verdict == worst);
    let reasons: Vec<_> =
        those.map(|(name, report)| format!("{name}: {}", report.reason)).collect();
    (worst, reasons.join("; "))
}

/// Evaluates the figures of a report; ignores its present verdict.
fn evaluate(report: &Report) -> (Verdict, String) {
    if let Some(reason) = failure(report) {
        return (Verdict::Failed, reason);
    }
    if let Some(faults) = &report.injected_faults {
        return (Verdict::Valid, faults.sentence());
    }
    let messages = returned(report.messages, report.room);
    let loss = loss(report.datagrams, report.lost) + &told(report.room);
    if let Some(reason) = report.datagrams.and_then(buffer_limit) {
        return (Verdict::ClientLimited, reason + &loss);
    }
    let limit = client_limit(report);
    if let Some(reason) = &limit
        && report.seconds >= MIN_LIMITED_SECONDS
    {
        return (Verdict::ClientLimited, reason.clone() + &loss);
    }
    if report.client_cpu.is_some() && (limit.is_some() || report.seconds < MIN_SECONDS) {
        let seconds = Duration::try_from_secs_f64(report.seconds).unwrap_or_default();
        let reason = format!(
            "the run of {} is too short to tell whether the client was the limit: use a longer --duration, or more \
             --messages; {messages}{loss}",
            time(duration_nanos(seconds))
        );
        return (Verdict::Unknown, reason);
    }
    if report.lost.is_none() || report.errors.is_none() {
        let reason = format!(
            "{} returned; a histogram log does not tell how many were lost",
            plural(report.messages, "message")
        );
        return (Verdict::Unknown, reason);
    }
    if let Some(unsent @ 1..) = report.unsent {
        let channels = if report.datagrams.is_some() { "sockets" } else { "connections" };
        let reason = format!(
            "{} could not be sent: the {channels} did not take {} within --timeout after the end: use a lower --rate, \
             more --connections, or a longer --timeout{loss}",
            plural(unsent, "message"),
            if unsent == 1 { "it" } else { "them" },
        );
        return (Verdict::Failed, reason);
    }
    let stopped = if report.stopped_early { ", until it was stopped" } else { "" };
    let reason = format!("{messages}, and the client was not the limit{stopped}{loss}");
    (Verdict::Valid, reason)
}

/// Returns what came back.
pub(crate) fn returned(messages: u64, room: Option<RoomFigures>) -> String {
    match room {
        Some(RoomFigures { deliveries, members, .. }) => format!(
            "{} to {} made {}, each one once, in order and with the right text",
            plural(messages, "message"),
            plural(members, "member"),
            if deliveries == 1 {
                "1 delivery".to_owned()
            } else {
                format!("{} deliveries", count(deliveries))
            },
        ),
        None => format!("every byte of {} returned", plural(messages, "message")),
    }
}

/// Returns a remark on losses of which the server of a room told, or nothing. They are not a failure, because a slow member
/// may lose events.
pub(crate) fn told(room: Option<RoomFigures>) -> String {
    let Some(RoomFigures { gaps, relay_gaps, .. }) = room else { return String::new() };
    let told = |count, cause| match count {
        0 => String::new(),
        _ => format!("; the server told of {} that it lost {cause}", plural(count, "event")),
    };
    told(gaps, "because a member was too slow") + &told(relay_gaps, "between servers")
}

/// Returns a remark on lost datagrams, or nothing. Their loss is not a failure, because the network may
/// lose them.
pub(crate) fn loss(datagrams: Option<DatagramCounts>, lost: Option<u64>) -> String {
    match (datagrams, lost) {
        (Some(DatagramCounts { sent, .. }), Some(lost @ 1..)) => {
            let were = if lost == 1 { "was" } else { "were" };
            let (datagrams, share) = (plural(sent, "datagram"), share(lost, sent));
            format!("; {} of {datagrams} {were} lost ({share})", count(lost))
        }
        _ => String::new(),
    }
}

/// Returns the reason for which the load failed.
fn failure(report: &Report) -> Option<String> {
    let mut reasons = report.failed_processes.clone();
    if let Some(errors) = &report.errors {
        let kinds: Vec<_> = errors
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(kind, number)| format!("{} {kind}", count(*number)))
            .collect();
        if !kinds.is_empty() {
            let all = plural(errors.values().sum(), "error");
            reasons.push(format!("{all} ({})", kinds.join(", ")));
        }
    }
    if let Some(faults) = &report.injected_faults {
        // What did not return has to be explained by a fault, and by nothing else.
        if faults.disagreements > 0 {
            reasons.push(disagreement(faults));
        }
        return (!reasons.is_empty()).then(|| reasons.join("; "));
    }
    if let Some(room) = &report.room {
        let violations = room.violations().into_iter();
        reasons.extend(violations.map(|(number, what)| format!("{} {what}", count(number))));
    }
    if report.datagrams.is_none()
        && let Some(lost @ 1..) = report.lost
    {
        reasons.push(format!("{} lost", plural(lost, "message")));
    }
    // An event of a room that was skipped may have been told to be lost later.
    if reasons.is_empty() && !report.faults.is_empty() && report.room.is_none() {
        reasons.push("wrong bytes".to_owned());
    }
    // A load that is stopped in the warm-up has measured nothing, which is not a failure.
    let is_stopped_in_warmup = report.stopped_early && report.bytes_checked > Some(0);
    // Messages that were not sent have a reason of their own.
    let is_unsent = report.unsent > Some(0) && report.bytes_checked > Some(0);
    if reasons.is_empty() && report.messages == 0 && !is_stopped_in_warmup && !is_unsent {
        reasons.push("no message returned in the measured time".to_owned());
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Returns the first disagreement with a fault log.
fn disagreement(faults: &FaultFigures) -> String {
    let first = faults.first_disagreements.first();
    let first = first.map(|it| format!(": connection {}: {}", it.peer, it.text));
    format!("{}{}", faults.sentence(), first.unwrap_or_default())
}

/// Returns the reason for which the client was the limit.
fn client_limit(report: &Report) -> Option<String> {
    report.client_cpu.and_then(cpu_limit).or_else(|| lag_limit(report))
}

fn cpu_limit(cpu: ClientCpu) -> Option<String> {
    let tls = cpu.tls_share().map_or_else(String::new, |share| {
        format!(", {} of its CPU time for its own TLS", percent(share))
    });
    if cpu.busiest_process >= BUSY {
        let share = percent(cpu.busiest_process);
        return Some(format!(
            "the client's busiest process used {share} of a core{tls}: use more --processes"
        ));
    }
    let machine = f64::from(cpu.machine_cores);
    (cpu.cores >= BUSY * machine).then(|| {
        format!(
            "the client used {:.2} of the machine's {machine} cores{tls}: use more machines, or reduce the load",
            cpu.cores
        )
    })
}

fn buffer_limit(counts: DatagramCounts) -> Option<String> {
    let DatagramCounts {
        dropped_by_client: dropped @ 1..,
        receive_buffer_requested_bytes: requested,
        receive_buffer_granted_bytes: granted,
        ..
    } = counts
    else {
        return None;
    };
    let advice = if granted < requested {
        ", or allow larger buffers (sysctl net.core.rmem_max)"
    } else {
        ""
    };
    Some(format!(
        "the client's own system dropped at least {}, because the receive buffers of its sockets were full ({} bytes each, \
         {} requested): use more --processes or --connections, or a lower --rate or --pipeline{advice}",
        plural(dropped, "datagram"),
        count(granted),
        count(requested),
    ))
}

fn lag_limit(report: &Report) -> Option<String> {
    let p99 = |distribution: &Distribution| distribution.p99_ns;
    let lag = report.lag.as_ref().and_then(p99).filter(|&lag| lag > LAG_FLOOR_NS)?;
    // Without a latency, every message was so late that it was not sent.
    let latency = report.latency.p99_ns;
    if latency.is_some_and(|latency| nanos(lag) <= LAG_SHARE * nanos(latency)) {
        return None;
    }
    let latency = latency
        .map_or_else(String::new, |latency| format!(", of a latency p99 of {}", time(latency)));
    let sent = sent_per_second(report);
    let rate = match report.plan.as_ref().and_then(|plan| plan.rate) {
        Some(target) if sent < RATE_SHARE * target => {
            format!(", and sent at {} instead of {}", rate(sent), rate(target))
        }
        _ => String::new(),
    };
    Some(format!(
        "the client was late (lag p99 {}{latency}){rate}: use more --processes, or a lower --rate",
        time(lag)
    ))
}

/// Returns the rate that the load has reached. A datagram that has not returned was sent all the same.
fn sent_per_second(report: &Report) -> f64 {
    match report.datagrams {
        Some(counts) => per_second(counts.sent, report.seconds),
        None => report.rate,
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
fn nanos(nanos: u64) -> f64 {
    nanos as f64
}

#[cfg(test)]
mod tests;
