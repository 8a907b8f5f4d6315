//! Merging of reports, of a load that ran on several machines.
//!
//! Owns the rules of the sum. A value that is unknown in one report is unknown in the sum.

use std::{collections::BTreeMap, ops::Add, path::PathBuf};

use super::{
    evaluate::verdict,
    report::{
        distribution::Distribution,
        document::{ClientCpu, Part, ReceiptFigures, Report, TlsFigures, WebSocketFigures},
        figures::{
            datagram_counts::DatagramCounts, fault_figures::FaultFigures,
            room_figures::RoomFigures, start_figures::StartSpread,
        },
        time_series::TimeSeries,
        verdict::Verdict,
    },
    saved_report,
    stats::{
        counters::Stats, error_kind::ErrorKind, fault::Fault, histogram::Histogram,
        rate::per_second,
    },
};

/// Reads the files and merges them.
///
/// # Errors
///
/// The first file that is neither a report nor a histogram log.
pub(super) fn run(files: &[PathBuf]) -> Result<Report, saved_report::Error> {
    Ok(merge(&files.iter().map(|file| saved_report::read(file)).collect::<Result<Vec<_>, _>>()?))
}

/// Merges reports, at least one, each with the name of its file.
fn merge(reports: &[(String, Report)]) -> Report {
    let (verdict, reason) = worst_verdict(reports);
    let all = || reports.iter().map(|(_, report)| report);
    let seconds = all().map(|report| report.seconds).fold(0.0, f64::max);
    let messages = all().map(|report| report.messages).sum();
    let bytes = sum(all().map(|report| Some(report.bytes_per_second? * report.seconds)));
    let pacing = all().next().and_then(|report| report.pacing);
    let parts: Vec<_> = reports.iter().flat_map(|(file, report)| parts(file, report)).collect();
    let starts: Vec<_> = parts.iter().map(|part| (&part.file[..], part.start.as_ref())).collect();
    Report {
        verdict,
        reason,
        stopped_early: all().any(|report| report.stopped_early),
        starts: StartSpread::of(&starts),
        pacing: pacing.filter(|_| all().all(|report| report.pacing == pacing)),
        messages,
        lost: sum(all().map(|report| report.lost)),
        unsent: sum(all().map(|report| report.unsent)),
        bytes_lost: sum(all().map(|report| report.bytes_lost)),
        drains: sum(all().map(|report| report.drains)),
        resent: sum(all().map(|report| report.resent)),
        bytes_resent: sum(all().map(|report| report.bytes_resent)),
        seconds,
        rate: per_second(messages, seconds),
        bytes_sent: sum(all().map(|report| report.bytes_sent)),
        bytes_checked: sum(all().map(|report| report.bytes_checked)),
        bytes_per_second: bytes.map(|bytes| if seconds > 0.0 { bytes / seconds } else { 0.0 }),
        connects: sum(all().map(|report| report.connects)),
        latency: merge_latencies(all()),
        connect: merge_distributions(all().map(|report| report.connect.as_ref())),
        tls: sum_tls(all().map(|report| report.tls.as_ref())),
        login: merge_distributions(all().map(|report| report.login.as_ref())),
        websocket: sum_websockets(all().map(|report| report.websocket.as_ref())),
        lag: merge_distributions(all().map(|report| report.lag.as_ref())),
        series: merge_series(all().map(|report| report.series.as_ref())),
        datagrams: sum_datagrams(all().map(|report| report.datagrams)),
        room: sum_rooms(all().map(|report| report.room), seconds),
        receipts: sum_receipts(all().map(|report| report.receipts)),
        errors: sum_errors(all().map(|report| report.errors.as_ref())),
        injected_faults: sum_faults(reports),
        faults: collect(reports, name_faults),
        failed_processes: collect(reports, |file, report| {
            report.failed_processes.iter().map(|process| format!("{file}: {process}")).collect()
        }),
        client_cpu: sum_cpu(all().map(|report| report.client_cpu)),
        parts,
        ..Report::unknown()
    }
}

