//! The server as a whole: bind, run, drain, reload.
//!
//! Owns the public API of the crate: [`Server`], its [`Handle`], [`Liveness`]. Must not know protocols or where a
//! configuration comes from.
//!
//! Read `server.rs` first, then [`reload`].

mod fault_check;
mod handle;
mod liveness;
mod open_listener;
mod plan;
#[cfg(feature = "redis")]
mod relay;
mod reload;
mod run_error;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod server;
mod threads;

pub use self::{
    handle::Handle,
    liveness::Liveness,
    reload::{ListenerError, ReloadError, Reloaded},
    run_error::RunError,
    server::Server,
};
