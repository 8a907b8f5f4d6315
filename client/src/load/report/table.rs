//! A report as people read it on a terminal.
//!
//! Must not know how the figures came about.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::load::{
    report::{
        document::{Curve, Datagrams, Distribution, Pacing, Report},
        load_spec::Asked,
    },
    stats::{
        counters::Times,
        format::{bytes_per_second, count, percent, plural, rate, share, time},
    },
};

/// The widest bar of the histogram, in characters.
const BAR: f64 = 40.0;

/// The report, but for its last lines: the [`closing`].
#[must_use]
pub fn show(report: &Report) -> String {
    let mut text = String::new();
    if let Some(asked) = &report.plan {
        let _ = writeln!(text, "{}\n", headline(asked));
    }
    for part in &report.parts {
        let _ =
            writeln!(text, "{}: {}, {}", part.file, part.verdict, plural(part.messages, "message"));
    }
    if !report.parts.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}\n", figures(report).trim_fmt());
    let _ = writeln!(text, "{}\n", times(report).trim_fmt());
    if !report.latency.histogram.is_empty() {
        let _ = writeln!(text, "{}\n", bars(&report.latency.histogram).trim_fmt());
    }
    if let Some(curve) = &report.find_rate {
        let _ = writeln!(text, "Rates for {}:\n{}\n", curve.condition, steps_of(curve).trim_fmt());
    }
    for fault in &report.faults {
        let _ = writeln!(text, "Wrong bytes: {}", fault.text);
    }
    for casualty in &report.casualties {
        let _ = writeln!(text, "Lost of the client: {casualty}");
    }
    if !report.faults.is_empty() || !report.casualties.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", pacing(report.pacing));
    if report.stopped_early {
        text.push_str("Stopped early: the figures are of what was done until then.\n");
    }
    text.push('\n');
    text
}

/// The assertions and the verdict.
#[must_use]
pub fn closing(report: &Report) -> String {
    let mut text = String::new();
    for judged in &report.assertions {
        let holds = if judged.holds { "holds" } else { "does not hold" };
        let _ = writeln!(text, "Assertion {} {holds}: {}", judged.assertion, judged.figure);
    }
    let _ = writeln!(text, "{}: {}", report.verdict, report.reason);
    text
}

fn headline(asked: &Asked) -> String {
    let Asked { server, min_size, max_size, seed, .. } = asked;
    let processes = plural(asked.processes.into(), "process");
    let is_udp = server.starts_with("udp:");
    let connections =
        plural(asked.connections.into(), if is_udp { "socket" } else { "connection" });
    let messages = if is_udp { "datagrams" } else { "messages" };
    let size = match (min_size, max_size) {
        (1, 1) => "1 byte".to_owned(),
        (min, max) if min == max => format!("{min} bytes"),
        (min, max) => format!("{min} to {max} bytes"),
    };
    let pace = match (asked.rate, asked.pipeline) {
        (Some(per_second), _) => format!("open loop at {}", rate(per_second)),
        (None, depth) => format!("closed loop, depth {}", depth.unwrap_or(1)),
    };
    let churn = asked
        .churn
        .map_or_else(String::new, |churn| format!(", anew after {}", plural(churn, "message")));
    format!(
        "{server}: {processes} of {connections}{churn}, {messages} of {size}, {pace}, seed {seed}"
    )
}

fn figures(report: &Report) -> Table {
    let unknown = || "unknown".to_owned();
    let mut rows = vec![("messages", count(report.messages))];
    match (&report.datagrams, report.lost) {
        (Some(of), Some(lost)) => rows.extend(datagrams(of, lost)),
        (_, lost) => rows.push(("lost", lost.map_or_else(unknown, count))),
    }
    rows.extend([
        ("errors", errors(report)),
        ("rate", rate(report.rate)),
        (
            "bytes/s",
            report
                .bytes_per_second
                .map_or_else(unknown, |each| format!("{} each way", bytes_per_second(each))),
        ),
        ("measured", format!("{:.2} s", report.seconds)),
        (
            if report.datagrams.is_some() { "sockets" } else { "connections made" },
            report.connects.map_or_else(unknown, count),
        ),
    ]);
    if report.plan.as_ref().is_some_and(|plan| plan.expect_restart) || report.drains > Some(0) {
        let drains = report.drains.map_or_else(unknown, |drains| plural(drains, "connection"));
        let resent = report.resent.map_or_else(unknown, |resent| plural(resent, "message"));
        let bytes = report.bytes_resent.map_or_else(unknown, |bytes| plural(bytes, "byte"));
        rows.push(("drained", format!("{drains}, made anew")));
        rows.push(("sent again", format!("{resent}, of which {bytes} crossed an end")));
        rows.push(("bytes lost", report.bytes_lost.map_or_else(unknown, count)));
    }
    rows.push((
        "client CPU",
        report.client_cpu.map_or_else(unknown, |cpu| {
            let busiest = percent(cpu.busiest_process);
            format!(
                "{:.2} of {} cores; busiest process {busiest} of a core",
                cpu.cores, cpu.machine_cores
            )
        }),
    ));
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    table
}

