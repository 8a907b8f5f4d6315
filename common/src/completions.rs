//! Completions for shells, from the same definition as the command line and its help.
//!
//! Must not know what a program does.

use clap::Command;
pub use clap_complete::Shell;

/// The script that makes a shell complete the arguments of `program`.
///
/// ```
/// use common::completions::{Shell, script};
/// let script = script(Shell::Bash, clap::Command::new("echo-client"));
/// assert!(String::from_utf8_lossy(&script).contains("echo-client"));
/// ```
#[must_use]
pub fn script(shell: Shell, mut program: Command) -> Vec<u8> {
    let (name, mut script) = (program.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut program, name, &mut script);
    script
}
