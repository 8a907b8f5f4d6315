//! Tests of the real programs under faults that need minutes, privileges or special tools: `make torture`.
//!
//! A test whose requirements the host does not meet passes, and prints a line that begins with `SKIPPED`.
//!
//! Some faults need time to pass. Such a test waits with a read that has a time limit, on a connection
//! that receives nothing.

mod admin;
mod deployment;
mod machines;
mod many_connections;
mod packages;
mod process;
mod prometheus;
mod proxies;
mod system_calls;
mod tls;
