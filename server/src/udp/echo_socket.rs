//! A turn of one UDP socket: receive datagrams, check the policy, answer.
//!
//! Datagrams are received and answered in batches. Answers that the socket does not take are kept, and nothing more is
//! received until they are sent. Until then datagrams wait in the kernel, or are dropped there, as UDP permits.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Instant,
};

use super::{
    batch::{Batch, Outgoing, Unsent},
    policy::UdpPolicy,
    route::Route,
    socket::{DatagramSocket, Headers},
};
use crate::{
    admission::Peer,
    config::limits,
    connection::Turn,
    faults::FaultyAnswers,
    metrics::ListenerCounters,
    telemetry::{DatagramEvent, Recorder},
};

/// A UDP socket and its unsent answers.
#[derive(Debug)]
pub(crate) struct UdpEchoSocket {
    pub(super) socket: Box<dyn DatagramSocket>,
    pub(super) policy: Arc<UdpPolicy>,
    pub(super) unsent: Option<Unsent>,
    /// Messages that the next call receives at most. A smaller batch touches less memory: most sockets have one datagram at a
    /// time.
    expected: usize,
    /// The socket closes when it is empty, after this many more messages at most.
    pub(super) draining: Option<usize>,
    /// The faulty answers, if the listener has faults.
    pub(super) faulty: Option<Box<FaultyAnswers<Route>>>,
}

/// Resources that a worker lends to a UDP socket for one turn.
pub(super) struct UdpTurnContext<'a> {
    /// Empty between turns.
    pub(super) batch: &'a mut Batch,
    pub(super) headers: &'a mut Headers,
    /// Maximum number of datagrams that are handled together.
    pub(super) limit: usize,
    /// The ports on which the server listens.
    pub(super) own_ports: &'a [u16],
    pub(super) telemetry: &'a Recorder<'a>,
    pub(super) now: Instant,
}

impl UdpTurnContext<'_> {
    /// Returns the time, which may be later than that at which the turn began.
    pub(super) fn present(&self) -> Instant {
        self.now.max(Instant::now())
    }
}

/// Result of one read of the socket.
#[derive(Debug)]
pub(super) enum Received {
    /// The batch has datagrams.
    Datagrams {
        more_may_wait: bool,
    },
    /// The socket returned an error, and may have another datagram.
    Error,
    Empty,
}

impl UdpEchoSocket {
    pub(crate) fn new(socket: Box<dyn DatagramSocket>, policy: Arc<UdpPolicy>) -> Self {
        let expected = limits::TURN_DATAGRAMS;
        Self { socket, policy, unsent: None, expected, draining: None, faulty: None }
    }

    #[cfg(test)]
    pub(crate) fn policy(&self) -> &UdpPolicy {
        &self.policy
    }

    /// Makes the socket close when the received datagrams are answered.
    pub(super) fn drain(&mut self) {
        self.draining.get_or_insert(limits::DRAIN_MESSAGES);
    }

    /// Returns whether the socket waits until it is writable.
    pub(super) fn wants_write(&self) -> bool {
        self.unsent.is_some()
    }

    /// Answers the waiting datagrams, within the budget of a turn.
    pub(super) fn turn(&mut self, context: &mut UdpTurnContext<'_>) -> Turn {
        if !self.send_unsent(context) {
            return Turn::Wait;
        }
        if self.has_faults(context.now) {
            return self.turn_with_faults(context);
        }
        let empty = if self.draining.is_some() { Turn::Over } else { Turn::Wait };
        let (mut budget, mut received) = (limits::TURN_DATAGRAMS, 0);
        while budget > 0 {
            let limit = self.draining.map_or(budget, |left| left.min(budget));
            if limit == 0 {
                return Turn::Over;
            }
            let is_last = match self.receive(limit.min(self.expected), context) {
                Received::Datagrams { more_may_wait } => !more_may_wait,
                Received::Error => false,
                Received::Empty => return empty,
            };
            let (datagrams, messages) = (context.batch.len(), context.batch.messages());
            received += messages;
            // An error is a read too.
            let reads = messages.max(1);
            self.expect(reads, datagrams);
            budget = budget.saturating_sub(datagrams.max(reads));
            let is_drained = self.is_drained(reads);
            if !self.answer(context) {
                return Turn::Wait;
            }
            if is_drained || is_last {
                return empty;
            }
        }
        // A socket that only returns errors would return them forever; the next datagram is a new event.
        if received > 0 { Turn::Again } else { empty }
    }

    /// Answers the datagrams of a turn that has panicked, one by one.
    pub(super) fn resume(&mut self, context: &mut UdpTurnContext<'_>) {
        context.limit = 1;
        context.batch.recover();
        if let Some(unsent) = &mut self.unsent {
            unsent.outgoing.recover();
        }
        if self.send_unsent(context) {
            if self.faulty.is_some() {
                self.hold(context);
            } else {
                self.answer(context);
            }
        }
    }

    /// Returns the number of datagrams and answers that a turn which has panicked may have left.
    pub(super) fn left(&self, context: &UdpTurnContext<'_>) -> usize {
        let unsent = self.unsent.as_ref().map_or(0, |unsent| unsent.outgoing.rest().len());
        context.batch.len() + unsent
    }

