//! The terminal: its mode, its keys, its signals.
//!
//! Owns all that changes the terminal or listens to it. Must not know what is drawn, nor what a key does.
//!
//! Read [`screen`] first.

pub(super) mod keyboard;
pub(super) mod screen;
pub(super) mod signals;
