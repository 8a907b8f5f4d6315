//! The worker: one event loop that serves the connections it takes from the dispatch queue.
//!
//! Owns the time at which a connection has its turn: polling, timers, busy-polling before sleep, and the move
//! of connections to other workers. Must not know what a connection does in its turn.
//!
//! Read `worker.rs` first: it lists the parts of the loop.

mod expiry;
mod intake;
mod latency;
#[cfg(feature = "admin")]
mod listing;
mod migration;
mod polling;
mod precise_timer;
mod rebalance;
#[cfg(feature = "rooms")]
mod rooms;
mod slot;
#[cfg(test)]
mod tests;
mod timing;
mod turns;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod worker;

pub(crate) use self::worker::Worker;
