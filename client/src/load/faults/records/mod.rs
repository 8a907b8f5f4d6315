//! Records that contradict each other, or what the client has sent, whatever it has received.
//!
//! Owns what a server can record at all: how often a fault happens to one connection, where it can happen, and what the connections of
//! one set of faults have in common. Must not know received bytes.
//!
//! Read `contradictions.rs` first.

mod contradictions;
mod messages;
mod numbered;
mod place;
mod sets;

pub(super) use self::{
    contradictions::{Checked, check},
    numbered::Numbered,
    sets::compare,
};
