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
mod bind;
mod config;
mod connection;
mod counters;
mod datagram;
pub mod descriptors;
mod handoff;
#[cfg(test)]
mod handoff_tests;
mod inherited;
mod journal;
pub mod limits;
mod listening;
pub mod logging;
mod open;
mod peer;
mod phase;
mod proxy;
mod pulse;
mod refusal;
mod reload;
mod server;
mod session;
pub mod settings;
mod shared;
mod socket_file;
mod spin;
mod stream;
mod sweep;
mod sync;
mod tail;
mod terms;
mod throttle;
mod timers;
mod worker;

pub use self::{
    bind::BindError,
    config::{Config, Listener, Proxy},
    counters::Stats,
    inherited::Inherited,
    phase::Phase,
    pulse::Pulse,
    reload::ReloadError,
    server::{Handle, RunError, Server},
    spin::Spin,
};
