//! One fault of a listener, and when it applies.

use std::{fmt, ops::Range, time::Duration};

use super::{kind::FaultKind, share::Share, units::Time};

/// Time in which a fault applies, counted from the moment at which the listener got its faults.
pub type Window = Range<Duration>;

/// A fault, the share of the connections that have it, and the time in which it applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// The fault.
    pub kind: FaultKind,
    /// Share of the connections that have the fault; over UDP, of the sources.
    pub share: Share,
    /// Outside of this time the fault does nothing. `None`: always.
    pub window: Option<Window>,
}

impl FaultRule {
    /// Creates a rule for all connections, at all times.
    #[must_use]
    pub fn always(kind: FaultKind) -> Self {
        Self { kind, share: Share::ALL, window: None }
    }
}

impl fmt::Display for FaultRule {
    /// Writes the parameter of a listener's URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, share, window } = self;
        if let FaultKind::Refuse = kind {
            // The share is its value.
            write!(f, "refuse={share}")?;
        } else {
            write!(f, "{kind}")?;
            if *share != Share::ALL {
                write!(f, "@{share}")?;
            }
        }
        let Some(Range { start, end }) = window else { return Ok(()) };
        write!(f, "@{}..{}", Time(*start), Time(*end))
    }
}
