//! Metrics of each listener, with its address and its protocol as labels. None has a peer as a label.

use common::fault::Fault as InjectedFault;

use super::family::{Family, Labels, Samples, Unit, Value};
use crate::{
    admin::{
        context::Context,
        reasons::{closes, datagram_refusals, refusals},
    },
    metrics::{ListenerCounters, ListenerMetrics},
    telemetry::Fault,
};

pub(super) static FAMILIES: &[Family] = &[
    Family::gauge("echo_connections_open", "Open connections.", |context, samples| {
        streams(context, samples, &[], ListenerMetrics::open);
    }),
    Family::counter(
        "echo_connections_accepted",
        "Connections that were accepted within the limits.",
        |context, samples| streams(context, samples, &[], sum(|all| all.accepted.get())),
    ),
    Family::counter(
        "echo_connections_refused",
        "Connections that were refused at a limit, by the setting of the limit.",
        |context, samples| {
            for listener in context.listeners().iter().filter(|listener| !listener.is_udp()) {
                add_reasons(samples, &labels_of(listener), refusals(listener));
            }
        },
    ),
    Family::counter(
        "echo_connections_closed",
        "Accepted connections that were closed, by the reason that the log names.",
        |context, samples| {
            for listener in context.listeners().iter().filter(|listener| !listener.is_udp()) {
                add_reasons(samples, &labels_of(listener), closes(listener));
            }
        },
    ),
    Family::counter(
        "echo_probes",
        "Connections that closed without sending data, as health checks do.",
        |context, samples| streams(context, samples, &[], sum(|all| all.probes.get())),
    ),
    Family::counter("echo", "Bytes of the sockets.", |context, samples| {
        for (direction, of) in BYTES {
            listeners(context, samples, &[("direction", direction)], sum(of), |_| true);
        }
    })
    .in_unit(Unit::Bytes),
    Family::counter(
        "echo_messages",
        "Messages that were received completely, and that were sent completely.",
        |context, samples| {
            for (direction, of) in MESSAGES {
                listeners(context, samples, &[("direction", direction)], sum(of), |_| true);
            }
        },
    ),
    Family::histogram(
        "echo_latency",
        "Time from the beginning of a turn until the socket has taken the last byte of its echoes. A sample: all turns of \
        one iteration in 64.",
        |context, samples| streams(context, samples, &[], ListenerMetrics::latency),
    ),
    Family::counter("echo_handshakes", "TLS handshakes by their result.", |context, samples| {
        for (result, of) in HANDSHAKES {
            let labels = [("result", result)];
            listeners(context, samples, &labels, sum(of), ListenerMetrics::has_tls);
        }
    }),
    #[cfg(feature = "login")]
    Family::counter("echo_logins", "Logins by their result.", |context, samples| {
        for (result, of) in LOGINS {
            streams(context, samples, &[("result", result)], sum(of));
        }
    }),
    Family::counter(
        "echo_proxy_headers_refused",
        "Connections that were closed for lack of a valid PROXY header, by the fault.",
        |context, samples| {
            for fault in Fault::ALL {
                let refused = sum(move |all| all.proxy_headers_refused.of(fault.index()).get());
                streams(context, samples, &[("reason", fault.name())], refused);
            }
        },
    ),
    Family::counter(
        "echo_faults",
        "Faults that were injected on purpose, of listeners that have faults or had them.",
        injected_faults,
    ),
    Family::counter(
        "echo_datagrams_received",
        "Datagrams that may be answered.",
        |context, samples| datagrams(context, samples, sum(|all| all.datagrams.get())),
    ),
    Family::counter("echo_datagrams_answered", "Answers to datagrams.", |context, samples| {
        datagrams(context, samples, sum(|all| all.messages_sent.get()));
    }),
    Family::counter(
        "echo_datagrams_refused",
        "Datagrams that were not answered, by the reason.",
        |context, samples| {
            for listener in context.listeners().iter().filter(|listener| listener.is_udp()) {
                let labels = [("listener", &*listener.address)];
                add_reasons(samples, &labels, datagram_refusals(listener));
            }
        },
    ),
    Family::gauge(
        "echo_tls_certificate_expiry_timestamp",
        "Time at which the certificate of a TLS listener expires, since 1970.",
        |context, samples| {
            for listener in context.listeners() {
                if let Some(expiry) = listener.certificate_expiry() {
                    samples.add(&[("listener", &listener.address)], expiry);
                }
            }
        },
    )
    .in_unit(Unit::Seconds),
];

