//! The profiles, which are a part of the program.

use serde_json::{Value, json};
use server::FaultProfile;

/// Returns the profiles as a line of JSON.
pub(super) fn to_json() -> String {
    let profile = |profile: &FaultProfile| {
        json!({
            "name": profile.name,
            "description": profile.description,
            "faults": profile.faults,
            "datagrams": profile.datagrams,
            "source": profile.source,
        })
    };
    FaultProfile::ALL.iter().map(profile).collect::<Value>().to_string()
}
