//! The parser of faults, for the URL of a listener and for a change at run time.
//!
//! Owns the grammar of a fault, and the replacement of a profile by its faults. Must not know whether a listener can have a fault.
//!
//! Read `parameters.rs` first.

mod kind;
mod parameters;
#[cfg(test)]
mod tests;
mod values;

#[cfg(any(feature = "admin", feature = "cli"))]
pub(crate) use self::parameters::FaultParameters;
pub(in crate::config) use self::values::TOO_LARGE;
