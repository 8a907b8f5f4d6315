//! The line that the user types, and what each key does.
//!
//! Owns the line, its history and the names that complete it. Must not know the screen, nor what a line is used for.
//!
//! Read [`line`](mod@line) first.

pub(super) mod keys;
pub(super) mod line;
