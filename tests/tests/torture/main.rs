//! The real programs under faults that need minutes, privilege or special tools: `make torture`.
//!
//! What a machine lacks for a test is no failure: a line that begins with `SKIPPED` says so.
//!
//! Here time has to pass, since the faults are ones of time: then a read with a time limit waits for it,
//! on a connection that says nothing.

mod crowds;
mod deployment;
mod process;
mod proxies;
mod system_calls;
