//! `echo-server faults`: shows, sets and clears the faults of the listeners of a running server.
//!
//! Owns the requests to its admin listener, and how the answers are shown. Must not know the effect of a fault.
//!
//! Read `command.rs` first.

mod args;
mod command;
mod model;
mod profiles;
mod view;

pub(crate) use self::{args::FaultsCommand, command::run};
