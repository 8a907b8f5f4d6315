//! The comparison of both ends of a connection.

use std::fmt;

use super::{
    document::{EndedBy, Receipt},
    tally::Total,
};
use crate::{count::Count, fault::FaultId};

/// Comparison of the bytes of both directions between a client and a server.
///
/// ```
/// use common::receipt::{Comparison, EndedBy, Receipt, Total, Transit};
/// // A proxy has lost a byte of the request.
/// let receipt =
///     Receipt::new(Total::of(b"helo"), Total::of(b"helo"), EndedBy::Client);
/// let comparison = Comparison::new(&Total::of(b"hello"), &Total::of(b"helo"), &receipt);
/// assert_eq!(comparison.to_server, Transit::Lost { from: 5, to: 4 });
/// assert_eq!(comparison.to_client, Transit::Intact { bytes: 4 });
/// assert_eq!(
///     comparison.to_string(),
///     "Receipt: 1 byte was lost on the way to the server: the client sent 5 bytes, and the server received 4; \
///      on the way back all 4 bytes arrived"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// From the client to the server.
    pub to_server: Transit,
    /// From the server to the client.
    pub to_client: Transit,
    /// The seed and the number of a connection into which the server injects faults on purpose.
    pub faults: Option<FaultId>,
}

/// Comparison of the bytes of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transit {
    /// They arrived unchanged.
    Intact {
        /// Number of bytes.
        bytes: u64,
    },
    /// As many arrived, and they are others: the digests differ.
    Changed {
        /// Number of bytes.
        bytes: u64,
    },
    /// Fewer arrived. The others may be changed as well.
    Lost {
        /// Bytes sent.
        from: u64,
        /// Bytes received.
        to: u64,
    },
    /// Fewer were read, because the server ended the connection before the client did. The others may be changed as well.
    Unread {
        /// Bytes sent.
        from: u64,
        /// Bytes read.
        to: u64,
    },
    /// More arrived. The others may be changed as well.
    Added {
        /// Bytes sent.
        from: u64,
        /// Bytes received.
        to: u64,
    },
}

impl Transit {
    fn new(from: &Total, to: &Total) -> Self {
        let (sent, received) = (from.bytes, to.bytes);
        match sent.cmp(&received) {
            std::cmp::Ordering::Greater => Self::Lost { from: sent, to: received },
            std::cmp::Ordering::Less => Self::Added { from: sent, to: received },
            std::cmp::Ordering::Equal if from.sha256 == to.sha256 => Self::Intact { bytes: sent },
            std::cmp::Ordering::Equal => Self::Changed { bytes: sent },
        }
    }

    /// Returns the transit to a receiver that may not have read all that arrived.
    fn to_server(self, ended_by: EndedBy) -> Self {
        match (self, ended_by) {
            (Self::Lost { from, to }, EndedBy::Server) => Self::Unread { from, to },
            (transit, _) => transit,
        }
    }

    /// Returns whether the bytes arrived unchanged.
    #[must_use]
    pub fn is_intact(self) -> bool {
        matches!(self, Self::Intact { .. })
    }

    /// Returns the number of bytes that are missing and were not read.
    #[must_use]
    pub fn unread(self) -> u64 {
        match self {
            Self::Unread { from, to } => from - to,
            _ => 0,
        }
    }

    /// Returns the number of bytes that were lost on the way.
    #[must_use]
    pub fn lost(self) -> u64 {
        match self {
            Self::Lost { from, to } => from - to,
            _ => 0,
        }
    }

    /// Returns the number of bytes that nobody sent.
    #[must_use]
    pub fn added(self) -> u64 {
        match self {
            Self::Added { from, to } => to - from,
            _ => 0,
        }
    }

    /// Describes bytes that did not arrive unchanged.
    fn explain(
        self,
        f: &mut fmt::Formatter<'_>,
        direction: &str,
        from: &str,
        to: &str,
    ) -> fmt::Result {
        let (number, verb, sent, received) = match self {
            Self::Intact { .. } => return Ok(()),
            Self::Changed { bytes } => {
                return write!(
                    f,
                    "bytes were changed on the way {direction}: {from} sent {}, {to} received as many, and their SHA-256 differ",
                    count(bytes)
                );
            }
            Self::Unread { from: sent, to: read } => {
                return write!(
                    f,
                    "{to} ended the connection and did not read the last {}: {from} sent {}, and {to} received {read}",
                    count(sent - read),
                    count(sent)
                );
            }
            Self::Lost { from, to } => (from - to, "lost", from, to),
            Self::Added { from, to } => (to - from, "added", from, to),
        };
        let were = if number == 1 { "was" } else { "were" };
        write!(f, "{} {were} {verb} on the way {direction}: ", count(number))?;
        write!(f, "{from} sent {}, and {to} received {received}", count(sent))
    }
}

impl Comparison {
    /// Compares what a client has `sent` and `received`, before the receipt, with the receipt of its server.
    #[must_use]
    pub fn new(sent: &Total, received: &Total, receipt: &Receipt) -> Self {
        Self {
            to_server: Transit::new(sent, &receipt.received).to_server(receipt.ended_by),
            to_client: Transit::new(&receipt.sent, received),
            faults: receipt.faults(),
        }
    }

    /// Returns whether all bytes of both directions arrived unchanged.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.to_server.is_intact() && self.to_client.is_intact()
    }
}

impl fmt::Display for Comparison {
    /// Writes one sentence for the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const THERE: (&str, &str, &str) = ("to the server", "the client", "the server");
        const BACK: (&str, &str, &str) = ("back", "the server", "the client");
        let explain =
            |f: &mut fmt::Formatter<'_>, transit: Transit, (direction, from, to): (_, _, _)| {
                transit.explain(f, direction, from, to)
            };
        f.write_str("Receipt: ")?;
        match (self.to_server, self.to_client) {
            (Transit::Intact { bytes: there }, Transit::Intact { bytes: back }) => write!(
                f,
                "the server received all {}, and all {} that it sent arrived",
                count(there),
                count(back)
            ),
            (Transit::Intact { bytes }, back) => {
                explain(f, back, BACK)?;
                write!(f, "; the server received all {}", count(bytes))
            }
            (there, Transit::Intact { bytes }) => {
                explain(f, there, THERE)?;
                write!(f, "; on the way back all {} arrived", count(bytes))
            }
            (there, back) => {
                explain(f, there, THERE)?;
                f.write_str("; ")?;
                explain(f, back, BACK)
            }
        }?;
        match self.faults {
            Some(FaultId { seed, connection }) => write!(
                f,
                "; the server injects faults on purpose (seed {seed}, connection {connection})"
            ),
            None => Ok(()),
        }
    }
}

fn count(bytes: u64) -> Count {
    Count(bytes, "byte")
}
