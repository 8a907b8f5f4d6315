//! A schedule: random steps of the network, the clock and the worker, from one seed, and the verification after them.
//!
//! Read `simulation.rs` first: it chooses the steps. `traffic.rs` and `clock.rs` have them, `settling.rs` lets everything
//! arrive in the end, and `verify.rs` compares the peers with the model.

mod clock;
mod settling;
mod simulation;
mod traffic;
mod verify;

pub(super) use self::simulation::Simulation;
