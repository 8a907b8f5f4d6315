//! `echo-server history`: searches the history, while a server records in it.
//!
//! Owns the arguments and the forms in which messages are shown. Must not know the schema.
//!
//! Read `command.rs` first.

mod args;
mod command;
mod format;
mod time;

pub(crate) use self::{args::HistoryArgs, command::run};
