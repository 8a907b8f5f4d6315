//! No batches: the logger of the embedding program receives each record immediately.

/// Does nothing: records are not batched.
pub fn defer() {}

/// Does nothing: records are not batched.
pub fn flush() {}

/// Does nothing: nobody calls `flush` for the records.
#[cfg(feature = "history")]
pub(crate) fn flush_also(_: fn()) {}
