//! `/faults`: the faults of listeners are shown, set and cleared.
//!
//! Owns the names of listeners in a request, and the document. Must not know who may change faults (`client`), nor their effect.
//!
//! Read `respond.rs` first.

mod document;
mod respond;

pub(super) use self::respond::respond;
