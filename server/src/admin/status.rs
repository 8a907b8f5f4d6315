//! `/status`: the state of the server as one document, for `echo-server status`.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    context::Context,
    health::not_ready,
    reasons::{closes, datagram_refusals, refusals},
};
use crate::{
    logging,
    metrics::{HistogramTotals, ListenerCounters, ListenerMetrics, Stats, seconds},
    shared::Phase,
};

/// Returns the document.
pub(super) fn to_json(context: &Context<'_>) -> Vec<u8> {
    let shared = context.shared;
    let (not_ready, process, log) = (not_ready(shared), context.process(), logging::totals());
    let stats = shared.counters.stats();
    let accepted = shared.counters.listeners.sum(|all| all.accepted.get());
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": process.started_at.and_then(timestamp),
        "uptime_seconds": process.started_at.map(|at| age(at).as_secs_f64()),
        "phase": phase(context),
        "is_live": context.health.stalled().is_empty(),
        "stalled_threads": context.health.stalled(),
        "is_ready": not_ready.is_empty(),
        "not_ready": not_ready,
        "connections": {
            "open": shared.limits.open(),
            "limit": shared.limits.max(),
            "accepted": accepted,
            "refused": stats.refused,
            "probes": stats.probes,
        },
        "listeners": context.listeners().iter().map(|all| listener(all)).collect::<Value>(),
        "workers": workers(context),
        "dispatch_queue": { "connections": shared.dispatch.len() },
        "rates": context.rates.to_json(),
        "log": { "records": log.written, "dropped": log.dropped },
        "history": history(context),
        "rooms": rooms(context, &stats),
        "relay": relay(context),
        "descriptors": { "open": process.open_descriptors, "limit": process.max_descriptors },
        "panics": stats.panics,
    });
    format!("{document:#}\n").into_bytes()
}

fn timestamp(at: SystemTime) -> Option<String> {
    let seconds = Timestamp::try_from(at).ok()?.as_second();
    Some(Timestamp::from_second(seconds).ok()?.to_string())
}

/// Returns the time since the start, by the wall clock; zero if that was set back.
#[expect(clippy::disallowed_methods, reason = "the start is known by the wall clock")]
fn age(started_at: SystemTime) -> Duration {
    SystemTime::now().duration_since(started_at).unwrap_or_default()
}

fn phase(context: &Context<'_>) -> &'static str {
    match context.shared.phase.get() {
        Phase::Running if context.shared.is_leaving() => "leaving",
        Phase::Running => "running",
        Phase::Draining => "draining",
        Phase::Stopped => "stopped",
    }
}

fn listener(all: &ListenerMetrics) -> Value {
    let latency = all.latency();
    let refused = if all.is_udp() { counts(datagram_refusals(all)) } else { counts(refusals(all)) };
    let sum = |of: fn(&ListenerCounters) -> u64| all.sum(of);
    json!({
        "listener": all.address,
        "protocol": all.protocol,
        "is_open": all.is_open(),
        "open": all.open(),
        "accepted": sum(|counters| counters.accepted.get()),
        "refused": refused,
        "closed": counts(closes(all)),
        "received": {
            "bytes": sum(|counters| counters.bytes_received.get()),
            "messages": sum(|counters| counters.messages_received.get()),
        },
        "sent": {
            "bytes": sum(|counters| counters.bytes_sent.get()),
            "messages": sum(|counters| counters.messages_sent.get()),
        },
        "latency": (latency.count() > 0).then(|| json!({
            "count": latency.count(),
            "p50_seconds": quantile(&latency, 0.5),
            "p99_seconds": quantile(&latency, 0.99),
        })),
    })
}

/// Returns the bound below which this share of the durations is. `None`: it is above the last bound.
fn quantile(latency: &HistogramTotals, share: f64) -> Option<f64> {
    latency.quantile_bound_ns(share).map(seconds)
}

/// Returns the reasons that have occurred, with their numbers.
fn counts(of: impl Iterator<Item = (&'static str, u64)>) -> Value {
    let occurred = of.filter(|(_, count)| *count > 0);
    Value::Object(
        occurred.map(|(reason, count)| (reason.to_owned(), count.into())).collect::<Map<_, _>>(),
    )
}

fn workers(context: &Context<'_>) -> Value {
    let workers = context.shared.counters.workers.iter().enumerate();
    let worker = workers.map(|(index, worker)| {
        json!({
            "worker": index + 1,
            "connections": context.shared.dispatch.load_of(index),
            "busy_seconds": seconds(worker.busy_ns.get()),
            "busy_ratio": context.rates.busy_ratio(index),
            "iterations": worker.iterations.get(),
        })
    });
    worker.collect()
}

#[cfg(feature = "history")]
fn history(context: &Context<'_>) -> Value {
    let Some(history) = context.shared.history.get() else { return Value::Null };
    let stats = history.stats();
    json!({ "recorded": stats.recorded, "dropped": stats.dropped, "waiting": stats.waiting })
}

#[cfg(not(feature = "history"))]
fn history(_: &Context<'_>) -> Value {
    Value::Null
}

/// Returns the rooms, if a listener has them.
#[cfg(feature = "rooms")]
fn rooms(context: &Context<'_>, stats: &Stats) -> Value {
    let rooms = context.shared.rooms.stats();
    if rooms.members == 0 && stats.room_deliveries == 0 {
        return Value::Null;
    }
    json!({
        "rooms": rooms.rooms,
        "members": rooms.members,
        "deliveries": stats.room_deliveries,
        "dropped": stats.room_dropped,
    })
}

#[cfg(not(feature = "rooms"))]
fn rooms(_: &Context<'_>, _: &Stats) -> Value {
    Value::Null
}

#[cfg(feature = "redis")]
fn relay(context: &Context<'_>) -> Value {
    let relay = context.shared.relay.get();
    relay.map_or(Value::Null, |relay| json!({ "is_up": relay.is_shared() }))
}

#[cfg(not(feature = "redis"))]
fn relay(_: &Context<'_>) -> Value {
    Value::Null
}