/// Returns the worst verdict, and the reasons of the reports that have it.
fn worst_verdict(reports: &[(String, Report)]) -> (Verdict, String) {
    let worst = reports.iter().map(|(_, report)| report.verdict).max().unwrap_or(Verdict::Unknown);
    if worst == Verdict::Valid {
        let messages = reports.iter().map(|(_, report)| report.messages).sum();
        let room = sum_rooms(reports.iter().map(|(_, report)| report.room), 0.0);
        let lost = sum(reports.iter().map(|(_, report)| report.lost));
        let datagrams = sum_datagrams(reports.iter().map(|(_, report)| report.datagrams));
        let remark = verdict::loss(datagrams, lost) + &verdict::told(room);
        let returned = verdict::returned(messages, room);
        let reason = format!("{returned}, and no client was the limit{remark}");
        return (worst, reason);
    }
    let those = reports.iter().filter(|(_, report)| report.verdict == worst);
    let reasons: Vec<_> =
        those.map(|(file, report)| format!("{file}: {}", report.reason)).collect();
    (worst, reasons.join("; "))
}

/// Returns the sum, if all numbers are known.
fn sum<N: Add<Output = N> + Default>(numbers: impl Iterator<Item = Option<N>>) -> Option<N> {
    numbers.into_iter().try_fold(N::default(), |sum, number| Some(sum + number?))
}

fn sum_errors<'e>(
    mut all: impl Iterator<Item = Option<&'e BTreeMap<ErrorKind, u64>>>,
) -> Option<BTreeMap<ErrorKind, u64>> {
    all.try_fold(BTreeMap::new(), |mut sum: BTreeMap<_, u64>, errors| {
        for (kind, count) in errors? {
            *sum.entry(*kind).or_default() += count;
        }
        Some(sum)
    })
}

fn merge_latencies<'r>(all: impl Iterator<Item = &'r Report>) -> Distribution {
    let mut sum = Histogram::default();
    all.for_each(|report| sum.merge(&report.latency.histogram));
    sum.into()
}

fn merge_distributions<'d>(
    all: impl Iterator<Item = Option<&'d Distribution>>,
) -> Option<Distribution> {
    let mut sum = Histogram::default();
    for distribution in all {
        sum.merge(&distribution?.histogram);
    }
    Some(sum.into())
}

fn merge_series<'s>(all: impl Iterator<Item = Option<&'s TimeSeries>>) -> Option<TimeSeries> {
    TimeSeries::merge(&all.collect::<Option<Vec<_>>>()?)
}

/// Collects the items of all reports, up to the maximum of one report.
fn collect<T>(reports: &[(String, Report)], items: impl Fn(&str, &Report) -> Vec<T>) -> Vec<T> {
    let all = reports.iter().flat_map(|(file, report)| items(file, report));
    all.take(Stats::MAX_FAULTS).collect()
}

fn sum_datagrams(mut all: impl Iterator<Item = Option<DatagramCounts>>) -> Option<DatagramCounts> {
    let first = all.next()??;
    all.try_fold(first, |sum, counts| {
        let counts = counts?;
        Some(DatagramCounts {
            sent: sum.sent + counts.sent,
            late: sum.late + counts.late,
            reordered: sum.reordered + counts.reordered,
            duplicates: sum.duplicates + counts.duplicates,
            corrupt: sum.corrupt + counts.corrupt,
            unrecognized: sum.unrecognized + counts.unrecognized,
            dropped_by_client: sum.dropped_by_client + counts.dropped_by_client,
            ..sum
        })
    })
}

fn sum_receipts(mut all: impl Iterator<Item = Option<ReceiptFigures>>) -> Option<ReceiptFigures> {
    all.try_fold(ReceiptFigures::default(), |sum, figures| {
        let figures = figures?;
        Some(ReceiptFigures {
            compared: sum.compared + figures.compared,
            equal: sum.equal + figures.equal,
            missing: sum.missing + figures.missing,
            bytes_lost_to_server: sum
                .bytes_lost_to_server
                .saturating_add(figures.bytes_lost_to_server),
            bytes_added_to_server: sum
                .bytes_added_to_server
                .saturating_add(figures.bytes_added_to_server),
            bytes_unread_by_server: sum
                .bytes_unread_by_server
                .saturating_add(figures.bytes_unread_by_server),
            bytes_lost_back: sum.bytes_lost_back.saturating_add(figures.bytes_lost_back),
            bytes_added_back: sum.bytes_added_back.saturating_add(figures.bytes_added_back),
        })
    })
}

