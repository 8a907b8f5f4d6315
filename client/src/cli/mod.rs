//! Command line: arguments, the configuration that they mean, and the subcommand that runs.
//!
//! Owns the program's own arguments and puts those of the subcommands together; each subcommand owns its
//! own. Imports every other folder, and no other folder imports it.
//!
//! Read [`args`] first, then [`config`] and [`run`].

pub(crate) mod args;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod run;
