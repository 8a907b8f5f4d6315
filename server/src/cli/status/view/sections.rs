//! The sections of the view of a sample.

use super::{
    text::Text,
    units::{byte_rate, bytes, count, counted, latency, rate, share, span},
};
use crate::cli::{
    status::model::{Connection, Latency, Listener, Rates, Reasons, Status, Worker},
    table::Column,
};

/// Maximum number of workers that are shown.
const WORKERS: usize = 16;

/// Width from which users and listeners have columns of their own. A narrower terminal has them below the peer.
const WIDE: usize = 120;

/// The data of a view.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::status) struct Shown<'a> {
    /// The admin listener.
    pub(in crate::cli::status) target: &'a str,
    pub(in crate::cli::status) status: &'a Status,
    pub(in crate::cli::status) rates: Rates,
    /// The busiest connections, the busiest first.
    pub(in crate::cli::status) connections: &'a [Connection],
}

/// Adds all sections.
pub(in crate::cli::status) fn sections(shown: &Shown<'_>, text: &mut Text) {
    head(shown, text);
    traffic(shown.status, &shown.rates, text);
    records(shown.status, text);
    listeners(&shown.status.listeners, text);
    workers(&shown.status.workers, text);
    peers(shown, text);
}

fn head(shown: &Shown<'_>, text: &mut Text) {
    let Shown { target, status, .. } = shown;
    let problems = status.problems();
    let health = if problems.is_empty() { "healthy" } else { "NOT HEALTHY" };
    text.title(&format!("echo-server {} at {target}: {health}", status.version));
    for problem in &problems {
        text.problem(problem);
    }
    let live = if status.is_live { "live" } else { "not live" };
    let ready = if status.is_ready { "ready" } else { "not ready" };
    let up = status.uptime_seconds.map(|seconds| format!("; up {}", span(seconds)));
    let started = status.started.as_ref().map(|at| at.replace('T', " ").replace('Z', " UTC"));
    let since = started.map(|started| format!(" since {started}"));
    let [up, since] = [up, since].map(Option::unwrap_or_default);
    text.field("state", &format!("{}, {live}, {ready}{up}{since}", status.phase));
    if status.panics > 0 {
        text.problem(&format!("{}; the log has a line for each", counted(status.panics, "panic")));
    }
}

fn traffic(status: &Status, rates: &Rates, text: &mut Text) {
    let connections = &status.connections;
    let limit = connections.limit.map(|limit| format!(" of at most {limit}"));
    text.field(
        "connections",
        &format!(
            "{} open{}; {} accepted, {} refused, {}; {} in the dispatch queue",
            count(connections.open),
            limit.unwrap_or_default(),
            count(connections.accepted),
            count(connections.refused),
            counted(connections.probes, "probe"),
            count(status.dispatch_queue.connections),
        ),
    );
    if rates.interval_seconds <= 0.0 {
        return text.field("rates", "none yet; the first interval is not over");
    }
    let [received, sent] = [rates.received, rates.sent].map(|volume| {
        format!("{}/s, {} messages/s", byte_rate(volume.bytes), rate(volume.messages))
    });
    let (accepted, seconds) = (rate(rates.accepted), rates.interval_seconds);
    text.field(
        "rates",
        &format!("accepted {accepted}/s; received {received}; sent {sent}; over {seconds:.1} s"),
    );
}

/// Shows what is recorded or shared, and how much of it was lost.
fn records(status: &Status, text: &mut Text) {
    let dropped = |number: u64| format!("{} dropped", count(number));
    let log = status.log;
    text.field("log", &format!("{}, {}", counted(log.records, "record"), dropped(log.dropped)));
    if let Some(history) = status.history {
        let (recorded, waiting) = (counted(history.recorded, "message"), count(history.waiting));
        let dropped = dropped(history.dropped);
        text.field("history", &format!("{recorded}, {dropped}, {waiting} waiting"));
    }
    if let Some(rooms) = status.rooms {
        let members = counted(rooms.members, "member");
        let (open, dropped) = (count(rooms.open), dropped(rooms.dropped));
        let delivered = count(rooms.deliveries);
        text.field("rooms", &format!("{open} open, {members}; {delivered} delivered, {dropped}"));
    }
    if let Some(relay) = status.relay {
        let state = if relay.is_up {
            "up"
        } else {
            "down: other servers do not receive the events of rooms"
        };
        text.field("relay", state);
    }
    let descriptors = status.descriptors.and_then(|all| Some((all.open?, all.limit)));
    if let Some((open, limit)) = descriptors {
        let limit = limit.map(|limit| format!(" of at most {limit}"));
        let open = count(open);
        text.field("descriptors", &format!("{open} open{}", limit.unwrap_or_default()));
    }
}

