//! Figures of a report as rows of text, for the table on the terminal and for the page.

use common::escape::Escaped;

use super::{
    distribution::Distribution,
    document::{Pacing, ReceiptFigures, Report},
    figures::{
        datagram_counts::DatagramCounts, fault_figures::FaultFigures, room_figures::RoomFigures,
    },
    load_spec::LoadSpec,
    rate_curve::{RateCurve, RateStep},
};
use crate::load::stats::{
    fault::FaultKind,
    format::{bytes_per_second, count, percent, plural, rate, share, time},
};

/// Name of a figure, empty if it belongs to the row before, and its value.
pub(crate) type Row = (&'static str, String);

/// Returns the specification of a load as a line.
pub(super) fn headline(spec: &LoadSpec) -> String {
    let LoadSpec { server, min_size, max_size, seed, .. } = spec;
    let processes = plural(spec.processes.into(), "process");
    let is_udp = server.starts_with("udp:");
    let noun = match &spec.room {
        Some(_) => "member",
        None if is_udp => "socket",
        None => "connection",
    };
    let connections = plural(spec.connections.into(), noun);
    let messages = if is_udp { "datagrams" } else { "messages" };
    let size = match (min_size, max_size) {
        (1, 1) => "1 byte".to_owned(),
        (min, max) if min == max => format!("{min} bytes"),
        (min, max) => format!("{min} to {max} bytes"),
    };
    let pace = match (spec.rate, spec.pipeline) {
        (Some(per_second), _) => format!("open loop at {}", rate(per_second)),
        (None, depth) => format!("closed loop, depth {}", depth.unwrap_or(1)),
    };
    let churn = spec
        .churn
        .map_or_else(String::new, |churn| format!(", replaced after {}", plural(churn, "message")));
    let server = Escaped(server.as_bytes());
    format!(
        "{server}: {processes} of {connections}{churn}, {messages} of {size}, {pace}, seed {seed}"
    )
}

/// Returns the settings of a load, each with its name.
pub(crate) fn settings(plan: &LoadSpec, pacing: Option<Pacing>) -> Vec<Row> {
    let seconds = |seconds: f64| format!("{seconds} s");
    let size = if plan.min_size == plan.max_size {
        plural(plan.min_size.into(), "byte")
    } else {
        format!("{} to {} bytes", count(plan.min_size.into()), count(plan.max_size.into()))
    };
    let pace = match (plan.rate, plan.pipeline) {
        (Some(due), _) => format!("open loop at {}", rate(due)),
        (None, Some(depth)) => format!("closed loop, depth {depth}"),
        (None, None) => match pacing {
            Some(Pacing::OpenLoop) => "open loop".to_owned(),
            _ => "closed loop".to_owned(),
        },
    };
    let mut rows = vec![
        ("server", plan.server.clone()),
        ("pace", pace),
        ("processes", count(plan.processes.into())),
        ("connections", format!("{} each process", count(plan.connections.into()))),
        ("size", size),
    ];
    rows.extend(plan.duration_seconds.map(|time| ("duration", seconds(time))));
    rows.extend(plan.messages.map(|number| ("messages", format!("{} each", count(number)))));
    rows.push(("warm-up", seconds(plan.warmup_seconds)));
    rows.push(("timeout", seconds(plan.timeout_seconds)));
    rows.extend(plan.churn.map(|number| ("churn", format!("after {}", plural(number, "message")))));
    if plan.expect_restart {
        rows.push(("restart", "expected".to_owned()));
    }
    if let Some(room) = &plan.room {
        let name = room.name.as_deref().unwrap_or("chosen by the server");
        rows.push(("room", name.to_owned()));
        rows.push(("senders", count(room.senders.into())));
    }
    rows.push(("seed", plan.seed.to_string()));
    rows
}

/// Returns the figures of a report.
pub(super) fn figures(report: &Report) -> Vec<Row> {
    let mut rows = vec![("messages", count(report.messages))];
    match (&report.datagrams, report.lost) {
        (Some(counts), Some(lost)) => rows.extend(datagrams(counts, lost)),
        (_, lost) => rows.push(("lost", or_unknown(lost, count))),
    }
    if let Some(unsent @ 1..) = report.unsent {
        rows.push(("not sent", count(unsent)));
    }
    if let Some(room) = &report.room {
        rows.extend(deliveries(room));
    }
    rows.extend(report.receipts.iter().flat_map(compared));
    rows.extend(report.injected_faults.iter().flat_map(injected));
    let way = match (&report.room, &report.datagrams) {
        (Some(_), _) => "delivered",
        // Those that were lost are not counted.
        (None, Some(_)) => "received",
        (None, None) => "each way",
    };
    let connects = if report.datagrams.is_some() { "sockets" } else { "connections made" };
    rows.extend([
        ("errors", errors(report)),
        ("rate", rate(report.rate)),
        (
            "bytes/s",
            or_unknown(report.bytes_per_second, |it| format!("{} {way}", bytes_per_second(it))),
        ),
        ("measured", format!("{:.2} s", report.seconds)),
    ]);
    rows.extend(separate(report));
    rows.push((connects, or_unknown(report.connects, count)));
    rows.extend(layers(report));
    if report.plan.as_ref().is_some_and(|plan| plan.expect_restart) || report.drains > Some(0) {
        rows.extend(restarts(report));
    }
    let cpu = or_unknown(report.client_cpu, |cpu| {
        let busiest = percent(cpu.busiest_process);
        let tls = cpu.tls_share().map(|share| format!(", {} of it for TLS", percent(share)));
        format!(
            "{:.2} of {} cores{}; busiest process {busiest} of a core",
            cpu.cores,
            cpu.machine_cores,
            tls.unwrap_or_default()
        )
    });
    rows.push(("client CPU", cpu));
    rows.extend(starts(report));
    rows
}

/// Returns the first differences between what was sent and what returned, each with its kind.
pub(super) fn differences(report: &Report) -> impl Iterator<Item = (&'static str, &str)> {
    report.faults.iter().map(|fault| {
        let what = match fault.kind {
            FaultKind::Boundary => "Wrong boundary",
            FaultKind::Type => "Wrong type",
            _ if report.room.is_some() => "Wrong delivery",
            _ => "Wrong bytes",
        };
        (what, &fault.text[..])
    })
}

/// Returns the first disagreements with a fault log.
pub(super) fn disagreements(report: &Report) -> impl Iterator<Item = String> {
    let all = report.injected_faults.iter().flat_map(|faults| &faults.first_disagreements);
    all.map(|it| {
        let number = match (it.seed, it.connection) {
            (Some(seed), Some(connection)) => format!(" (seed {seed}, number {connection})"),
            _ => String::new(),
        };
        format!("connection {}{number}: {}", it.peer, it.text)
    })
}

/// Names of the columns of [`percentiles`].
pub(super) const STATISTICS: [&str; 7] = ["min", "mean", "p50", "p90", "p99", "p99.9", "max"];

/// Returns the [`STATISTICS`] of each distribution of a report.
pub(super) fn percentiles(report: &Report) -> Vec<(&'static str, [String; 7])> {
    let distributions = [
        ("latency", Some(&report.latency)),
        ("connect", report.connect.as_ref()),
        ("handshake", report.tls.as_ref().map(|tls| &tls.handshake)),
        ("login", report.login.as_ref()),
        ("ws-handshake", report.websocket.as_ref().map(|it| &it.handshake)),
        ("schedule lag", report.lag.as_ref()),
    ];
    let known = distributions.into_iter().filter_map(|(name, it)| Some((name, times(it?))));
    known.collect()
}

fn times(of: &Distribution) -> [String; 7] {
    [of.min_ns, of.mean_ns, of.p50_ns, of.p90_ns, of.p99_ns, of.p99_9_ns, of.max_ns]
        .map(time_or_dash)
}

/// Returns a time, or a dash if it is unknown.
pub(super) fn time_or_dash(nanos: Option<u64>) -> String {
    nanos.map_or_else(|| "-".to_owned(), time)
}

/// Names of the columns of [`rate_steps`].
pub(super) const STEP: [&str; 7] = ["rate", "achieved", "p50", "p99", "max", "verdict", ""];

/// Returns the steps of a search, ordered by rate.
pub(super) fn rate_steps(curve: &RateCurve) -> Vec<[String; 7]> {
    let step = |step: &RateStep| {
        let [p50, p99, max] = [step.p50_ns, step.p99_ns, step.max_ns].map(time_or_dash);
        let remark =
            if step.holds { "holds".to_owned() } else { format!("does not hold: {}", step.remark) };
        let (target, achieved) = (rate(step.target_rate), rate(step.achieved_rate));
        [target, achieved, p50, p99, max, step.verdict.to_string(), remark]
    };
    curve.steps.iter().map(step).collect()
}

/// Returns what the pacing of a load means for its percentiles.
pub(super) fn pacing(pacing: Option<Pacing>) -> &'static str {
    match pacing {
        Some(Pacing::ClosedLoop) => {
            "Closed loop: latency counts from the send. A pause of the server also pauses\n\
             the sending, so the percentiles understate what users would see; with --rate\n\
             they do not."
        }
        Some(Pacing::OpenLoop) => {
            "Open loop: latency counts from the time at which each message was due;\n\
             coordinated omission is corrected."
        }
        None => "It is unknown whether this was an open or a closed loop, or the parts differ.",
    }
}

