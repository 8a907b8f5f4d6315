//! Merging of reports, of a load that ran on several machines.
//!
//! Owns the rules of the sum. A value that is unknown in one report is unknown in the sum.

mod sums;
mod time_series;

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use sums::{
    sum, sum_cpu, sum_datagrams, sum_errors, sum_faults, sum_receipts, sum_rooms, sum_tls,
    sum_websockets,
};

use super::{
    evaluate::verdict,
    report::{
        distribution::Distribution,
        document::{Part, Report},
        figures::start_figures::StartSpread,
        time_series::TimeSeries,
        verdict::Verdict,
    },
    saved_report,
    stats::{counters::Stats, fault::Fault, histogram::Histogram, rate::per_second},
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
    let mut merged = add(reports);
    if let Some(span) = merged.separate_seconds() {
        let remark = format!(
            "the loads did not run at the same time ({span:.2} s from the first to the last)"
        );
        merged.reason = format!("{}; {remark}, so the rate is not theirs", merged.reason);
    }
    merged
}

/// Adds reports, as if their loads had run at the same time.
fn add(reports: &[(String, Report)]) -> Report {
    let (verdict, reason) = worst_verdict(reports);
    let all = || reports.iter().map(|(_, report)| report);
    let seconds = all().map(|report| report.seconds).fold(0.0, f64::max);
    let messages = messages(reports);
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
        span_seconds: span_seconds(all()),
        rate: per_second(messages, seconds),
        bytes_sent: sum(all().map(|report| report.bytes_sent)),
        bytes_checked: sum(all().map(|report| report.bytes_checked)),
        bytes_per_second: bytes_per_second(all(), seconds),
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

fn bytes_per_second<'r>(reports: impl Iterator<Item = &'r Report>, seconds: f64) -> Option<f64> {
    let bytes = |report: &Report| Some(report.bytes_per_second? * report.seconds);
    let bytes = reports.map(bytes).sum::<Option<f64>>()?;
    Some(if seconds > 0.0 { bytes / seconds } else { 0.0 })
}

/// Returns the time from the begin of the first load to the end of the last one, if all are known.
fn span_seconds<'r>(reports: impl Iterator<Item = &'r Report>) -> Option<f64> {
    let times = reports.map(|report| {
        let from = begin(report)?.as_duration().as_secs_f64();
        Some((from, from + report.span_seconds.unwrap_or(report.seconds)))
    });
    let times = times.collect::<Option<Vec<_>>>()?;
    let first = times.iter().map(|(from, _)| *from).reduce(f64::min)?;
    let last = times.iter().map(|(_, to)| *to).reduce(f64::max)?;
    Some(last - first)
}

/// Returns the begin of the measured time.
fn begin(report: &Report) -> Option<Timestamp> {
    if let Some(series) = &report.series {
        return Some(series.start);
    }
    let Some(start) = &report.start else { return Some(report.starts.as_ref()?.first) };
    let warmup = Duration::try_from_secs_f64(report.plan.as_ref()?.warmup_seconds).ok()?;
    start.actual.checked_add(warmup).ok()
}

/// Returns the number of messages of all reports.
fn messages(reports: &[(String, Report)]) -> u64 {
    reports.iter().fold(0, |sum, (_, report)| sum.saturating_add(report.messages))
}

/// Returns the worst verdict, and the reasons of the reports that have it.
fn worst_verdict(reports: &[(String, Report)]) -> (Verdict, String) {
    let names: Vec<_> = reports.iter().map(|(file, report)| (&file[..], report)).collect();
    verdict::worst(&names, || {
        let room = sum_rooms(reports.iter().map(|(_, report)| report.room), 0.0);
        let lost = sum(reports.iter().map(|(_, report)| report.lost));
        let datagrams = sum_datagrams(reports.iter().map(|(_, report)| report.datagrams));
        let remark = verdict::loss(datagrams, lost) + &verdict::told(room);
        let returned = verdict::returned(messages(reports), room);
        format!("{returned}, and no client was the limit{remark}")
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
    time_series::merge(&all.collect::<Option<Vec<_>>>()?)
}

/// Collects the items of all reports, up to the maximum of one report.
fn collect<T>(reports: &[(String, Report)], items: impl Fn(&str, &Report) -> Vec<T>) -> Vec<T> {
    let all = reports.iter().flat_map(|(file, report)| items(file, report));
    all.take(Stats::MAX_FAULTS).collect()
}

/// Returns the differences in a report, with the name of its file.
fn name_faults(file: &str, report: &Report) -> Vec<Fault> {
    let text = |fault: &Fault| format!("{file}: {}", fault.text);
    report.faults.iter().map(|fault| Fault { text: text(fault), ..fault.clone() }).collect()
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
