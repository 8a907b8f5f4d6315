//! Whether a listener can have faults, and whether they contradict each other.
//!
//! Owns every refusal of faults with its reason. The settings, a change at run time and an embedding program use the same check.
//! Must not know the text of faults, nor their effect.
//!
//! Read `check.rs` first.

mod check;
mod pairs;
mod scope;
mod single;
#[cfg(test)]
mod tests;

#[cfg(any(feature = "admin", feature = "cli"))]
pub(crate) use self::scope::FaultScope;
#[cfg(all(feature = "cli", feature = "login"))]
pub(crate) use self::scope::has_proof;
