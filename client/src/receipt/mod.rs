//! The receipt of a server (`--receipt`): what this client has sent and received, until the two can be compared.
//!
//! Owns the ledger of one connection. Must not know sockets, nor what a difference means for the caller; the receipt and the
//! words of a comparison are those of `common::receipt`. Read `ledger.rs` first.

mod ledger;
mod messages;

pub(crate) use self::ledger::{Answer, Ledger};