fn or_unknown<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "unknown".to_owned(), format)
}

fn datagrams(counts: &DatagramCounts, lost: u64) -> Vec<Row> {
    let of_sent = |part| match part {
        0 => "0".to_owned(),
        part => format!("{} ({})", count(part), share(part, counts.sent)),
    };
    let mut rows = vec![
        ("sent", count(counts.sent)),
        ("lost", of_sent(lost)),
        ("late", of_sent(counts.late)),
        ("reordered", of_sent(counts.reordered)),
        ("duplicates", of_sent(counts.duplicates)),
        ("corrupt", of_sent(counts.corrupt)),
        ("unrecognized", count(counts.unrecognized)),
    ];
    if counts.dropped_by_client > 0 {
        rows.push(("dropped here", count(counts.dropped_by_client)));
    }
    rows
}

/// Returns the rows about a room.
fn deliveries(room: &RoomFigures) -> Vec<Row> {
    let members = format!("{}, {} of them send", count(room.members), count(room.senders));
    let per_second = rate(room.deliveries_per_second);
    let mut rows = vec![
        ("members", members),
        ("deliveries", format!("{}, {per_second}", count(room.deliveries))),
        ("told gaps", plural(room.gaps, "event")),
        ("missing", count(room.missing)),
        ("duplicates", count(room.duplicates)),
        ("out of order", count(room.order_violations)),
        ("wrong texts", count(room.wrong_texts)),
    ];
    if room.relay_gaps > 0 {
        rows.push(("gaps of servers", plural(room.relay_gaps, "message")));
    }
    if room.foreign > 0 {
        rows.push(("of others", plural(room.foreign, "message")));
    }
    rows
}

