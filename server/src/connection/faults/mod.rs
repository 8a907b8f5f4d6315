//! Faults on purpose: how a connection gets them, and what they do to it.
//!
//! Must not know which faults there are: the faults beneath the layers pass bytes and name an end, which is carried out here.
//!
//! Read `apply.rs` first.

mod apply;
mod messages;
mod record;
#[cfg(test)]
mod tests;
mod transfer;