type Of = fn(&ListenerCounters) -> u64;

const BYTES: [(&str, Of); 2] =
    [("received", |all| all.bytes_received.get()), ("sent", |all| all.bytes_sent.get())];

const MESSAGES: [(&str, Of); 2] =
    [("received", |all| all.messages_received.get()), ("sent", |all| all.messages_sent.get())];

const HANDSHAKES: [(&str, Of); 3] = [
    ("completed", |all| all.handshakes.completed.get()),
    ("failed", |all| all.handshakes.failed.get()),
    ("timeout", |all| all.handshakes.timed_out.get()),
];

#[cfg(feature = "login")]
const LOGINS: [(&str, Of); 2] =
    [("succeeded", |all| all.logins.succeeded.get()), ("failed", |all| all.logins.failed.get())];

/// Adds the samples of injected faults. A listener without faults has none: it would have a series for each fault.
fn injected_faults(context: &Context<'_>, samples: &mut Samples) {
    let mut faulty = context.shared.faults.listeners();
    faulty.retain(|listener| listener.faults.get().is_some());
    let has_any = |listener: &ListenerMetrics| {
        faulty.iter().any(|faulty| faulty.address == listener.address)
            || listener.sum(|all| all.injected_faults.sum()) > 0
    };
    for listener in context.listeners().iter().filter(|listener| has_any(listener)) {
        for fault in InjectedFault::ALL {
            let injected = listener.sum(|all| all.injected_faults.of(fault.index()).get());
            let labels = [&labels_of(listener)[..], &[("fault", fault.name())]].concat();
            samples.add(&labels, injected);
        }
    }
}

/// Returns the sum of a counter over the threads of a listener.
fn sum(of: impl Fn(&ListenerCounters) -> u64) -> impl Fn(&ListenerMetrics) -> u64 {
    move |listener| listener.sum(&of)
}

/// Returns the labels of a listener.
fn labels_of(listener: &ListenerMetrics) -> [(&'static str, &str); 2] {
    [("listener", &listener.address), ("protocol", listener.protocol)]
}

/// Adds a sample of a listener for each reason.
fn add_reasons(
    samples: &mut Samples,
    labels: Labels<'_>,
    counts: impl Iterator<Item = (&'static str, u64)>,
) {
    for (reason, count) in counts {
        samples.add(&[labels, &[("reason", reason)]].concat(), count);
    }
}

/// Adds a sample for each listener that `is_wanted`.
fn listeners<V: Into<Value>>(
    context: &Context<'_>,
    samples: &mut Samples,
    labels: &[(&'static str, &str)],
    of: impl Fn(&ListenerMetrics) -> V,
    is_wanted: fn(&ListenerMetrics) -> bool,
) {
    for listener in context.listeners().iter().filter(|listener| is_wanted(listener)) {
        samples.add(&[&labels_of(listener), labels].concat(), of(listener));
    }
}

/// Adds a sample for each listener of connections.
fn streams<V: Into<Value>>(
    context: &Context<'_>,
    samples: &mut Samples,
    labels: &[(&'static str, &str)],
    of: impl Fn(&ListenerMetrics) -> V,
) {
    listeners(context, samples, labels, of, |listener| !listener.is_udp());
}

/// Adds a sample for each listener of datagrams.
fn datagrams(context: &Context<'_>, samples: &mut Samples, of: impl Fn(&ListenerMetrics) -> u64) {
    for listener in context.listeners().iter().filter(|listener| listener.is_udp()) {
        samples.add(&[("listener", &listener.address)], of(listener));
    }
}
