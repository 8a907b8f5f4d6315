//! Harness of the black-box tests: real processes, real sockets, a real terminal.
//!
//! | module | what it owns |
//! |---|---|
//! | [`programs`] | the two programs: where they are, and how to start, feed, read and end them |
//! | [`browser`] | a real browser, driven by its input events |
//! | [`net`] | peers: a TCP client with exact expectations, mock servers, servers with one fault |
//! | [`redis`] | a real `redis-server` |
//! | [`system`] | what the kernel reports about processes and sockets |
//! | [`requirements`] | tools and privileges that a test needs and a machine may lack |
//! | [`deployment`] | the files that docs/DEPLOY.md shows |
//! | [`promql`] | the queries of the dashboard and of docs/OBSERVE.md |
//! | [`payload`] | bytes to send: the same in every run |
//! | [`log`] | patterns of log lines |
//! | [`wait`] | waiting for events, with a deadline |
//!
//! Start with [`programs::EchoServer`] and [`net::Peer`]. Imports point from `programs` to `net`, to `system`, to
//! the files beside them.
//!
//! The harness knows the programs by their command lines, sockets and output only. It does not sleep and it does
//! not measure time: every wait is for an event, and [`wait::DEADLINE`] only prevents that a broken program blocks
//! the tests. A failure is a panic with the observed output, so no function returns an error.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test harness reports failures by panics: every function here can panic"
)]

pub mod browser;
pub mod deployment;
pub mod log;
pub mod net;
pub mod payload;
pub mod programs;
pub mod promql;
pub mod redis;
pub mod requirements;
pub mod system;
pub mod wait;
