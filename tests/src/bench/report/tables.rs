//! Tables of the results: targets, ratios, values.

use std::fmt::Write as _;

use super::{table::table, targets};
use crate::{
    candidate::Candidate,
    case::{
        ACTIVE, ACTIVE_SIZE, BESIDE_FLOOD_RATE, DATAGRAM_SIZE, Kind, MEMBERS, ROOM_DEPTH,
        ROOM_SIZE, Room, SENDERS,
    },
    metric::Metric,
    results::{CaseResults, Summary},
};

/// Metrics with a table of ratios, and the heading of each.
const RATIOS: [(Metric, &str); 4] = [
    (Metric::Rate, "Throughput (more is better)"),
    (Metric::Cpu, "Server CPU per message (less is better)"),
    (Metric::P99, "p99 of the round trip (less is better)"),
    (Metric::Peak, "Peak memory (less is better)"),
];

/// Metrics whose range is in the tables. The range of the others is in the JSON.
const WITH_RANGE: [Metric; 3] = [Metric::Rate, Metric::Cpu, Metric::P99];

/// Returns all tables: targets, ratios, values.
pub(crate) fn tables(results: &[CaseResults]) -> String {
    let mut text = String::from("## Targets\n\n");
    text.push_str(&target_table(results));
    let (tls, others): (Vec<_>, Vec<_>) = results.iter().partition(|case| case.case.kind.is_tls());
    let (rooms, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|case| case.case.kind.is_room());
    let (udp, plain): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|case| case.case.kind.is_udp());
    for (heading, results) in [
        ("Ratios to the floor", plain),
        ("UDP: ratios to the floor", udp),
        ("Rooms: ratios to the floor", rooms),
        ("TLS: ratios to the floor", tls),
    ] {
        if !results.is_empty() {
            let _ = write!(text, "\n## {heading}\n\nMedian (minimum–maximum) of the rounds.\n");
        }
        for (metric, what) in RATIOS {
            if results.iter().any(|case| case.has(metric)) {
                let _ = write!(text, "\n### {what}\n\n{}", ratios(&results, metric));
            }
        }
    }
    text.push_str("\n## Values\n\nMedians of the rounds, in part with (minimum–maximum).\n");
    for case in results {
        let _ = write!(text, "\n### {}\n\n{}", heading(case), values(case));
        for (candidate, why) in &case.failures {
            let _ = write!(text, "\n{} failed: {why}\n", candidate.title());
        }
    }
    text
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
fn ratios(results: &[&CaseResults], metric: Metric) -> String {
    let mut candidates: Vec<Candidate> =
        results.iter().flat_map(|case| case.candidates()).collect();
    candidates.sort_unstable();
    candidates.dedup();
    candidates.retain(|&candidate| candidate != Candidate::Floor);
    let head = ["case"].into_iter().chain(candidates.iter().map(|candidate| candidate.title()));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for case in results.iter().filter(|case| case.has(metric)) {
        let cells = candidates
            .iter()
            .map(|&candidate| case.ratio(candidate, metric).map_or("–".into(), with_range));
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
    for candidate in case.candidates() {
        let cells = metrics.iter().map(|&metric| match case.summary(candidate, metric) {
            None => "–".into(),
            Some(summary) if WITH_RANGE.contains(&metric) => format!(
                "{} ({}–{})",
                metric.show(summary.median),
                metric.show(summary.min),
                metric.show(summary.max)
            ),
            Some(summary) => metric.show(summary.median),
        });
        rows.push([candidate.title().to_owned()].into_iter().chain(cells).collect());
    }
    table(&rows)
}

fn heading(case: &CaseResults) -> String {
    match case.case.kind {
        Kind::Echo { connections, size, depth } => {
            format!("{} x {size} bytes, depth {depth}", plural(connections, "connection"))
        }
        Kind::OpenLoop { percent } => {
            format!(
                "{ACTIVE} connections x {ACTIVE_SIZE} bytes on schedule, at {percent} % of the rate of the saturated floor"
            )
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
        Kind::WebSocket { connections, size } => {
            format!("WebSocket: {connections} connections x messages of {size} bytes, depth 1")
        }
        Kind::WebSocketIdle => "WebSocket: idle connections".into(),
        Kind::Http { connections, size } => {
            format!(
                "HTTP: {connections} connections x requests with a body of {size} bytes, depth 1"
            )
        }
        Kind::Datagrams { sockets, depth } => {
            let sockets = plural(sockets, "socket");
            format!("UDP: {sockets} x datagrams of {DATAGRAM_SIZE} bytes, depth {depth}")
        }
        Kind::Room(room) => room_heading(room),
        Kind::TlsEcho { connections, size } => {
            format!("TLS: {connections} connections x {size} bytes, depth 1")
        }
        Kind::TlsHandshakes { connections, resume } => {
            let kind = if resume { "resumed" } else { "full" };
            format!(
                "TLS: {connections} connections that each make a {kind} handshake and echo 64 bytes"
            )
        }
        Kind::TlsIdle => "TLS: idle connections".into(),
        Kind::TlsFlood => format!(
            "TLS: {ACTIVE} connections with {BESIDE_FLOOD_RATE} messages per second beside a flood of full handshakes"
        ),
    }
}

fn room_heading(Room { lines, rate }: Room) -> String {
    let form = if lines { ", in lines" } else { "" };
    let load = match rate {
        Some(rate) => format!("{rate} messages per second"),
        None => format!("{ROOM_DEPTH} messages in flight of each sender"),
    };
    format!("Room: {SENDERS} of {MEMBERS} members send texts of {ROOM_SIZE} bytes, {load}{form}")
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
