//! The report: Markdown tables, ratios first.

use std::{fmt::Write as _, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    case::{ACTIVE_SIZE, Kind},
    machine::Machine,
    metric::Metric,
    peer::Peer,
    results::{CaseResults, Summary},
    targets,
};

/// Parameters of the measurement.
pub(crate) struct Method {
    pub rounds: usize,
    pub foreign_rounds: usize,
    pub duration: Duration,
    pub threads: usize,
    pub machine: Machine,
}

/// Metrics with a table of ratios, and the heading of each.
const RATIOS: [(Metric, &str); 4] = [
    (Metric::Rate, "Throughput (more is better)"),
    (Metric::Cpu, "Server CPU per message (less is better)"),
    (Metric::P99, "p99 of the round trip (less is better)"),
    (Metric::Peak, "Peak memory (less is better)"),
];

/// Metrics whose range is in the tables. The range of the others is in the JSON.
const WITH_RANGE: [Metric; 3] = [Metric::Rate, Metric::Cpu, Metric::P99];

impl Method {
    pub(crate) fn json(&self) -> Value {
        json!({
            "rounds": self.rounds,
            "rounds_of_foreign_servers": self.foreign_rounds,
            "seconds": self.duration.as_secs_f64(),
            "server_threads": self.threads,
            "machine": self.machine.json(),
        })
    }
}

/// Returns all tables: targets, ratios, values.
pub(crate) fn tables(results: &[CaseResults]) -> String {
    let mut text = String::from("## Targets\n\n");
    text.push_str(&target_table(results));
    text.push_str("\n## Ratios to the floor\n\nMedian (minimum–maximum) of the rounds.\n");
    for (metric, what) in RATIOS {
        let _ = write!(text, "\n### {what}\n\n{}", ratios(results, metric));
    }
    text.push_str("\n## Values\n\nMedians of the rounds, in part with (minimum–maximum).\n");
    for case in results {
        let _ = write!(text, "\n### {}\n\n{}", heading(case), values(case));
        for (peer, why) in &case.failures {
            let _ = write!(text, "\n{} failed: {why}\n", peer.title());
        }
    }
    text
}

/// Returns the text of `BENCHMARKS.md`: the template with its placeholders replaced.
pub(crate) fn markdown(results: &[CaseResults], method: &Method, chart: Option<&Path>) -> String {
    let machine = &method.machine;
    let chart = chart.map_or_else(String::new, |path| {
        format!("![Throughput and CPU per message as ratios to the floor]({})\n\n", path.display())
    });
    let values = [
        ("chart", chart),
        ("tables", tables(results)),
        ("seconds", format!("{:.1}", method.duration.as_secs_f64())),
        ("rounds", method.rounds.to_string()),
        ("foreign_rounds", method.foreign_rounds.to_string()),
        ("others", others(results)),
        ("processor", machine.processor.clone()),
        ("cores", machine.cores.to_string()),
        ("kernel", machine.kernel.clone()),
        ("compiler", machine.compiler.clone()),
        ("source", machine.commit.clone()),
        ("descriptors", machine.descriptors.to_string()),
        ("threads", method.threads.to_string()),
        ("busy", format!("{:.0}", machine.busy_percent)),
    ];
    let template = include_str!("benchmarks.md").to_owned();
    values
        .iter()
        .fold(template, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// Describes the share of other processes, if it was measured.
fn others(results: &[CaseResults]) -> String {
    let of_servers = results
        .iter()
        .flat_map(|case| case.peers().filter_map(|peer| case.summary(peer, Metric::Others)));
    let Some(worst) = Summary::of(of_servers.map(|summary| summary.max)) else {
        return String::new();
    };
    format!(
        "- *Others* is the time of everything except server and load, as a share of all cores: threads of the kernel,\n  \
         writes of the log to the disk, other processes. {:.1} % in the worst run, {:.1} % in the median of the worst\n  \
         runs of each server.\n",
        worst.max, worst.median
    )
}

fn target_table(results: &[CaseResults]) -> String {
    let mut rows = vec![["target", "bound", "measured", "met"].map(str::to_owned).to_vec()];
    rows.extend(targets::of(results).into_iter().map(|target| {
        let met = if target.is_met { "yes" } else { "**no**" };
        vec![target.what, target.bound, target.measured, met.to_owned()]
    }));
    table(&rows)
}

/// Returns a table with a row per case and a column per server.
fn ratios(results: &[CaseResults], metric: Metric) -> String {
    let mut peers: Vec<Peer> = results.iter().flat_map(CaseResults::peers).collect();
    peers.sort_unstable();
    peers.dedup();
    peers.retain(|&peer| peer != Peer::Floor);
    let head = ["case"].into_iter().chain(peers.iter().map(|peer| peer.title()));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for case in results.iter().filter(|case| case.has(metric)) {
        let cells =
            peers.iter().map(|&peer| case.ratio(peer, metric).map_or("–".into(), with_range));
        rows.push([case.case.title.to_owned()].into_iter().chain(cells).collect());
    }
    table(&rows)
}

fn with_range(ratio: Summary) -> String {
    format!("**{:.2}** ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max)
}

/// Returns a table with a row per server and a column per metric.
fn values(case: &CaseResults) -> String {
    let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(|&metric| case.has(metric)).collect();
    let head = ["server"].into_iter().chain(metrics.iter().map(|metric| metric.heading()));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for peer in case.peers() {
        let cells = metrics.iter().map(|&metric| match case.summary(peer, metric) {
            None => "–".into(),
            Some(summary) if WITH_RANGE.contains(&metric) => format!(
                "{} ({}–{})",
                metric.show(summary.median),
                metric.show(summary.min),
                metric.show(summary.max)
            ),
            Some(summary) => metric.show(summary.median),
        });
        rows.push([peer.title().to_owned()].into_iter().chain(cells).collect());
    }
    table(&rows)
}

fn heading(case: &CaseResults) -> String {
    match case.case.kind {
        Kind::Echo { connections, size, depth } => {
            let plural = if connections == 1 { "" } else { "s" };
            format!("{connections} connection{plural} x {size} bytes, depth {depth}")
        }
        Kind::Processes(processes) => {
            format!("{processes} processes of 1 connection x {ACTIVE_SIZE} bytes, depth 1")
        }
        Kind::Churn { connections, size } => {
            format!("Churn: {connections} connections that each echo {size} bytes and close")
        }
        Kind::Idle => "Idle: 50 active connections beside idle ones".into(),
        Kind::Fairness => {
            "Fairness: 50 interactive connections beside one stream of 1 MB writes per worker"
                .into()
        }
    }
}

/// Returns a Markdown table with aligned columns.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column == 0 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let end = if column == 0 { '-' } else { ':' };
                let _ = write!(text, "|{}{end}", "-".repeat(width + 1));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_no_other_placeholders() {
        let machine = Machine {
            processor: "p".into(),
            cores: 2,
            kernel: "k".into(),
            compiler: "c".into(),
            commit: "s".into(),
            descriptors: 1,
            busy_percent: 0.0,
        };
        let (duration, threads) = (Duration::from_secs(1), 2);
        let method = Method { rounds: 7, foreign_rounds: 2, duration, threads, machine };
        let text = markdown(&[], &method, None);
        assert!(!text.contains("{{") && text.contains("Each of 7 rounds"), "{text}");
    }

    #[test]
    fn columns_are_aligned() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table(&[row(["case", "µ"]), row(["a", "12"])]),
            "| case |  µ |\n|------|---:|\n| a    | 12 |\n"
        );
    }
}
