//! The names of the faults.

/// A fault that a server injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "fault-log", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "fault-log", serde(rename_all = "kebab-case"))]
pub enum Fault {
    /// Received bytes reach the server later, by a delay with its jitter.
    Delay,
    /// Both directions are limited to a rate.
    Throttle,
    /// A few bytes are sent at a time.
    Drip,
    /// Nothing is sent for a while.
    StallAfter,
    /// The connection is reset.
    ResetAfter,
    /// The connection is closed.
    CloseAfter,
    /// The sending direction ends, and the server goes on reading.
    HalfCloseAfter,
    /// Bytes are discarded instead of sent, up to the end of the connection; or the end of a datagram is.
    Truncate,
    /// The connection is reset when it is accepted.
    Refuse,
    /// The connection is served later.
    AcceptDelay,
    /// Bits of a byte are inverted.
    Corrupt,
    /// A message or a datagram is not sent.
    Drop,
    /// A message or a datagram is sent twice.
    Duplicate,
    /// A message or a datagram is sent after the next one.
    Reorder,
    /// Bytes are sent in small segments.
    Split,
    /// Received bytes are collected for a while.
    Coalesce,
    /// TLS ends without `close_notify`.
    NoCloseNotify,
    /// The server does not answer in a TLS handshake.
    HandshakeStall,
    /// A WebSocket frame of the server is masked.
    BadMask,
    /// The WebSocket is closed with a code.
    CloseCode,
    /// The proof of the server in a SCRAM login is wrong.
    LoginWrongProof,
}

impl Fault {
    /// All faults, each at its [index](Self::index).
    pub const ALL: [Self; 21] = [
        Self::Delay,
        Self::Throttle,
        Self::Drip,
        Self::StallAfter,
        Self::ResetAfter,
        Self::CloseAfter,
        Self::HalfCloseAfter,
        Self::Truncate,
        Self::Refuse,
        Self::AcceptDelay,
        Self::Corrupt,
        Self::Drop,
        Self::Duplicate,
        Self::Reorder,
        Self::Split,
        Self::Coalesce,
        Self::NoCloseNotify,
        Self::HandshakeStall,
        Self::BadMask,
        Self::CloseCode,
        Self::LoginWrongProof,
    ];

    /// Returns its place in [`ALL`](Self::ALL).
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Returns its name, as in a listener's URL and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Throttle => "throttle",
            Self::Drip => "drip",
            Self::StallAfter => "stall-after",
            Self::ResetAfter => "reset-after",
            Self::CloseAfter => "close-after",
            Self::HalfCloseAfter => "half-close-after",
            Self::Truncate => "truncate",
            Self::Refuse => "refuse",
            Self::AcceptDelay => "accept-delay",
            Self::Corrupt => "corrupt",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Split => "split",
            Self::Coalesce => "coalesce",
            Self::NoCloseNotify => "no-close-notify",
            Self::HandshakeStall => "handshake-stall",
            Self::BadMask => "bad-mask",
            Self::CloseCode => "close-code",
            Self::LoginWrongProof => "login-wrong-proof",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_at_its_index() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault.index(), index);
        }
    }

    /// The numbers that a seed promises depend on the index.
    #[test]
    fn a_seed_promises_these_indexes() {
        let promised = [
            (Fault::Delay, 0),
            (Fault::Throttle, 1),
            (Fault::Drip, 2),
            (Fault::StallAfter, 3),
            (Fault::ResetAfter, 4),
            (Fault::CloseAfter, 5),
            (Fault::HalfCloseAfter, 6),
            (Fault::Truncate, 7),
            (Fault::Refuse, 8),
            (Fault::AcceptDelay, 9),
            (Fault::Corrupt, 10),
            (Fault::Drop, 11),
            (Fault::Duplicate, 12),
            (Fault::Reorder, 13),
            (Fault::Split, 14),
            (Fault::Coalesce, 15),
            (Fault::NoCloseNotify, 16),
            (Fault::HandshakeStall, 17),
            (Fault::BadMask, 18),
            (Fault::CloseCode, 19),
            (Fault::LoginWrongProof, 20),
        ];
        assert_eq!(promised.map(|(fault, _)| fault), Fault::ALL);
        for (fault, index) in promised {
            assert_eq!(fault.index(), index, "{}", fault.name());
        }
    }
}
