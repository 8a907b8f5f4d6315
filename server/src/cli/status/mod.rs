//! `echo-server status`: shows the state that the admin listener of a running server reports.
//!
//! Owns the model of the answer, and how it is shown. Must not know how the server finds its figures.
//!
//! | module | what it owns |
//! |---|---|
//! | `args` | the arguments |
//! | `command` | one sample, printed; the exit status |
//! | `model` | the answers as plain data, without I/O |
//! | `view` | the screen as text, without I/O |
//! | `watch` | a sample each second, in a terminal or as lines |
//!
//! Read `command.rs` first.

mod args;
mod command;
mod model;
mod sample;
mod view;
mod watch;

pub(crate) use self::{args::StatusArgs, command::run};