/// Returns the rows about the receipts of the server.
fn compared(receipts: &ReceiptFigures) -> Vec<Row> {
    let ReceiptFigures { compared, equal, missing, .. } = *receipts;
    let (equal, compared) = (count(equal), count(compared));
    let mut rows =
        vec![("receipts", format!("{equal} of {compared} equal, {} missing", count(missing)))];
    for (name, lost, added) in [
        ("to the server", receipts.bytes_lost_to_server, receipts.bytes_added_to_server),
        ("on the way back", receipts.bytes_lost_back, receipts.bytes_added_back),
    ] {
        if lost > 0 || added > 0 {
            rows.push((name, format!("{} lost, {} added", plural(lost, "byte"), count(added))));
        }
    }
    if receipts.bytes_unread_by_server > 0 {
        let unread = plural(receipts.bytes_unread_by_server, "byte");
        rows.push(("not read", format!("{unread}, because the server ended the connection")));
    }
    rows
}

/// Returns the rows about the faults that the server has injected.
fn injected(faults: &FaultFigures) -> Vec<Row> {
    let found = format!("{} of {} found", count(faults.found), count(faults.injected));
    let mut rows =
        vec![("faults", format!("{found}, {} beyond what was read", count(faults.unobservable)))];
    for (name, kind) in &faults.kinds {
        let beyond = match kind.unobservable {
            0 => String::new(),
            beyond => format!(", {} beyond", count(beyond)),
        };
        rows.push(("", format!("{} {}{beyond}", count(kind.found), Escaped(name.as_bytes()))));
    }
    if let Some(excess) = faults.excess {
        let [p50, p99, max] = [excess.p50_ns, excess.p99_ns, excess.max_ns].map(time);
        rows.push(("later than asked", format!("p50 {p50}, p99 {p99}, max {max}")));
    }
    if faults.of_others > 0 {
        rows.push(("of others", plural(faults.of_others, "record")));
    }
    rows
}

