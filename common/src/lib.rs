//! What the echo server and its client agree on.
//!
//! | module | what it owns |
//! |---|---|
//! | [`protocol`] | the names and constants of the three protocols |
//! | [`endpoint`] | a place to listen on or to connect to, as a URL |
//! | [`exit`] | what reads as `exit`, and the goodbye that answers it |
//! | [`frame`] | the prefix of the `length` protocol |
//! | [`message`] | where one message ends and the next begins |
//! | [`escape`] | a peer's bytes made safe for a log line or a terminal |
//! | [`cli`] | habits of both command lines: durations, one-line errors |
//! | [`completions`], [`manual`] | scripts for shells and man pages, from the definition of a command line |
//! | [`reason`] | what the system said, as a person reads it |
//! | [`status`] | the exit statuses of both programs |
//!
//! Nothing here does I/O on a socket, knows a clock, or holds a connection.

pub mod cli;
pub mod completions;
pub mod endpoint;
pub mod escape;
pub mod exit;
pub mod frame;
pub mod manual;
pub mod message;
pub mod protocol;
pub mod reason;
pub mod status;
