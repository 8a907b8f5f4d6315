//! Verdict on a load, as a word.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Verdict on the figures of a load; the worst one is the greatest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(crate) enum Verdict {
    /// Every byte returned, and the client was not the limit.
    Valid,
    /// It is unknown whether the client was the limit: the run was too short, or a histogram log was merged.
    #[default]
    Unknown,
    /// The client's own CPU, or its lag behind the schedule, was the limit.
    ClientLimited,
    /// Errors, lost messages, wrong bytes, or a failed process of the client.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "VALID",
            Self::Unknown => "UNKNOWN",
            Self::ClientLimited => "CLIENT-LIMITED",
            Self::Failed => "FAILED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_the_same_word_in_json_and_in_text() {
        for (verdict, word) in
            [(Verdict::Valid, "VALID"), (Verdict::ClientLimited, "CLIENT-LIMITED")]
        {
            assert_eq!(serde_json::to_value(verdict).unwrap(), word);
            assert_eq!(verdict.to_string(), word);
        }
    }
}
