//! A turn of a UDP socket whose listener has faults: its answers are damaged, dropped, and sent when they are due.

use std::time::Instant;

use super::{
    batch::Unsent,
    echo_socket::{Received, UdpEchoSocket, UdpTurnContext},
};
use crate::{admission::Peer, config::limits, connection::Turn, faults::FaultyAnswers};

impl UdpEchoSocket {
    /// Returns the time at which the next held answer is due. An answer that waits for the socket has none.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.faulty.as_ref().filter(|_| self.unsent.is_none())?.deadline()
    }

    /// Returns the number of answers that are held.
    pub(super) fn held(&self) -> usize {
        self.faulty.as_ref().map_or(0, |faulty| faulty.len())
    }

    /// Returns whether the listener has faults, or had some: then its datagrams are counted until it is closed.
    pub(super) fn has_faults(&mut self, now: Instant) -> bool {
        let present = self.policy.faults.get();
        if present.is_none() && self.faulty.is_none() {
            return false;
        }
        // The drain timeout does not bound a listener that a reload has removed.
        let present = present.filter(|_| !self.policy.is_closing());
        match (&mut self.faulty, present) {
            (Some(faulty), present) => {
                if !faulty.is_of(present.as_ref()) {
                    faulty.replace(present, now);
                }
            }
            (None, Some(present)) => self.faulty = Some(Box::new(FaultyAnswers::new(present))),
            (None, None) => {}
        }
        self.faulty.is_some()
    }

    /// Sends the answers that are due, and receives messages, within the budget of a turn for each. One by one: the bound on
    /// held answers is checked before each, and listeners with faults need no speed.
    #[cold]
    pub(super) fn turn_with_faults(&mut self, context: &mut UdpTurnContext<'_>) -> Turn {
        if let Some(turn) = self.send_due(context) {
            return turn;
        }
        let mut received = 0;
        for _ in 0..limits::TURN_DATAGRAMS {
            let is_full = self.faulty.as_ref().is_some_and(|faulty| faulty.is_full());
            if is_full || self.draining == Some(0) {
                return self.send_due(context).unwrap_or_else(|| self.rest());
            }
            match self.receive(1, context) {
                Received::Datagrams { .. } => {
                    received += 1;
                    self.hold(context);
                }
                Received::Error => {}
                Received::Empty => return self.send_due(context).unwrap_or_else(|| self.rest()),
            }
            self.is_drained(1);
        }
        let turn = self.send_due(context);
        turn.unwrap_or_else(|| if received > 0 { Turn::Again } else { self.rest() })
    }

    /// Takes the received datagrams that may be answered.
    pub(super) fn hold(&mut self, context: &mut UdpTurnContext<'_>) {
        self.judge(context);
        // Its delay counts from its arrival.
        let now = context.present();
        let (outgoing, buffer) = context.batch.outgoing();
        while let Some([answer]) = outgoing.next(1) {
            if let Some(faulty) = &mut self.faulty {
                faulty.push(answer.route.peer, answer.bytes(buffer), answer.route, now);
            }
            outgoing.finish(1);
        }
        context.batch.clear();
    }

    /// Sends the answers that are due. Returns the end of the turn, if some of them have to wait.
    fn send_due(&mut self, context: &mut UdpTurnContext<'_>) -> Option<Turn> {
        let (now, mut turn) = (context.present(), Some(Turn::Again));
        for _ in 0..limits::TURN_DATAGRAMS {
            let answer = self.faulty.as_mut().and_then(|faulty| faulty.pop(now));
            let Some(answer) = answer else {
                turn = None;
                break;
            };
            self.unsent = Some(Unsent::one(&answer.bytes, answer.route));
            if !self.send_unsent(context) {
                turn = Some(Turn::Wait);
                break;
            }
        }
        self.record_injected(context);
        turn
    }

    /// Returns the end of a turn after which the socket is empty.
    fn rest(&self) -> Turn {
        if self.draining.is_some() && self.held() == 0 { Turn::Over } else { Turn::Wait }
    }

    /// Records the faults of answers.
    fn record_injected(&mut self, context: &UdpTurnContext<'_>) {
        let (policy, telemetry) = (&self.policy, context.telemetry);
        let counters = policy.counters.worker(telemetry.worker());
        if let Some(faulty) = &mut self.faulty {
            faulty.report(|source, plan, act| {
                let (peer, listener) = (&Peer::remote(source), &policy.address);
                telemetry.datagram_fault(peer, listener, counters, plan, act);
            });
        }
    }
}
