//! One report of several: of a load that was spread over machines.
//!
//! Owns what adds up and how; what one of the files does not say, the sum does not say either.

use std::{
    collections::BTreeMap,
    fs,
    ops::Add,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::load::{
    error::Failure,
    evaluate::verdict::{Verdict, judge, loss},
    report::{
        document::{ClientCpu, Datagrams, Distribution, Part, Report, VERSION},
        hlog::{self, Log},
    },
    runner::per_second,
    stats::{
        counters::{Tally, Times},
        format::plural,
    },
};

/// Reads the files and adds them up.
///
/// # Errors
///
/// [`Failure::Read`], for the first that is neither a report nor a histogram log.
pub fn run(files: &[PathBuf]) -> Result<Report, Failure> {
    let read = |path: &PathBuf| match read(path) {
        Ok(report) => Ok((path.display().to_string(), report)),
        Err(reason) => Err(Failure::Read { path: path.clone(), reason }),
    };
    Ok(merged(files.iter().map(read).collect::<Result<_, _>>()?))
}

fn read(path: &Path) -> Result<Report, String> {
    let content = fs::read(path).map_err(|error| common::reason::reason(&error))?;
    if !content.trim_ascii_start().starts_with(b"{") {
        return hlog::read(&content).map(of_log);
    }
    let Version { version } = serde_json::from_slice(&content)
        .map_err(|error| format!("it is no report of echo-client load ({error})"))?;
    if version != VERSION {
        return Err(format!(
            "it is a report of version {version}, and this program knows {VERSION}"
        ));
    }
    serde_json::from_slice(&content).map_err(|error| format!("it is no whole report ({error})"))
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What a histogram log says; it is little.
fn of_log(log: Log) -> Report {
    let seconds = log.time.as_secs_f64();
    let messages = log.latency.len();
    let mut report = Report {
        version: VERSION,
        verdict: Verdict::Unknown,
        reason: String::new(),
        stopped_early: false,
        plan: None,
        pacing: None,
        messages,
        lost: None,
        bytes_lost: None,
        drains: None,
        resent: None,
        bytes_resent: None,
        seconds,
        rate: per_second(messages, seconds),
        bytes_sent: None,
        bytes_checked: None,
        bytes_per_second: None,
        connects: None,
        latency: log.latency.into(),
        connect: log.connect.map(Distribution::from),
        lag: log.lag.map(Distribution::from),
        datagrams: None,
        errors: None,
        faults: Vec::new(),
        casualties: Vec::new(),
        client_cpu: None,
        assertions: Vec::new(),
        find_rate: None,
        parts: Vec::new(),
    };
    (report.verdict, report.reason) = judge(&report);
    report
}

/// Adds reports up; at least one, each with the name of its file.
fn merged(reports: Vec<(String, Report)>) -> Report {
    let (verdict, reason) = worst(&reports);
    let all = || reports.iter().map(|(_, report)| report);
    let seconds = all().map(|report| report.seconds).fold(0.0, f64::max);
    let messages = all().map(|report| report.messages).sum();
    let bytes = sum(all().map(|report| Some(report.bytes_per_second? * report.seconds)));
    let first = all().next();
    let pacing = first.and_then(|report| report.pacing);
    let mut latency = Times::default();
    all().for_each(|report| latency.add(&report.latency.histogram));
    Report {
        version: VERSION,
        verdict,
        reason,
        stopped_early: all().any(|report| report.stopped_early),
        plan: None,
        pacing: pacing.filter(|_| all().all(|report| report.pacing == pacing)),
        messages,
        lost: sum(all().map(|report| report.lost)),
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
        latency: latency.into(),
        connect: added(all().map(|report| report.connect.as_ref())),
        lag: added(all().map(|report| report.lag.as_ref())),
        datagrams: datagrams(all().map(|report| report.datagrams)),
        errors: all().try_fold(BTreeMap::new(), |mut errors, report| {
            for (kind, count) in report.errors.as_ref()? {
                *errors.entry(*kind).or_default() += count;
            }
            Some(errors)
        }),
        faults: with_files(
            &reports,
            |report| &report.faults,
            |file, fault| {
                let mut fault = fault.clone();
                fault.text = format!("{file}: {}", fault.text);
                fault
            },
        ),
        casualties: with_files(
            &reports,
            |report| &report.casualties,
            |file, casualty| format!("{file}: {casualty}"),
        ),
        client_cpu: cpu(all().map(|report| report.client_cpu)),
        assertions: Vec::new(),
        find_rate: None,
        parts: reports.into_iter().flat_map(|(file, report)| parts(file, report)).collect(),
    }
}

/// The worst verdict, and the reasons of those who have it.
fn worst(reports: &[(String, Report)]) -> (Verdict, String) {
    let worst = reports.iter().map(|(_, report)| report.verdict).max().unwrap_or(Verdict::Unknown);
    if worst == Verdict::Valid {
        let messages = reports.iter().map(|(_, report)| report.messages).sum();
        let came = plural(messages, "message");
        let lost = sum(reports.iter().map(|(_, report)| report.lost));
        let datagrams = datagrams(reports.iter().map(|(_, report)| report.datagrams));
        return (
            worst,
            format!(
                "every byte of {came} came back right, and no client was the limit{}",
                loss(datagrams, lost)
            ),
        );
    }
    let those = reports.iter().filter(|(_, report)| report.verdict == worst);
    let reasons: Vec<_> =
        those.map(|(file, report)| format!("{file}: {}", report.reason)).collect();
    (worst, reasons.join("; "))
}

/// The sum, if all of them are known.
fn sum<N: Add<Output = N> + Default>(numbers: impl Iterator<Item = Option<N>>) -> Option<N> {
    numbers.into_iter().try_fold(N::default(), |sum, number| Some(sum + number?))
}

fn added<'d>(all: impl Iterator<Item = Option<&'d Distribution>>) -> Option<Distribution> {
    let mut sum = Times::default();
    for distribution in all {
        sum.add(&distribution?.histogram);
    }
    Some(sum.into())
}

fn with_files<T>(
    reports: &[(String, Report)],
    list: impl Fn(&Report) -> &Vec<T>,
    with_file: impl Fn(&str, &T) -> T,
) -> Vec<T> {
    let of = |(file, report): &(String, Report)| {
        list(report).iter().map(|item| with_file(file, item)).collect::<Vec<_>>()
    };
    reports.iter().flat_map(of).take(Tally::MAX_FAULTS).collect()
}

fn datagrams(mut all: impl Iterator<Item = Option<Datagrams>>) -> Option<Datagrams> {
    let first = all.next()??;
    all.try_fold(first, |sum, one| {
        let one = one?;
        Some(Datagrams {
            sent: sum.sent + one.sent,
            late: sum.late + one.late,
            reordered: sum.reordered + one.reordered,
            duplicates: sum.duplicates + one.duplicates,
            corrupt: sum.corrupt + one.corrupt,
            strangers: sum.strangers + one.strangers,
            dropped_by_client: sum.dropped_by_client + one.dropped_by_client,
            ..sum
        })
    })
}

fn cpu(mut all: impl Iterator<Item = Option<ClientCpu>>) -> Option<ClientCpu> {
    let first = all.next()??;
    all.try_fold(first, |sum, cpu| {
        let cpu = cpu?;
        Some(ClientCpu {
            seconds: sum.seconds + cpu.seconds,
            cores: sum.cores + cpu.cores,
            busiest_process: sum.busiest_process.max(cpu.busiest_process),
            machine_cores: sum.machine_cores + cpu.machine_cores,
        })
    })
}

/// What a report has been made of: itself, or what was merged into it.
fn parts(file: String, report: Report) -> Vec<Part> {
    if !report.parts.is_empty() {
        return report.parts;
    }
    let Report { verdict, reason, messages, rate, plan, .. } = report;
    vec![Part { file, verdict, reason, messages, rate, plan }]
}

#[cfg(test)]
mod tests;
