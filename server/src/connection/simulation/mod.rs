//! Random schedules: connections over a simulated network with a simulated clock.
//!
//! One seed determines everything: the bytes that peers send and when they arrive, how much their sockets
//! take, ends and resets of streams, stalls, the drain, migrations to another worker, the time that passes, and
//! reads that panic. The network is as difficult as a real one may be: it reports readiness once, and passes
//! any number of bytes at a time.
//!
//! The bytes that a peer must receive follow from the bytes that it sent alone ([`model`]). After every schedule
//! the network settles; a peer that has not received all of its bytes by then was forgotten.
//!
//! A failure names its seed. `SIMULATION_SEEDS` is the range of seeds to run, as `7` or `0..1000`; with a
//! single seed a failure prints a trace.
//!
//! Read `schedule.rs` first: the steps of a schedule. `verify.rs` compares the peers with the model.

mod model;
mod network;
mod pair;
mod schedule;
mod script;
mod tests;
mod verify;
