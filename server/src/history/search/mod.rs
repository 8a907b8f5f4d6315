//! The search of a history, while a server records in it.
//!
//! A search reads in short transactions, so that it never keeps the journal from being emptied. Must not know the command
//! line, or how a message is shown.
//!
//! Read `search.rs` first.

mod candidates;
mod found;
mod query;
#[cfg(feature = "rooms")]
mod rooms;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod search;
#[cfg(test)]
mod tests;

#[cfg(feature = "rooms")]
pub(crate) use self::rooms::{RecordedRoom, recorded_rooms};
pub use self::{found::Found, query::Query, search::Search};
