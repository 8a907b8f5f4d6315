//! Faults on purpose: how a connection gets them, and their effect on it.
//!
//! Must not know what faults do to bytes: those beneath the layers pass bytes and name an end, which is carried out here, and
//! those of messages return what to encode. Only the fault that omits the end of a layer is decided here.
//!
//! Read `apply.rs` first.

mod apply;
mod layer_end;
mod messages;
mod record;
#[cfg(test)]
mod tests;
mod transfer;
