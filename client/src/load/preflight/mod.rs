//! Preflight: checks before a load starts, so that it fails early and says what to change.
//!
//! Owns the comparison of a plan with the capacity of the host, and the probe of a UDP server. Must not
//! know where the values of the host come from.
//!
//! Read [`capacity`] first.

pub(super) mod capacity;
pub(super) mod ports;
pub(super) mod probe;
pub(super) mod shortage;
#[cfg(test)]
mod tests;