fn listeners(listeners: &[Listener], text: &mut Text) {
    text.separate();
    let columns = [
        Column::name("LISTENER"),
        Column::name("PROTOCOL"),
        Column::number("OPEN"),
        Column::number("ACCEPTED"),
        Column::number("P50"),
        Column::number("P99"),
    ];
    let row = |listener: &Listener| {
        let percentile = |of: fn(Latency) -> Option<f64>| {
            let Some(measured) = listener.latency else { return "-".to_owned() };
            of(measured).map_or_else(|| "off scale".to_owned(), latency)
        };
        let closed = if listener.is_open { "" } else { " (closed)" };
        vec![
            format!("{}{closed}", listener.name),
            listener.protocol.clone(),
            count(listener.open),
            count(listener.accepted),
            percentile(|latency| latency.p50_seconds),
            percentile(|latency| latency.p99_seconds),
        ]
    };
    let rows: Vec<_> = listeners.iter().map(row).collect();
    text.table(&columns, &rows, |row| listener_details(&listeners[row]));
}

fn listener_details(listener: &Listener) -> Vec<String> {
    let [received, sent] = [listener.received, listener.sent]
        .map(|volume| format!("{}, {}", bytes(volume.bytes), counted(volume.messages, "message")));
    let mut details = vec![format!("received {received}; sent {sent}")];
    let reasons = [("refused", &listener.refused), ("closed", &listener.closed)];
    let reasons: Vec<_> =
        reasons.iter().filter_map(|(what, counts)| by_reason(what, counts)).collect();
    if !reasons.is_empty() {
        details.push(reasons.join("; "));
    }
    details
}

/// Returns the sum of counts, and each with its reason, the largest first. `None`: there is nothing.
fn by_reason(what: &str, counts: &Reasons) -> Option<String> {
    let mut counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let sum = counts.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(**count));
    let each: Vec<_> =
        counts.iter().map(|(reason, number)| format!("{reason} {}", count(**number))).collect();
    (sum > 0).then(|| format!("{what} {}: {}", count(sum), each.join(", ")))
}

fn workers(workers: &[Worker], text: &mut Text) {
    text.separate();
    let columns = ["WORKER", "CONNECTIONS", "BUSY", "ITERATIONS"].map(Column::number);
    let mut busiest: Vec<&Worker> = workers.iter().collect();
    if workers.len() > WORKERS {
        busiest.sort_by(|one, other| other.busy_ratio.total_cmp(&one.busy_ratio));
    }
    let rest = busiest.split_off(busiest.len().min(WORKERS));
    let row = |worker: &&Worker| {
        let (number, connections) = (worker.number.to_string(), count(worker.connections));
        vec![number, connections, share(worker.busy_ratio), count(worker.iterations)]
    };
    let rows: Vec<_> = busiest.iter().map(row).collect();
    text.table(&columns, &rows, |_| Vec::new());
    if let Some(next) = rest.first() {
        let (number, busy) = (rest.len(), share(next.busy_ratio));
        text.detail(&format!("and {number} less busy, at most {busy}"));
    }
}

fn peers(shown: &Shown<'_>, text: &mut Text) {
    text.separate();
    let has_users = shown.connections.iter().any(|connection| connection.user.is_some());
    let has_listeners = shown.status.listeners.len() > 1;
    let is_wide = text.width().is_none_or(|width| width >= WIDE);
    let columns = [
        (true, Column::name("BUSIEST PEER")),
        (has_users && is_wide, Column::name("USER")),
        (has_listeners && is_wide, Column::name("LISTENER")),
        (true, Column::number("WORKER")),
        (true, Column::number("RECEIVED")),
        (true, Column::number("SENT")),
        (true, Column::number("UNSENT")),
        (true, Column::number("AGE")),
        (true, Column::number("IDLE")),
    ];
    let row = |connection: &Connection| {
        let cells = [
            connection.peer.clone(),
            connection.user.clone().unwrap_or_else(|| "-".to_owned()),
            connection.listener.clone(),
            connection.worker.to_string(),
            bytes(connection.received.bytes),
            bytes(connection.sent.bytes),
            bytes(connection.unsent_bytes),
            span(connection.age_seconds),
            span(connection.idle_seconds),
        ];
        let shown = cells.into_iter().zip(&columns).filter(|(_, (is_shown, _))| *is_shown);
        shown.map(|(cell, _)| cell).collect()
    };
    let rows: Vec<Vec<String>> = shown.connections.iter().map(row).collect();
    let columns: Vec<Column> =
        columns.iter().filter(|(is_shown, _)| *is_shown).map(|(_, column)| *column).collect();
    text.table(&columns, &rows, |row| {
        let connection = &shown.connections[row];
        let user = connection.user.as_ref().map(|user| format!("user {user}"));
        let listener = has_listeners.then(|| format!("at {}", connection.listener));
        let details: Vec<_> = user.into_iter().chain(listener).collect();
        if is_wide || details.is_empty() { Vec::new() } else { vec![details.join(", ")] }
    });
    if rows.is_empty() {
        text.detail("no connection");
    }
}
