//! Diagnosis of wrong bytes: where they belong, and what has happened to those that were expected.
//!
//! The payload names its position in every block, so the wrong bytes themselves tell whether they belong to
//! another connection, were repeated, follow missing or late ones, or were never sent. Lines that are too
//! short to contain a whole block are searched for in the streams instead.
//!
//! Must not know sockets, nor how the bytes were received.
//!
//! Read [`explain`] first.

pub(super) mod damage;
pub(super) mod explain;
mod locate;
