//! The exit statuses of both programs.

/// Everything went as asked.
pub const SUCCESS: u8 = 0;

/// The work failed: no server, a port in use, a wrong echo, a lost reply.
pub const FAILED: u8 = 1;

/// The command line was wrong; nothing was tried.
pub const USAGE: u8 = 2;

/// The work went well, but a condition on its figures (`--assert`, `--find-rate`) does not hold.
pub const CONDITION: u8 = 3;

/// The work went well, but its figures say more about the client than about the server.
pub const CLIENT_LIMITED: u8 = 4;

/// What a shell reports for a program that a signal ended: 128 and the signal's number.
///
/// ```
/// assert_eq!(common::status::signalled(15), 143); // SIGTERM
/// ```
#[must_use]
pub fn signalled(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
