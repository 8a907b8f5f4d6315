//! What the black-box tests share: real processes, real sockets, a real terminal.
//!
//! | module | what it owns |
//! |---|---|
//! | [`binaries`] | where the two programs are, freshly built |
//! | [`server`] | a running `echo-server` and what it logs |
//! | [`program`] | a program that is fed, read and waited for through pipes |
//! | [`pty`] | a program in a pseudo-terminal, and its screen |
//! | [`peer`] | a TCP client that says exactly what it expects |
//! | [`deployment`] | the files that docs/DEPLOY.md shows |
//! | [`load`] | a run of `echo-client load`, its processes and its report |
//! | [`liar`] | an echo server inside the test that tells one lie, where the test says |
//! | [`datagrams`] | an echo server for datagrams inside the test, and what a network does to them |
//! | [`standin`] | a server inside the test that answers as the test says |
//! | [`output`] | what a program writes, collected and waited for |
//! | [`log`] | log lines compared by pattern |
//! | [`procfs`] | what the kernel says of a process: threads, descriptors, sockets |
//! | [`tcp`] | what the kernel says of a TCP socket |
//! | [`strace`] | system calls that fail |
//! | [`needs`] | what a test needs of the machine, and what is said of one that lacks it |
//! | [`process`] | signals, exits and limits of processes |
//! | [`payload`] | what tests send: the same in every run |
//!
//! Nothing here sleeps, and nothing here asserts how long something took: every wait is for an
//! event, and [`DEADLINE`] only keeps a broken program from hanging the tests for ever. What goes
//! wrong is a panic that shows what was seen, so nothing here returns an error.
//!
//! It knows the programs by their command lines, their sockets and their output, never from inside.

#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is how a test harness says what went wrong: every function here can"
)]

use std::time::Duration;

pub mod binaries;
pub mod datagrams;
pub mod deployment;
pub mod liar;
pub mod load;
pub mod log;
pub mod needs;
pub mod output;
pub mod payload;
pub mod peer;
pub mod process;
pub mod procfs;
pub mod program;
pub mod pty;
pub mod server;
pub mod standin;
pub mod strace;
pub mod tcp;

/// How long to wait for something that must happen, before the test fails for it.
///
/// Far longer than anything takes, on the slowest machine: it is no measurement.
pub const DEADLINE: Duration = Duration::from_secs(30);
