//! The command line of `echo-server`: arguments, subcommands, signals, the service manager.
//!
//! Owns the program around the server. Must not know how a connection is served.
//!
//! Read [`args`] first.

pub(crate) mod advice;
pub(crate) mod args;
pub(crate) mod commands;
#[cfg(feature = "history")]
pub(crate) mod history;
mod notify_socket;
pub(crate) mod reload_signal;
pub(crate) mod signals;
#[cfg(feature = "admin")]
pub(crate) mod status;
pub(crate) mod systemd;
#[cfg(feature = "login")]
pub(crate) mod user;
