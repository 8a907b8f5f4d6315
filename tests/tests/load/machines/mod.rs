//! Loads of several machines: the common start, and the files in `docs/deploy/` that run them by an existing engine.
//!
//! The engines run on this machine, or a script stands in for them. Read `start.rs` first.

mod engines;
mod start;