fn datagrams(of: &Datagrams, lost: u64) -> Vec<(&'static str, String)> {
    let of_sent = |part| match part {
        0 => "0".to_owned(),
        part => format!("{} ({})", count(part), share(part, of.sent)),
    };
    let mut rows = vec![
        ("sent", count(of.sent)),
        ("lost", of_sent(lost)),
        ("late", of_sent(of.late)),
        ("reordered", of_sent(of.reordered)),
        ("duplicates", of_sent(of.duplicates)),
        ("corrupt", of_sent(of.corrupt)),
        ("strangers", count(of.strangers)),
    ];
    if of.dropped_by_client > 0 {
        rows.push(("dropped here", count(of.dropped_by_client)));
    }
    rows
}

fn errors(report: &Report) -> String {
    let Some(errors) = &report.errors else { return "unknown".to_owned() };
    let kinds: Vec<_> =
        errors.iter().map(|(kind, of_kind)| format!("{} {kind}", count(*of_kind))).collect();
    if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") }
}

fn times(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "min", "mean", "p50", "p90", "p99", "p99.9", "max"]);
    let rows = [
        ("latency", Some(&report.latency)),
        ("connect", report.connect.as_ref()),
        ("schedule lag", report.lag.as_ref()),
    ];
    for (name, distribution) in rows {
        if let Some(distribution) = distribution {
            table.add_row([vec![name.to_owned()], row(distribution)].concat());
        }
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(of: &Distribution) -> Vec<String> {
    [of.min_ns, of.mean_ns, of.p50_ns, of.p90_ns, of.p99_ns, of.p99_9_ns, of.max_ns]
        .map(maybe_time)
        .to_vec()
}

fn maybe_time(nanos: Option<u64>) -> String {
    nanos.map_or_else(|| "-".to_owned(), time)
}

fn steps_of(curve: &Curve) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["rate", "achieved", "p50", "p99", "max", "verdict", ""]);
    for step in &curve.steps {
        let [p50, p99, max] = [step.p50_ns, step.p99_ns, step.max_ns].map(maybe_time);
        let remark =
            if step.holds { "holds".to_owned() } else { format!("does not hold: {}", step.remark) };
        let verdict = step.verdict.to_string();
        table.add_row([rate(step.asked), rate(step.achieved), p50, p99, max, verdict, remark]);
    }
    for column in table.column_iter_mut().take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// How many messages took how long: a bar for each 1-2-5 step.
fn bars(times: &Times) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let histogram = times.histogram();
    let shortest = nanos(times.min());
    let longest = nanos(times.max());
    let mut from = 0;
    for to in steps() {
        if to > shortest {
            let part = part(histogram.count_between(from, to - 1), times.len());
            let bar = "#".repeat(length(part));
            table.add_row([format!("< {}", time(to)), percent(part), bar]);
        }
        from = to;
        if to > longest {
            break;
        }
    }
    for column in table.column_iter_mut().take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// 1, 2, 5, 10, 20, 50 and so on: nanoseconds, to a thousand hours.
fn steps() -> impl Iterator<Item = u64> {
    (0..16).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power)))
}

fn pacing(pacing: Option<Pacing>) -> &'static str {
    match pacing {
        Some(Pacing::ClosedLoop) => {
            "Closed loop: latency is from the send. A pause of the server stops the sending too, so the\n\
             percentiles understate what its users would see; --rate does not."
        }
        Some(Pacing::OpenLoop) => {
            "Open loop: latency is from the moment at which each message was due; coordinated omission is\n\
             corrected."
        }
        None => "Whether it was an open or a closed loop is unknown, or it was both.",
    }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown to three digits")]
fn part(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to the width of a bar"
)]
fn length(part: f64) -> usize {
    (part * BAR).ceil() as usize
}
