//! A turn of one UDP socket: receive datagrams, check the policy, answer.
//!
//! An answer that the socket does not take is kept, and nothing more is received until it is sent. Until then
//! datagrams wait in the kernel, or are dropped there, as UDP permits.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
};

use super::{
    policy::UdpPolicy,
    socket::{Arrival, DatagramSocket, Route},
};
use crate::{
    admission::Peer,
    config::limits,
    connection::{Turn, TurnContext},
    faults::FaultyAnswers,
    metrics::ListenerCounters,
    telemetry::DatagramEvent,
};

/// A UDP socket and its unsent answer.
#[derive(Debug)]
pub(crate) struct UdpEchoSocket {
    pub(super) socket: Box<dyn DatagramSocket>,
    pub(super) policy: Arc<UdpPolicy>,
    pub(super) unsent: Option<Unsent>,
    /// The socket closes when it is empty, after this many more datagrams at most.
    pub(super) draining: Option<usize>,
    /// The faulty answers, if the listener has faults.
    pub(super) faulty: Option<Box<FaultyAnswers<Route>>>,
}

#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) bytes: Box<[u8]>,
    pub(super) route: Route,
}

/// Result of one read of the socket.
#[derive(Debug)]
pub(super) enum Received {
    Datagram(Arrival),
    /// The socket returned an error, and may have another datagram.
    Error,
    Empty,
}

impl UdpEchoSocket {
    pub(crate) fn new(socket: Box<dyn DatagramSocket>, policy: Arc<UdpPolicy>) -> Self {
        Self { socket, policy, unsent: None, draining: None, faulty: None }
    }

    /// Returns the counters of its listener in the worker whose turn it is.
    fn counters(&self, context: &TurnContext<'_>) -> &ListenerCounters {
        self.policy.counters.worker(context.telemetry.worker())
    }

    #[cfg(test)]
    pub(crate) fn policy(&self) -> &UdpPolicy {
        &self.policy
    }

    /// Makes the socket close when the received datagrams are answered.
    pub(super) fn drain(&mut self) {
        self.draining.get_or_insert(limits::DRAIN_DATAGRAMS);
    }

    /// Returns whether the socket waits until it is writable.
    pub(super) fn wants_write(&self) -> bool {
        self.unsent.is_some()
    }

    /// Answers the waiting datagrams, within the budget of a turn. `own_ports` are the ports on which the
    /// server listens.
    pub(super) fn turn(&mut self, context: &mut TurnContext<'_>, own_ports: &[u16]) -> Turn {
        if let Some(unsent) = self.unsent.take()
            && !self.send(&unsent.bytes, &unsent.route, context)
        {
            self.unsent = Some(unsent);
            return Turn::Wait;
        }
        if self.has_faults(context.now) {
            return self.turn_with_faults(context, own_ports);
        }
        let empty = if self.draining.is_some() { Turn::Over } else { Turn::Wait };
        let mut received = 0;
        for _ in 0..limits::TURN_DATAGRAMS {
            match self.receive(context) {
                Received::Datagram(arrival) => {
                    received += 1;
                    if !self.answer(&arrival, context, own_ports) {
                        return Turn::Wait;
                    }
                }
                Received::Error => {}
                Received::Empty => return empty,
            }
            if self.is_drained() {
                return Turn::Over;
            }
        }
        // A socket that only returns errors would return them forever; the next datagram is a new event.
        if received > 0 { Turn::Again } else { empty }
    }

    /// Receives a datagram into the buffer.
    pub(super) fn receive(&mut self, context: &mut TurnContext<'_>) -> Received {
        match self.socket.receive(context.buffer) {
            Ok(arrival) => return Received::Datagram(arrival),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Received::Empty,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // An earlier answer did not arrive; that does not concern the next datagram.
            Err(error) if is_about_an_answer(&error) => {}
            Err(error) => {
                let allowed = self.policy.allow_failure_log(context.now);
                let address = &self.policy.address;
                let event = DatagramEvent::NotReceived { address, error: &error };
                let counters = self.counters(context);
                context.telemetry.record_datagram(event, counters, allowed);
            }
        }
        Received::Error
    }

    /// Counts a read in a drain. Returns whether it was the last one.
    pub(super) fn is_drained(&mut self) -> bool {
        let Some(left) = &mut self.draining else { return false };
        *left = left.saturating_sub(1);
        *left == 0
    }

    /// Answers a datagram. Returns false if the answer has to wait for the socket.
    fn answer(&mut self, arrival: &Arrival, context: &TurnContext<'_>, own_ports: &[u16]) -> bool {
        let Some(route) = self.admit(arrival, context, own_ports) else { return true };
        let bytes = &context.buffer[..arrival.len];
        let sent = self.send(bytes, &route, context);
        if !sent {
            self.unsent = Some(Unsent { bytes: bytes.into(), route });
        }
        sent
    }

    /// Returns the route of the answer to a datagram, and records it. `None`: it must not be answered.
    pub(super) fn admit(
        &mut self,
        arrival: &Arrival,
        context: &TurnContext<'_>,
        own_ports: &[u16],
    ) -> Option<Route> {
        let counters = self.counters(context);
        match self.policy.check(arrival, own_ports, context.now) {
            Ok(route) => {
                let (address, bytes) = (&self.policy.address, &context.buffer[..arrival.len]);
                context.telemetry.datagram_received(address, counters, arrival.from, bytes);
                Some(route)
            }
            Err(refusal) => {
                let allowed = self.policy.allow_log(refusal, context.now);
                let peer = &Peer::remote(arrival.from);
                let event = DatagramEvent::Refused { peer, refusal };
                context.telemetry.record_datagram(event, counters, allowed);
                None
            }
        }
    }

    /// Sends an answer. Returns false if the socket has no room for it.
    pub(super) fn send(&mut self, bytes: &[u8], route: &Route, context: &TurnContext<'_>) -> bool {
        match self.try_send(bytes, route) {
            Ok(()) => {
                context.telemetry.datagram_echoed(self.counters(context), route.peer, bytes);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => {
                let allowed = self.policy.allow_failure_log(context.now);
                let peer = &Peer::remote(route.peer);
                let event = DatagramEvent::NotSent { peer, error: &error };
                let counters = self.counters(context);
                context.telemetry.record_datagram(event, counters, allowed);
            }
        }
        true
    }

    fn try_send(&mut self, bytes: &[u8], route: &Route) -> io::Result<()> {
        loop {
            match self.socket.send(bytes, route) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }
}

/// Returns whether an error of `recvmsg` reports that a peer cannot be reached: an ICMP message about an earlier answer,
/// which an inherited socket may ask for (`IP_RECVERR`, `ip(7)`).
fn is_about_an_answer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    )
}
