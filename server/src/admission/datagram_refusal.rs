//! The reasons why a datagram is not answered.

use std::{fmt, num::NonZeroU32};

use common::count::Count;

/// Reason why a datagram is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatagramRefusal {
    /// Sent to a broadcast or multicast address: every receiver would answer.
    NotUnicast,
    /// Sent from the port of a service that answers datagrams.
    ServicePort(u16),
    /// Sent from a port on which this server listens.
    OwnPort(u16),
    /// No hop left for the answer.
    HopLimitExhausted,
    /// Over the limit of answers per second for the source.
    RateLimited(NonZeroU32),
}

impl DatagramRefusal {
    /// Number of kinds.
    pub(crate) const KINDS: usize = Self::NAMES.len();

    /// The name of each kind in the metrics, at its index.
    pub(crate) const NAMES: [&str; 5] =
        ["not-unicast", "service-port", "own-port", "hop-limit", "rate"];

    /// Returns the index of the kind, below [`KINDS`](Self::KINDS).
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::NotUnicast => 0,
            Self::ServicePort(_) => 1,
            Self::OwnPort(_) => 2,
            Self::HopLimitExhausted => 3,
            Self::RateLimited(_) => 4,
        }
    }
}

impl fmt::Display for DatagramRefusal {
    /// Writes the reason, as the log has it after the peer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnicast => f.write_str("it was sent to a broadcast or multicast address"),
            Self::ServicePort(port) => {
                write!(f, "port {port} belongs to a service that would answer the answer")
            }
            Self::OwnPort(port) => write!(f, "this server listens on port {port} itself"),
            Self::HopLimitExhausted => {
                f.write_str("its hop limit is exhausted, as when two servers answer each other")
            }
            Self::RateLimited(rate) => {
                let answers = Count(rate.get().into(), "answer");
                write!(f, "its source has reached {answers} per second (?rate=)")
            }
        }
    }
}
