//! The events of datagrams: level, text, JSON fields and metric of each. Their messages are in `recorder.rs`.

use std::{fmt, io};

use common::{count::Count, reason::reason};
use log::{
    Level::{Error, Warn},
    kv::Value,
};

use super::{
    event::{Declaration, Event},
    log_throttle::Suppressed,
};
use crate::{
    admission::{DatagramRefusal, Peer},
    metrics::{Counter, DATAGRAM_REASONS, ListenerCounters},
};

/// Index of the datagrams that the system could not deliver, behind the kinds of refusals.
const NOT_RECEIVED: usize = DatagramRefusal::KINDS;

const _: () = assert!(NOT_RECEIVED < DATAGRAM_REASONS);

/// An event of one datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DatagramEvent<'a> {
    /// The system refused to send an answer.
    NotSent { peer: &'a Peer, error: &'a io::Error },
    /// A datagram must not be answered.
    Refused { peer: &'a Peer, refusal: DatagramRefusal },
    /// The system could not deliver a datagram to the socket with this address.
    NotReceived { address: &'a str, error: &'a io::Error },
    /// The server ends before delayed answers are due.
    Held { address: &'a str, answers: usize },
    /// The code that served a datagram of the socket with this address panicked.
    Panicked { address: &'a str },
}

/// An event, and the number of suppressed lines about others like it.
pub(super) struct OfDatagram<'a> {
    pub(super) event: DatagramEvent<'a>,
    pub(super) suppressed: Suppressed,
}

impl Event for OfDatagram<'_> {
    fn declaration(&self) -> Declaration {
        use DatagramEvent as E;
        match self.event {
            E::NotSent { .. } => Declaration::new(Warn, "datagram-not-sent"),
            E::Refused { .. } => Declaration::new(Warn, "datagram-refused"),
            E::NotReceived { .. } => Declaration::new(Warn, "datagram-not-received"),
            E::Held { .. } => Declaration::new(Warn, "datagrams-held"),
            E::Panicked { .. } => Declaration::new(Error, "panic"),
        }
    }

    fn counter<'a>(&self, counters: &'a ListenerCounters) -> Option<&'a Counter> {
        Some(match self.event {
            DatagramEvent::NotSent { .. } => &counters.datagrams_not_sent,
            DatagramEvent::Refused { refusal, .. } => counters.datagrams_refused.of(refusal.kind()),
            DatagramEvent::NotReceived { .. } => counters.datagrams_refused.of(NOT_RECEIVED),
            DatagramEvent::Held { .. } => return None,
            DatagramEvent::Panicked { .. } => &counters.panics,
        })
    }

    fn visit_fields<'a>(&'a self, visit: &mut dyn FnMut(&'static str, Value<'a>)) {
        match self.event {
            DatagramEvent::NotSent { peer, .. } | DatagramEvent::Refused { peer, .. } => {
                visit("peer", Value::from_display(peer));
            }
            DatagramEvent::NotReceived { address, .. } | DatagramEvent::Panicked { address } => {
                visit("address", Value::from(address));
            }
            DatagramEvent::Held { address, answers } => {
                visit("address", Value::from(address));
                visit("datagrams", Value::from(answers));
            }
        }
    }
}

impl fmt::Display for OfDatagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DatagramEvent as E;
        match self.event {
            E::NotSent { peer, error } => {
                write!(f, "Could not answer a datagram from {peer}: {}", reason(error))?;
            }
            E::Refused { peer, refusal } => {
                write!(f, "Did not answer a datagram from {peer}: {refusal}")?;
            }
            E::NotReceived { address, error } => {
                write!(f, "Could not receive a datagram on {address}: {}", reason(error))?;
            }
            E::Held { address, answers } => {
                let answers = Count(answers as u64, "delayed answer");
                write!(f, "Ended before {answers} of {address} could be sent")?;
            }
            E::Panicked { address } => write!(
                f,
                "A bug ended the service of a datagram on {address}; other datagrams are served"
            )?,
        }
        self.suppressed.fmt(f)
    }
}
