//! The fault of a connection that did not reach its session.

use crate::metrics::FAULTS;

/// The fault of a PROXY header or a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The first bytes are something else.
    Missing,
    /// It breaks the rules.
    Invalid,
    /// The peer closed in the middle.
    Incomplete,
    /// It was not complete in time.
    Timeout,
}

impl Fault {
    /// All of them, each at its index.
    #[cfg_attr(not(feature = "admin"), expect(dead_code, reason = "nothing lists them"))]
    pub(crate) const ALL: [Self; FAULTS] =
        [Self::Missing, Self::Invalid, Self::Incomplete, Self::Timeout];

    /// Returns the index of its counter.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Returns the name for the log and the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Incomplete => "incomplete",
            Self::Timeout => "timeout",
        }
    }
}
