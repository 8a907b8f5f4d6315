//! An echo server with a fixed pool of workers, for programs that want one inside.
//!
//! ```text
//! Handle ──> phase (Running -> Draining -> Stopped)
//!                │
//! listener ──> acceptor ──> handoff (bounded queue + wakers)
//!                              │  the only way a connection changes hands
//!              ┌───────────────┼───────────────┐
//!           worker 1        worker 2   ...  worker N        (threadpool)
//!           poll + connections
//!              │ readable bytes (one read buffer per worker)
//!              ▼
//!           connection: socket, unsent tail, deadlines, turn budget
//!              ▼
//!           session: the protocol, without I/O
//!              ▼
//!           journal: log records, counters
//! ```
//!
//! A connection belongs to exactly one worker at a time. [`Server`] has an example.

mod acceptor;
mod balance;
mod config;
mod connection;
mod counters;
pub mod descriptors;
mod handoff;
#[cfg(test)]
mod handoff_tests;
mod journal;
pub mod limits;
pub mod logging;
mod open;
mod phase;
mod server;
mod session;
mod shared;
mod spin;
mod stream;
mod sweep;
mod sync;
mod tail;
mod throttle;
mod timers;
mod worker;

pub use self::{
    config::Config,
    counters::Stats,
    phase::Phase,
    server::{BindError, Handle, RunError, Server},
    spin::Spin,
};
