//! The command line of `echo-server`: arguments, subcommands, signals, the service manager.
//!
//! Owns the program around the server. Must not know how a connection is served.
//!
//! Read [`args`] first.

#[cfg(feature = "admin")]
mod admin_client;
pub(crate) mod advice;
pub(crate) mod args;
pub(crate) mod commands;
#[cfg(feature = "admin")]
pub(crate) mod faults;
#[cfg(feature = "history")]
pub(crate) mod history;
mod notify_socket;
#[cfg(feature = "admin")]
mod output;
pub(crate) mod reload_signal;
pub(crate) mod signals;
#[cfg(feature = "admin")]
pub(crate) mod status;
pub(crate) mod systemd;
#[cfg(feature = "admin")]
mod table;
#[cfg(feature = "login")]
pub(crate) mod user;
