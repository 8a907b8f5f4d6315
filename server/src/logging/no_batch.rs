//! No batches: the logger of the embedding program receives each record immediately.

#[cfg(feature = "history")]
use super::also::Also;
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
pub(crate) fn flush_also(_: Also, _: fn()) {}
