//! The store: the SQLite database, its schema, and its refusals.
//!
//! Owns how a database is opened, checked and migrated. Must not know queues or searches.
//!
//! Read [`schema`] first: it has the tables.

mod error;
mod open;
mod schema;

pub use self::error::HistoryError;
pub(super) use self::{
    error::{Cause, shown, words},
    open::{journal_path, open_reader, open_writer},
    schema::{INDEX_VERSION, index_table},
};
