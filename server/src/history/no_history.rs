//! The functions of the history in a build without it.

use super::message::{Message, Origin};

/// Does nothing.
pub(crate) fn record(_: &Origin<'_>, _: &Message<'_>) {}

/// Does nothing.
#[cfg(not(feature = "cli"))]
pub(crate) fn flush() {}

/// Does nothing.
pub(crate) fn detach() {}