/// Returns the sum of the figures of several loads of a room, each with its own members.
fn sum_rooms(
    mut all: impl Iterator<Item = Option<RoomFigures>>,
    seconds: f64,
) -> Option<RoomFigures> {
    let first = all.next()??;
    let sum = all.try_fold(first, |sum, room| {
        let room = room?;
        Some(RoomFigures {
            members: sum.members + room.members,
            senders: sum.senders + room.senders,
            deliveries: sum.deliveries + room.deliveries,
            deliveries_per_second: 0.0,
            gaps: sum.gaps.saturating_add(room.gaps),
            relay_gaps: sum.relay_gaps.saturating_add(room.relay_gaps),
            missing: sum.missing.saturating_add(room.missing),
            duplicates: sum.duplicates + room.duplicates,
            order_violations: sum.order_violations + room.order_violations,
            wrong_texts: sum.wrong_texts + room.wrong_texts,
            foreign: sum.foreign + room.foreign,
        })
    })?;
    Some(RoomFigures { deliveries_per_second: per_second(sum.deliveries, seconds), ..sum })
}

fn sum_websockets<'w>(
    all: impl Iterator<Item = Option<&'w WebSocketFigures>>,
) -> Option<WebSocketFigures> {
    let (mut handshake, mut closes, mut unclosed) = (Histogram::default(), 0, 0);
    for figures in all {
        let figures = figures?;
        handshake.merge(&figures.handshake.histogram);
        closes += figures.closes;
        unclosed += figures.unclosed;
    }
    Some(WebSocketFigures { handshake: handshake.into(), closes, unclosed })
}

fn sum_tls<'t>(all: impl Iterator<Item = Option<&'t TlsFigures>>) -> Option<TlsFigures> {
    let (mut handshake, mut resumed, mut truncated) = (Histogram::default(), 0, 0);
    for tls in all {
        let tls = tls?;
        handshake.merge(&tls.handshake.histogram);
        resumed += tls.resumed;
        truncated += tls.truncated;
    }
    Some(TlsFigures { handshake: handshake.into(), resumed, truncated })
}

fn sum_cpu(mut all: impl Iterator<Item = Option<ClientCpu>>) -> Option<ClientCpu> {
    let first = all.next()??;
    all.try_fold(first, |sum, cpu| {
        let cpu = cpu?;
        Some(ClientCpu {
            seconds: sum.seconds + cpu.seconds,
            tls_seconds: sum.tls_seconds.zip(cpu.tls_seconds).map(|(one, other)| one + other),
            cores: sum.cores + cpu.cores,
            busiest_process: sum.busiest_process.max(cpu.busiest_process),
            machine_cores: sum.machine_cores + cpu.machine_cores,
        })
    })
}

/// Returns the differences in a report, with the name of its file.
fn name_faults(file: &str, report: &Report) -> Vec<Fault> {
    let text = |fault: &Fault| format!("{file}: {}", fault.text);
    report.faults.iter().map(|fault| Fault { text: text(fault), ..fault.clone() }).collect()
}

/// Returns the sum of comparisons with faults. The median and the 99th percentile of a sum are unknown: the greatest are the bound.
fn sum_faults(reports: &[(String, Report)]) -> Option<FaultFigures> {
    let mut sum = FaultFigures::default();
    for (file, report) in reports {
        sum.merge(report.injected_faults.as_ref()?, file);
    }
    Some(sum)
}

/// Returns the parts of a report: itself, or the reports that were merged into it.
fn parts(file: &str, report: &Report) -> Vec<Part> {
    if !report.parts.is_empty() {
        return report.parts.clone();
    }
    let Report { verdict, messages, rate, .. } = *report;
    let (plan, start) = (report.plan.clone(), report.start.clone());
    let (file, reason) = (file.to_owned(), report.reason.clone());
    vec![Part { file, verdict, reason, messages, rate, plan, start }]
}

#[cfg(test)]
mod tests;
