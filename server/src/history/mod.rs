//! The history: a record of all messages in a SQLite database, and its search.
//!
//! Each thread that serves peers adds the messages to its own *batch*; a batch goes through a bounded *queue* to the
//! *writer*, a thread that alone writes to the database. A search reads the same database, usually in another process.
//!
//! ```text
//! telemetry ──> batch per thread ──> queue (bounded) ──> writer ──> store (SQLite) <── search
//! ```
//!
//! Owns the way of a message to the database, the schema, and what is deleted when. Must not know connections, rooms or
//! the command line.
//!
//! Read `batch.rs` first, which has the functions that other parts call, then `writer/`. docs/HISTORY.md has the schema and
//! the guarantees.

#[cfg(feature = "history")]
mod batch;
#[cfg(feature = "history")]
mod encoding;
#[cfg(feature = "history")]
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod history;
mod message;
#[cfg(not(feature = "history"))]
mod no_history;
#[cfg(feature = "history")]
mod queue;
#[cfg(feature = "history")]
mod run_file;
#[cfg(feature = "history")]
pub mod search;
#[cfg(feature = "history")]
mod stats;
#[cfg(feature = "history")]
mod store;
#[cfg(feature = "history")]
mod writer;

#[cfg(all(feature = "history", not(feature = "cli")))]
pub(crate) use self::batch::flush;
pub(crate) use self::message::{Direction, Message, Origin};
#[cfg(not(any(feature = "history", feature = "cli")))]
pub(crate) use self::no_history::flush;
#[cfg(not(feature = "history"))]
pub(crate) use self::no_history::{detach, record};
#[cfg(feature = "history")]
pub(crate) use self::{
    batch::{attach, detach, record},
    history::{History, StatsReader},
};
#[cfg(feature = "history")]
pub use self::{stats::HistoryStats, store::HistoryError};
