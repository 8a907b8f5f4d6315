//! The configuration of faults on purpose.
//!
//! Owns the faults that a listener can inject, and the text of each. Must not know which listener can have which fault
//! (`fault_check`), nor how a fault is injected (the folder `faults` above).
//!
//! Read `rule.rs` first.

#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod faults;
mod kind;
mod parse;
mod profile;
mod rule;
mod share;
mod units;

#[cfg(any(feature = "admin", feature = "cli"))]
pub(crate) use self::parse::FaultParameters;
pub(super) use self::parse::TOO_LARGE;
pub use self::{
    faults::Faults,
    kind::{FaultKind, Jitter},
    profile::FaultProfile,
    rule::{FaultRule, Window},
    share::Share,
};
