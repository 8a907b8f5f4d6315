//! The kinds of faults.

use std::{fmt, num::NonZeroU64, time::Duration};

use common::fault::Fault;

use super::{
    share::Share,
    units::{Size, Time},
};

/// The name of a jitter, which is a part of the fault `delay`.
const JITTER: &str = "jitter";

/// A fault with its figures. Numbers of bytes count the bytes that a connection has sent on its socket, with the records of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Received bytes reach the server this much later. At most 64 KiB of a connection are held; then nothing is read.
    Delay(Duration),
    /// Each delay is this much longer or shorter. It needs no [`Delay`](Self::Delay). Bytes keep their order; datagrams may
    /// overtake each other.
    Jitter {
        /// The spread, which each distribution defines.
        spread: Duration,
        /// The distribution.
        distribution: Jitter,
    },
    /// Each direction is limited to this many bytes per second.
    Throttle(NonZeroU64),
    /// So many bytes are sent, and then nothing for a time.
    Drip {
        /// Number of bytes.
        bytes: NonZeroU64,
        /// The time.
        every: Duration,
    },
    /// After so many bytes nothing is sent for a time, once.
    StallAfter {
        /// Number of bytes.
        bytes: u64,
        /// The time.
        time: Duration,
    },
    /// After so many bytes the connection is reset (RST).
    ResetAfter(u64),
    /// After so many bytes the connection is closed, and the rest of the echo is lost.
    CloseAfter(u64),
    /// After so many bytes the sending direction ends. The server goes on reading, until the client ends its direction.
    HalfCloseAfter(u64),
    /// After so many bytes all others are discarded, and the connection stays open. A datagram loses its end.
    Truncate(u64),
    /// The connection is reset when it is accepted.
    Refuse,
    /// Nothing is read or sent for a time after the accept.
    AcceptDelay(Duration),
    /// In each block of so many bytes, bits of one byte are inverted.
    Corrupt(NonZeroU64),
    /// This share of the messages is not sent.
    Drop(Share),
    /// This share of the messages is sent twice.
    Duplicate(Share),
    /// This share of the messages is sent after the next one.
    Reorder(Share),
    /// Bytes are sent in segments of `min` to `max` bytes.
    Split {
        /// Length of the shortest segment.
        min: NonZeroU64,
        /// Length of the longest segment.
        max: NonZeroU64,
    },
    /// Received bytes are collected for this time before the server reads them.
    Coalesce(Duration),
    /// TLS ends without `close_notify`.
    NoCloseNotify,
    /// The server sends nothing in a TLS handshake for this time.
    HandshakeStall(Duration),
    /// After so many WebSocket messages, the server masks a frame, which RFC 6455 forbids (section 5.1).
    BadMask(u64),
    /// After so many WebSocket messages, the server closes with this code.
    CloseCode {
        /// The code (RFC 6455, section 7.4), valid or not.
        code: u16,
        /// Number of messages that are echoed before.
        after: u64,
    },
    /// The signature of the server in a SCRAM login is wrong.
    LoginWrongProof,
}

/// Distribution of the difference between a delay and its mean. A negative delay is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// From minus the spread to plus the spread, each equally likely.
    #[default]
    Uniform,
    /// Normal, with the spread as its standard deviation.
    Normal,
    /// Exponential, with the spread as its mean: never below the delay.
    Exponential,
    /// Pareto (Lomax) of shape 3, with the spread as its mean: never below the delay, and with a long tail.
    Pareto,
}

impl FaultKind {
    /// Returns the fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Delay(_) | Self::Jitter { .. } => Fault::Delay,
            Self::Throttle(_) => Fault::Throttle,
            Self::Drip { .. } => Fault::Drip,
            Self::StallAfter { .. } => Fault::StallAfter,
            Self::ResetAfter(_) => Fault::ResetAfter,
            Self::CloseAfter(_) => Fault::CloseAfter,
            Self::HalfCloseAfter(_) => Fault::HalfCloseAfter,
            Self::Truncate(_) => Fault::Truncate,
            Self::Refuse => Fault::Refuse,
            Self::AcceptDelay(_) => Fault::AcceptDelay,
            Self::Corrupt(_) => Fault::Corrupt,
            Self::Drop(_) => Fault::Drop,
            Self::Duplicate(_) => Fault::Duplicate,
            Self::Reorder(_) => Fault::Reorder,
            Self::Split { .. } => Fault::Split,
            Self::Coalesce(_) => Fault::Coalesce,
            Self::NoCloseNotify => Fault::NoCloseNotify,
            Self::HandshakeStall(_) => Fault::HandshakeStall,
            Self::BadMask(_) => Fault::BadMask,
            Self::CloseCode { .. } => Fault::CloseCode,
            Self::LoginWrongProof => Fault::LoginWrongProof,
        }
    }

    /// Returns the name of its parameter in a listener's URL.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Jitter { .. } => JITTER,
            kind => kind.fault().name(),
        }
    }

    /// Returns the names of all parameters.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Fault::ALL.into_iter().flat_map(|fault| {
            let jitter = (fault == Fault::Delay).then_some(JITTER);
            [Some(fault.name()), jitter].into_iter().flatten()
        })
    }
}

impl Jitter {
    /// Returns its name in a listener's URL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Exponential => "exponential",
            Self::Pareto => "pareto",
        }
    }
}

impl fmt::Display for FaultKind {
    /// Writes the parameter of a listener's URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let time = |time: &Duration| Time(*time);
        match self {
            Self::Delay(delay)
            | Self::AcceptDelay(delay)
            | Self::Coalesce(delay)
            | Self::HandshakeStall(delay) => write!(f, "{name}={}", time(delay)),
            Self::Jitter { spread, distribution } => {
                write!(f, "{name}={}:{}", time(spread), distribution.name())
            }
            Self::Throttle(rate) => write!(f, "{name}={}/s", Size(rate.get())),
            Self::Drip { bytes, every } => {
                write!(f, "{name}={}/{}", Size(bytes.get()), time(every))
            }
            Self::StallAfter { bytes, time: stall } => {
                write!(f, "{name}={}:{}", Size(*bytes), time(stall))
            }
            Self::ResetAfter(bytes)
            | Self::CloseAfter(bytes)
            | Self::HalfCloseAfter(bytes)
            | Self::Truncate(bytes) => write!(f, "{name}={}", Size(*bytes)),
            Self::Corrupt(bytes) => write!(f, "{name}=1/{}", Size(bytes.get())),
            Self::Drop(share) | Self::Duplicate(share) | Self::Reorder(share) => {
                write!(f, "{name}={share}")
            }
            Self::Split { min, max } => write!(f, "{name}={min}..{max}"),
            Self::Refuse | Self::NoCloseNotify | Self::LoginWrongProof => write!(f, "{name}=on"),
            Self::BadMask(after) => write!(f, "{name}={after}"),
            Self::CloseCode { code, after } => write!(f, "{name}={code}:{after}"),
        }
    }
}