/// Returns the rows about TLS and WebSocket.
fn layers(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(tls) = &report.tls {
        let (handshakes, resumed) = (count(tls.handshake.count), count(tls.resumed));
        rows.push(("TLS handshakes", format!("{handshakes}, {resumed} resumed")));
        if tls.truncated > 0 {
            let connections = plural(tls.truncated, "connection");
            rows.push(("truncated", format!("{connections} ended without close_notify")));
        }
    }
    if let Some(websocket) = &report.websocket {
        let without = match websocket.unclosed {
            0 => String::new(),
            unclosed => format!("; {} ended without", plural(unclosed, "connection")),
        };
        rows.push(("close handshakes", format!("{}{without}", count(websocket.closes))));
    }
    rows
}

/// Returns the rows about merged loads that did not run at the same time.
fn separate(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(span) = report.separate_seconds() {
        let warning = "the loads did not run at the same time, so the rate is not theirs";
        rows.push(("all loads", format!("{span:.2} s: {warning}")));
    }
    if report.span_seconds.is_some() && report.series.is_none() {
        let reason = "unknown: no load ran in a part of it, or the intervals do not fit together";
        rows.push(("time series", reason.to_owned()));
    }
    rows
}

/// Returns the rows about the requested start, or about the starts of merged loads.
fn starts(report: &Report) -> Vec<Row> {
    if let Some(starts) = &report.starts {
        let clocks = Escaped(starts.describe_clocks().as_bytes()).to_string();
        return vec![("starts", starts.describe()), ("clocks", clocks)];
    }
    match &report.start {
        Some(start) if start.requested.is_some() => {
            vec![("started", start.describe()), ("clock", start.describe_clock())]
        }
        _ => Vec::new(),
    }
}

fn restarts(report: &Report) -> [Row; 3] {
    let drains = or_unknown(report.drains, |drains| plural(drains, "connection"));
    let resent = or_unknown(report.resent, |resent| plural(resent, "message"));
    let bytes = or_unknown(report.bytes_resent, |bytes| plural(bytes, "byte"));
    [
        ("drained", format!("{drains}, made again")),
        ("sent again", format!("{resent}, of which {bytes} had been sent before")),
        ("bytes lost", or_unknown(report.bytes_lost, count)),
    ]
}

fn errors(report: &Report) -> String {
    let Some(errors) = &report.errors else { return "unknown".to_owned() };
    let kinds: Vec<_> =
        errors.iter().map(|(kind, number)| format!("{} {kind}", count(*number))).collect();
    if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") }
}
