//! `/status`: the state of the server as one document.

use serde_json::json;

use super::{context::Context, health::not_ready};

/// Returns the document.
pub(super) fn to_json(context: &Context<'_>) -> Vec<u8> {
    let not_ready = not_ready(context.shared);
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "is_live": context.health.stalled().is_empty(),
        "stalled_threads": context.health.stalled(),
        "is_ready": not_ready.is_empty(),
        "not_ready": not_ready,
    });
    format!("{document:#}\n").into_bytes()
}
