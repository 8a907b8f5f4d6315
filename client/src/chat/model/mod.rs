//! What the user knows of a room: who is in it, what was said, what is missing.
//!
//! Owns the state of a membership without I/O and without a clock. Must not know connections, framings, nor the screen.
//!
//! Read [`membership`] first: both modes have it. [`conversation`] is what the screen shows.

pub(super) mod conversation;
pub(super) mod in_flight;
mod members;
pub(super) mod membership;
pub(super) mod scrollback;
pub(super) mod sequence;

#[cfg(test)]
mod tests;
