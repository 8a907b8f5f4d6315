//! The configuration of faults on purpose.
//!
//! Owns what a listener may be told to do wrong, and the text of each fault. Must not know how a text is parsed (`settings`)
//! nor how a fault is injected (`faults`).
//!
//! Read `rule.rs` first.

#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod faults;
mod kind;
mod rule;
mod share;

pub use self::{
    faults::Faults,
    kind::{FaultKind, Jitter},
    rule::{FaultRule, Window},
    share::Share,
};
