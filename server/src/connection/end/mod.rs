//! The end of a connection: by its peer, its session, the drain, or a failure.
//!
//! Owns the steps from the last byte to the close, and the reason that the log shows. Must not know what decides to end.
//!
//! Read `steps.rs` first.

mod reason;
mod steps;
