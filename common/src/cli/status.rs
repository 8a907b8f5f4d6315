//! Exit statuses of both programs.

/// The work succeeded.
pub const SUCCESS: u8 = 0;

/// The work failed: no server, a port in use, a wrong echo, a lost reply.
pub const FAILED: u8 = 1;

/// The command line is invalid; the program did nothing.
pub const USAGE: u8 = 2;

/// The work succeeded, but a condition on its metrics (`--assert`, `--find-rate`) does not hold.
pub const CONDITION: u8 = 3;

/// The work succeeded, but the client limited the measurement more than the server did.
pub const CLIENT_LIMITED: u8 = 4;

/// Returns the status that a shell reports for a program ended by a signal: 128 plus the signal's number.
///
/// ```
/// assert_eq!(common::cli::status::signalled(15), 143); // SIGTERM
/// ```
#[must_use]
pub fn signalled(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
