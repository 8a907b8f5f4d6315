//! Metrics of the server as a whole.

use prometheus_client::metrics::MetricType;

use super::family::Family;
use crate::{
    admin::{
        health::{not_ready, thread_names},
        version,
    },
    logging,
    shared::Phase,
};

pub(super) static FAMILIES: &[Family] = &[
    Family {
        name: "echo_build",
        unit: None,
        kind: MetricType::Info,
        help: "The version and the features of the program.",
        collect: |_, samples| {
            let features = version::features().collect::<Vec<_>>().join(",");
            let labels = [("version", env!("CARGO_PKG_VERSION")), ("features", &features)];
            samples.add(&labels, 1_u64);
        },
    },
    Family::gauge(
        "echo_ready",
        "1 if the server accepts new clients (as /readyz).",
        |context, samples| samples.add(&[], not_ready(context.shared).is_empty()),
    ),
    Family::gauge("echo_shutting_down", "1 from the shutdown signal on.", |context, samples| {
        let shared = context.shared;
        samples.add(&[], shared.is_leaving() || shared.phase.get() != Phase::Running);
    }),
    Family::gauge(
        "echo_thread_stalled",
        "1 if a thread has completed no iteration of its loop for three seconds (as /livez).",
        |context, samples| {
            for thread in thread_names(context.shared.counters.workers.len() + 1) {
                let is_stalled = context.health.stalled().contains(&thread);
                samples.add(&[("thread", &thread)], is_stalled);
            }
        },
    ),
    Family::gauge("echo_connections_limit", "Limit on open connections.", |context, samples| {
        samples.add(&[], context.shared.limits.max());
    }),
    Family::counter(
        "echo_panics",
        "Connections and datagrams that were lost to a bug of the server.",
        |context, samples| {
            samples.add(&[], context.shared.counters.listeners.sum(|all| all.panics.get()));
        },
    ),
    Family::counter("echo_log_records", "Records that the log has written.", |_, samples| {
        samples.add(&[], logging::totals().written);
    }),
    Family::counter(
        "echo_log_records_dropped",
        "Records that the log has lost: its queue was full, or its file could not be written.",
        |_, samples| samples.add(&[], logging::totals().dropped),
    ),
    #[cfg(feature = "history")]
    Family::counter(
        "echo_history_messages",
        "Messages that are committed to the database of the history.",
        |context, samples| {
            if let Some(history) = context.shared.history.get() {
                samples.add(&[], history.stats().recorded);
            }
        },
    ),
    #[cfg(feature = "history")]
    Family::counter(
        "echo_history_messages_dropped",
        "Messages that the history has lost: its queue was full, or its database could not be written.",
        |context, samples| {
            if let Some(history) = context.shared.history.get() {
                samples.add(&[], history.stats().dropped);
            }
        },
    ),
    #[cfg(feature = "history")]
    Family::gauge(
        "echo_history_waiting_messages",
        "Messages that wait for the database of the history.",
        |context, samples| {
            if let Some(history) = context.shared.history.get() {
                samples.add(&[], history.stats().waiting);
            }
        },
    ),
    #[cfg(feature = "rooms")]
    Family::gauge("echo_rooms_open", "Rooms that have members.", |context, samples| {
        samples.add(&[], context.shared.rooms.stats().rooms);
    }),
    #[cfg(feature = "rooms")]
    Family::gauge("echo_room_members", "Connections in a room.", |context, samples| {
        samples.add(&[], context.shared.rooms.stats().members);
    }),
    #[cfg(feature = "rooms")]
    Family::counter(
        "echo_room_deliveries",
        "Events of rooms that were sent to members: one for each event and member.",
        |context, samples| {
            samples.add(&[], context.shared.counters.sum(|worker| &worker.room_deliveries));
        },
    ),
    #[cfg(feature = "rooms")]
    Family::counter(
        "echo_room_drops",
        "Events of rooms that were not sent to members, because these read too slowly.",
        |context, samples| {
            samples.add(&[], context.shared.counters.sum(|worker| &worker.room_dropped));
        },
    ),
    #[cfg(feature = "redis")]
    Family::gauge(
        "echo_relay_up",
        "1 if the rooms are shared with other servers through Redis.",
        |context, samples| {
            if let Some(relay) = context.shared.relay.get() {
                samples.add(&[], relay.is_shared());
            }
        },
    ),
];