    /// Receives at most `limit` messages into the batch.
    pub(super) fn receive(&mut self, limit: usize, context: &mut UdpTurnContext<'_>) -> Received {
        match self.socket.receive(limit, context.batch, context.headers) {
            Ok(more_may_wait) => {
                for error in context.batch.take_errors() {
                    self.record_not_received(&error, context);
                }
                return Received::Datagrams { more_may_wait };
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Received::Empty,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // An earlier answer did not arrive; that does not concern the next datagram.
            Err(error) if is_about_an_answer(&error) => {}
            Err(error) => self.record_not_received(&error, context),
        }
        Received::Error
    }

    fn record_not_received(&self, error: &io::Error, context: &UdpTurnContext<'_>) {
        let allowed = self.policy.allow_failure_log(context.now);
        let event = DatagramEvent::NotReceived { address: &self.policy.address, error };
        let counters = counters(&self.policy, context.telemetry);
        context.telemetry.record_datagram(event, counters, allowed);
    }

    /// Expects twice as many messages in the next call as in the last one, if their datagrams do not exceed the budget of a turn.
    fn expect(&mut self, messages: usize, datagrams: usize) {
        let max = limits::TURN_DATAGRAMS * messages / datagrams.max(messages);
        self.expected = (2 * messages).clamp(2, limits::TURN_DATAGRAMS).min(max.max(1));
    }

    /// Counts reads in a drain. Returns whether they were the last ones.
    pub(super) fn is_drained(&mut self, reads: usize) -> bool {
        let Some(left) = &mut self.draining else { return false };
        *left = left.saturating_sub(reads);
        *left == 0
    }

    /// Answers the datagrams of the batch. Returns false if some answers have to wait for the socket.
    fn answer(&mut self, context: &mut UdpTurnContext<'_>) -> bool {
        self.judge(context);
        let sent = self.send(context);
        if !sent {
            let (outgoing, buffer) = context.batch.outgoing();
            self.unsent = Some(Unsent::new(outgoing.rest(), buffer));
        }
        context.batch.clear();
        sent
    }

    /// Decides which datagrams of the batch are answered, and records them.
    pub(super) fn judge(&mut self, context: &mut UdpTurnContext<'_>) {
        let (policy, telemetry) = (&self.policy, context.telemetry);
        let counters = counters(policy, telemetry);
        // Other workers may have taken tokens of the same source since this turn began.
        let now = context.present();
        loop {
            while let Some((arrival, verdict, bytes)) = context.batch.next_judged() {
                match verdict.route {
                    Ok(route) => {
                        telemetry.datagram_received(&policy.address, counters, arrival.from, bytes);
                        context.batch.answer(&arrival, route);
                    }
                    Err(refusal) => {
                        let allowed = policy.allow_log(refusal, now);
                        let peer = &Peer::remote(arrival.from);
                        let event = DatagramEvent::Refused { peer, refusal };
                        telemetry.record_datagram(event, counters, allowed);
                    }
                }
            }
            let own_ports = context.own_ports;
            let is_judged = context.batch.judge(context.limit, |arrivals, verdicts| {
                policy.judge(arrivals, own_ports, now, verdicts);
            });
            if !is_judged {
                break;
            }
        }
    }

    /// Sends the answers that have waited. Returns false if some of them have to wait again.
    pub(super) fn send_unsent(&mut self, context: &mut UdpTurnContext<'_>) -> bool {
        let sent = self.unsent.is_none() || self.send(context);
        if sent {
            self.unsent = None;
        }
        sent
    }

    /// Sends the answers that have waited, or if there are none those of the batch, and records them. Returns false if the
    /// socket has no room for all.
    fn send(&mut self, context: &mut UdpTurnContext<'_>) -> bool {
        let (outgoing, buffer) = unsent_or_new(&mut self.unsent, context.batch);
        let (policy, telemetry) = (&self.policy, context.telemetry);
        let counters = counters(policy, telemetry);
        while let Some(next) = outgoing.next(context.limit) {
            match self.socket.send(next, buffer, context.headers) {
                Ok(sent) => {
                    for answer in outgoing.finish(sent) {
                        let (peer, bytes) = (answer.route.peer, answer.bytes(buffer));
                        telemetry.datagram_echoed(counters, peer, bytes);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => {
                    for answer in outgoing.finish(1) {
                        let allowed = policy.allow_failure_log(context.now);
                        let peer = &Peer::remote(answer.route.peer);
                        let event = DatagramEvent::NotSent { peer, error: &error };
                        telemetry.record_datagram(event, counters, allowed);
                    }
                }
            }
        }
        true
    }
}

/// Returns the answers that have waited, or if there are none those of the batch, and the buffer with their bytes.
fn unsent_or_new<'a>(
    unsent: &'a mut Option<Unsent>,
    batch: &'a mut Batch,
) -> (&'a mut Outgoing, &'a [u8]) {
    match unsent {
        Some(Unsent { outgoing, buffer }) => (outgoing, buffer),
        None => batch.outgoing(),
    }
}

fn counters<'a>(policy: &'a UdpPolicy, telemetry: &Recorder<'_>) -> &'a ListenerCounters {
    policy.counters.worker(telemetry.worker())
}

/// Returns whether an error of `recvmmsg` reports that a peer cannot be reached: an ICMP message about an earlier answer,
/// which an inherited socket may ask for (`IP_RECVERR`, `ip(7)`).
fn is_about_an_answer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    )
}
