//! No batches: the logger of the embedding program receives each record immediately.

#[cfg(feature = "history")]
use super::flush_hook::FlushHook;
use super::totals::Totals;

/// Does nothing: records are not batched.
pub fn defer() {}

/// Does nothing: records are not batched.
pub fn flush() {}

/// Returns zeros: the embedding program has the log.
#[must_use]
pub fn totals() -> Totals {
    Totals::default()
}

/// Does nothing: nobody calls `flush` for the records.
#[cfg(feature = "history")]
pub(crate) fn set_flush_hook(_: FlushHook, _: fn()) {}
