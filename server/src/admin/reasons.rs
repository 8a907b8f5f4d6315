//! The counts of a listener by their reasons, as `/metrics` and `/status` name them.

use crate::{
    admission::{DatagramRefusal, LimitReached},
    metrics::ListenerMetrics,
    telemetry::CloseReason,
};

/// Returns how many connections were refused at each limit.
pub(super) fn refusals(listener: &ListenerMetrics) -> impl Iterator<Item = (&'static str, u64)> {
    let limits = LimitReached::NAMES.into_iter().enumerate();
    limits.map(|(index, limit)| (limit, listener.sum(|all| all.refused.of(index).get())))
}

/// Returns how many accepted connections were closed for each reason.
pub(super) fn closes(listener: &ListenerMetrics) -> impl Iterator<Item = (&'static str, u64)> {
    let closed = |reason: &CloseReason| {
        (reason.name(), listener.sum(|all| all.closed.of(reason.index()).get()))
    };
    CloseReason::ALL.iter().map(closed)
}

/// Returns how many datagrams were not answered for each reason.
pub(super) fn datagram_refusals(
    listener: &ListenerMetrics,
) -> impl Iterator<Item = (&'static str, u64)> {
    let reasons = DatagramRefusal::NAMES.into_iter().chain(["not-received"]).enumerate();
    let refused = reasons
        .map(|(index, reason)| (reason, listener.sum(|all| all.datagrams_refused.of(index).get())));
    refused.chain([("not-sent", listener.sum(|all| all.datagrams_not_sent.get()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_datagrams_have_those_that_were_not_received_and_not_sent() {
        let listener = ListenerMetrics::new("udp://127.0.0.1:7".to_owned(), "udp", 1);
        listener.worker(0).datagrams_not_sent.add(2);
        listener.worker(0).datagrams_refused.of(DatagramRefusal::KINDS).add(1);
        let refused: Vec<_> =
            datagram_refusals(&listener).filter(|(_, count)| *count > 0).collect();
        assert_eq!(refused, [("not-received", 1), ("not-sent", 2)]);
    }
}
