//! The event of a fault that the server has injected on purpose.

use std::fmt;

use common::fault::{Direction, Fault, FaultAct, FaultId};
use humantime::format_duration;
use log::{Level::Info, kv::Value};

use super::{
    connection_id::ConnectionId,
    event::{Declaration, Event, record},
};
use crate::{
    fault_log,
    faults::FaultPlan,
    metrics::{Counter, ListenerCounters},
};

/// The connection or source of datagrams into which a fault was injected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) peer: &'a str,
    /// `None`: it is a source of datagrams.
    pub(super) connection: Option<ConnectionId>,
    /// The listener, as the log names it at the start: with its port.
    pub(super) listener: &'a str,
    /// It is a source of datagrams, and the offset is a number of datagrams, except that of damage.
    pub(super) is_datagram: bool,
}

/// A fault that was injected.
struct InjectedFault<'a> {
    target: Target<'a>,
    id: FaultId,
    act: &'a FaultAct,
}

/// Counts a fault, logs it, and writes it to the fault log, if there is one.
///
/// Every delayed chunk is a fault of its own, so the log of the program has only the first of a connection.
#[cold]
pub(super) fn record_fault(
    target: Target<'_>,
    counters: &ListenerCounters,
    plan: &FaultPlan,
    act: &FaultAct,
) {
    let is_repeated = matches!(act.fault, Fault::Delay | Fault::Coalesce);
    let is_logged = plan.mark(act.fault) || !is_repeated;
    let id = plan.id();
    record(&InjectedFault { target, id, act }, counters, is_logged);
    fault_log::record(target.listener, target.peer, id, act);
}

impl Event for InjectedFault<'_> {
    fn declaration(&self) -> Declaration {
        Declaration::new(Info, "fault")
    }

    fn counter<'a>(&self, counters: &'a ListenerCounters) -> Option<&'a Counter> {
        Some(counters.injected_faults.of(self.act.fault.index()))
    }

    fn visit_fields<'a>(&'a self, visit: &mut dyn FnMut(&'static str, Value<'a>)) {
        let Self { target, id, act } = self;
        visit("peer", Value::from(target.peer));
        if let Some(connection) = &target.connection {
            visit("connection", Value::from_display(connection));
        }
        visit("listener", Value::from(target.listener));
        visit("fault", Value::from(act.fault.name()));
        visit("direction", Value::from(direction(act)));
        visit("offset", Value::from(act.offset));
        visit("fault_seed", Value::from(id.seed));
        visit("fault_connection", Value::from(id.connection));
        // The log has a field `message` of its own.
        let figures = [
            ("bytes", act.bytes),
            ("delay_ns", act.delay_ns),
            ("mask", act.mask.map(u64::from)),
            ("fault_message", act.message),
            ("code", act.code.map(u64::from)),
        ];
        for (name, figure) in figures {
            if let Some(figure) = figure {
                visit(name, Value::from(figure));
            }
        }
    }
}

impl fmt::Display for InjectedFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, id: FaultId { seed, connection }, act } = self;
        let FaultAct { fault, offset, .. } = act;
        let counts_bytes = !target.is_datagram || *fault == Fault::Corrupt;
        let unit = if counts_bytes { "byte" } else { "datagram" };
        let (name, direction) = (fault.name(), direction(act));
        write!(
            f,
            "Fault injected for {}: {name} at {unit} {offset} of the {unit}s {direction}",
            target.peer
        )?;
        if let Some(message) = act.message {
            write!(f, ", message {message}")?;
        }
        if let Some(bytes) = act.bytes {
            write!(f, ", bytes {bytes}")?;
        }
        if let Some(delay_ns) = act.delay_ns {
            write!(f, ", delay {}", format_duration(std::time::Duration::from_nanos(delay_ns)))?;
        }
        if let Some(mask) = act.mask {
            write!(f, ", mask {mask:#04x}")?;
        }
        if let Some(code) = act.code {
            write!(f, ", code {code}")?;
        }
        write!(f, " (seed {seed}, connection {connection})")
    }
}

fn direction(act: &FaultAct) -> &'static str {
    match act.direction {
        Direction::Received => "received",
        Direction::Sent => "sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(is_datagram: bool) -> Target<'static> {
        Target { peer: "127.0.0.1:5000", connection: None, listener: "127.0.0.1:7", is_datagram }
    }

    fn fault(act: &FaultAct, is_datagram: bool) -> InjectedFault<'_> {
        let id = FaultId { seed: 7, connection: 3 };
        InjectedFault { target: target(is_datagram), id, act }
    }

    #[test]
    fn the_text_names_the_place_the_seed_and_the_connection() {
        let act = FaultAct::sent(Fault::ResetAfter, 1_048_576);
        assert_eq!(
            fault(&act, false).to_string(),
            "Fault injected for 127.0.0.1:5000: reset-after at byte 1048576 of the bytes sent (seed 7, connection 3)"
        );
        let act = FaultAct { message: Some(4), bytes: Some(9), ..FaultAct::sent(Fault::Drop, 4) };
        assert_eq!(
            fault(&act, true).to_string(),
            "Fault injected for 127.0.0.1:5000: drop at datagram 4 of the datagrams sent, message 4, bytes 9 (seed 7, connection 3)"
        );
        let act = FaultAct { message: Some(4), mask: Some(1), ..FaultAct::sent(Fault::Corrupt, 9) };
        assert!(
            fault(&act, true)
                .to_string()
                .contains("corrupt at byte 9 of the bytes sent, message 4")
        );
        let act = FaultAct { delay_ns: Some(50_000_000), ..FaultAct::received(Fault::Delay, 0) };
        assert!(fault(&act, false).to_string().contains("of the bytes received, delay 50ms (seed"));
    }

    #[test]
    fn the_fields_have_the_figures_that_are_set() {
        let act = FaultAct { mask: Some(16), ..FaultAct::sent(Fault::Corrupt, 8) };
        let fault = fault(&act, false);
        let mut fields = Vec::new();
        fault.visit_fields(&mut |name, value| fields.push(format!("{name}={value}")));
        assert_eq!(
            fields.join(" "),
            "peer=127.0.0.1:5000 listener=127.0.0.1:7 fault=corrupt direction=sent offset=8 fault_seed=7 \
             fault_connection=3 mask=16"
        );
    }
}
