//! The model of any protocol.

use super::{
    echo::Echo,
    expected::{Expected, State},
    piece::Comparison,
};
use crate::telemetry::CloseReason;

/// What a peer must receive.
pub(in crate::connection::simulation) enum Model {
    Echo(Echo),
    Http(Expected),
}

impl Model {
    /// Compares what the peer has received with what it must receive.
    pub(in crate::connection::simulation) fn compare(&self, received: &[u8]) -> Comparison {
        match self {
            Self::Echo(echo) => Comparison {
                is_allowed: echo.allows(received),
                is_complete: echo.is_complete(received),
                pings: 0,
            },
            Self::Http(expected) => expected.compare(received),
        }
    }

    /// Returns the reason if the session ends by its protocol.
    pub(in crate::connection::simulation) fn end(&self) -> Option<CloseReason> {
        match self {
            Self::Echo(echo) => echo.has_exit().then_some(CloseReason::Exit),
            Self::Http(Expected { state: State::Over(reason), .. }) => Some(*reason),
            Self::Http(_) => None,
        }
    }

    /// Returns what the peer must receive, for a person.
    pub(in crate::connection::simulation) fn describe(
        &self,
        shown: impl Fn(&[u8]) -> String,
    ) -> String {
        match self {
            Self::Echo(echo) => {
                let outcomes: Vec<String> =
                    echo.outcomes().iter().map(|outcome| shown(outcome)).collect();
                format!("{outcomes:?}")
            }
            Self::Http(expected) => expected.describe(shown),
        }
    }
}
