//! Items that the command lines of both programs share. Enabled by the feature `cli`.
//!
//! Owns: value parsers for arguments, one-line usage errors, the layout of the help, exit statuses, shell completions, man pages,
//! signals, non-blocking standard streams, a terminal in full-screen mode (feature `terminal`), the file with session secrets,
//! the prompt for a password.
//! Must not know: what a program does, or the protocol.
//! Read first: `usage.rs`, which parses a command line and reports its errors.

mod after_help;
mod color;
pub mod completions;
mod key_log;
pub mod manual;
mod password;
pub mod signals;
pub mod status;
pub mod stdio;
#[cfg(feature = "terminal")]
pub mod terminal;
mod usage;
mod values;

pub use key_log::KeyLogFile;
pub use password::ask_password;
pub use usage::{one_line, parse_args, parse_matches, print_error, subcommand_tip, usage_error};
pub use values::{TimeLimit, at_least_one, duration, positive_duration, time_limit};
