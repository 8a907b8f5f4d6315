//! The report: tables that read well on a screen and as Markdown, ratios first.

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

/// How it was measured.
pub(crate) struct Method {
    pub rounds: usize,
    pub foreign_rounds: usize,
    pub duration: Duration,
    pub threads: usize,
    pub machine: Machine,
}

/// What ratios are shown of, and what is good.
const RATIOS: [(Metric, &str); 4] = [
    (Metric::Rate, "Throughput (more is better)"),
    (Metric::Cpu, "Server CPU per message (less is better)"),
    (Metric::P99, "p99 of the round trip (less is better)"),
    (Metric::Peak, "Peak memory (less is better)"),
];

/// Figures whose spread is shown, too; that of the others is in the JSON.
const SPREAD: [Metric; 3] = [Metric::Rate, Metric::Cpu, Metric::P99];

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

/// All tables: ratios, then figures.
pub(crate) fn tables(results: &[CaseResults]) -> String {
    let mut text = String::from("## What is aimed at\n\n");
    text.push_str(&aims(results));
    text.push_str("\n## Ratios to the floor\n\nMedian (least–most) of the rounds.\n");
    for (metric, what) in RATIOS {
        let _ = write!(text, "\n### {what}\n\n{}", ratios(results, metric));
    }
    text.push_str("\n## Figures\n\nMedians of the rounds; where there is a bracket, least–most.\n");
    for case in results {
        let _ = write!(text, "\n### {}\n\n{}", heading(case), figures(case));
        for (peer, why) in &case.failures {
            let _ = write!(text, "\n{} failed: {why}\n", peer.title());
        }
    }
    text
}

/// What `BENCHMARKS.md` holds.
pub(crate) fn markdown(results: &[CaseResults], method: &Method, chart: Option<&Path>) -> String {
    let Method { rounds, foreign_rounds, duration, threads, machine } = method;
    let chart = chart.map_or_else(String::new, |path| {
        format!("![Throughput and CPU per message as ratios to the floor]({})\n\n", path.display())
    });
    let others: Vec<Summary> = results
        .iter()
        .flat_map(|case| case.peers().filter_map(|peer| case.summary(peer, Metric::Others)))
        .collect();
    let others = Summary::of(others.iter().map(|summary| summary.most))
        .map_or_else(String::new, |most| {
            format!(
                "- *Others*: what the machine was busy with besides server and load, as a share of all \
                 cores: the kernel's own threads, the log's way to the disk, other processes. {:.1} % \
                 in the worst run of all, {:.1} % in the middle one of each server's worst.\n",
                most.most, most.median
            )
        });
    format!(
        "# Benchmarks

What `echo-server` costs, next to the least that an echo server can cost. `make bench` writes this page,
[the figures](docs/benchmarks.json) and the chart; `make bench-quick` prints a smaller one in less than
three minutes.

{chart}The *floor* is a bare epoll loop, as many threads as we have workers: `recv`, `send`, and nothing else.
Ours is the release build with what it always does: limits, accounting, the text protocol; once with
`--log-messages off`, and once as it is by default, with two records for every message in a file. The
benchmark counts those in the file after each such run, and fails if they are fewer than two for every
message of warm-up and measurement, or if the log says that it has lost any.

{}
## How it was measured

- Server and load are two processes on one machine, over loopback. The load is one thread that checks
  nothing (`bare-load`), so that it takes as little as possible of what the server could use. *50
  processes* is so many loads of one connection each, told to begin one after the other: their rates
  are added, and as they do not begin and end together that is a little more than the server's.
- Each run starts its server anew, makes all connections, warms up for 0.2 s (50 processes: not), and
  measures {:.1} s.
- The floor waits in `send` for a peer that takes nothing for the moment, which happens only with 1 MB
  messages and streams: it is the simplest loop, not the best one.
- Interleaved: in each of {rounds} rounds every server has its turn ({foreign_rounds} rounds for socat, ncat and Python), in
  an order that rotates. Ratios are taken within a round, and the median of them is shown.
- Before a run it waits until the machine has nothing else to do, as long as its patience lasts.
- *CPU per message* is the server's own user and system time by the kernel's accounts, before and after,
  divided by the messages that returned. How it divides into user and system is known to 10 ms in all.
- *p50, p99, p99.9*: round trips as the load sees them, every message, at depth 1 (churn: from before the
  connect to the last byte). It sends the next message when one has returned (a closed loop), so with
  many connections they say how long the queue is, and not how long a user would wait at some rate.
- *Peak memory* is the server's high-water mark (`VmHWM`), of all its processes.
{others}- tokio: multi-thread runtime, as many threads as we have workers, a task and a buffer of 64 KB for each
  connection. Threads: one for each connection, with a buffer of 64 KB. Python: one thread for each client,
  `recv(1024)`, two lines in a log file for each message, as in the original.

## On what machine

| | |
|---|---|
| processor | {} |
| cores | {} |
| kernel | {} |
| compiler | {} |
| source | {} |
| descriptor limit | {} |
| workers | {threads} |
| busy before the run | {:.0} % |
",
        tables(results),
        duration.as_secs_f64(),
        machine.processor,
        machine.cores,
        machine.kernel,
        machine.compiler,
        machine.commit,
        machine.descriptors,
        machine.busy_percent,
    )
}

fn aims(results: &[CaseResults]) -> String {
    let mut rows = vec![["aim", "asked", "measured", "met"].map(str::to_owned).to_vec()];
    rows.extend(targets::of(results).into_iter().map(|target| {
        let met = if target.is_met { "yes" } else { "**no**" };
        vec![target.what, target.asked, target.got, met.to_owned()]
    }));
    table(&rows)
}

/// Cases down, servers across.
fn ratios(results: &[CaseResults], metric: Metric) -> String {
    let mut peers: Vec<Peer> = results.iter().flat_map(CaseResults::peers).collect();
    peers.sort_unstable();
    peers.dedup();
    peers.retain(|&peer| peer != Peer::Floor);
    let head = ["case"].into_iter().chain(peers.iter().map(|peer| peer.title()));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for case in results.iter().filter(|case| case.has(metric)) {
        let cells = peers.iter().map(|&peer| case.ratio(peer, metric).map_or("–".into(), spread));
        rows.push([case.case.title.to_owned()].into_iter().chain(cells).collect());
    }
    table(&rows)
}

fn spread(ratio: Summary) -> String {
    format!("**{:.2}** ({:.2}–{:.2})", ratio.median, ratio.least, ratio.most)
}

/// Servers down, metrics across.
fn figures(case: &CaseResults) -> String {
    let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(|&metric| case.has(metric)).collect();
    let head = ["server"].into_iter().chain(metrics.iter().map(|metric| metric.heading()));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for peer in case.peers() {
        let cells = metrics.iter().map(|&metric| match case.summary(peer, metric) {
            None => "–".into(),
            Some(summary) if SPREAD.contains(&metric) => format!(
                "{} ({}–{})",
                metric.show(summary.median),
                metric.show(summary.least),
                metric.show(summary.most)
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
            format!("Churn: {connections} at once that connect, echo {size} bytes, close")
        }
        Kind::Idle => "Idle: 50 active connections beside silent ones".into(),
        Kind::Fairness => {
            "Fairness: 50 interactive connections beside one stream of 1 MB writes a worker".into()
        }
    }
}

/// A Markdown table whose columns line up.
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
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table(&[row(["case", "µ"]), row(["a", "12"])]),
            "| case |  µ |\n|------|---:|\n| a    | 12 |\n"
        );
    }
}
