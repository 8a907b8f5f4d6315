//! The writer: the only thread that writes to the database.
//!
//! It commits what the queue hands over, and does the rest in between: checkpoints, the search index, and the deletion of
//! what is too much. Must not know who records or searches.
//!
//! Read `writer.rs` first.

mod checkpoint;
mod deletion;
mod index;
mod records;
mod runs;
#[cfg(test)]
mod tests;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod writer;

#[cfg(test)]
pub(super) use self::index::index_first;
pub(super) use self::{
    runs::{LastEnd, Runs},
    writer::Writer,
};
