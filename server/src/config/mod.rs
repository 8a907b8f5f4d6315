//! Configuration: the validated settings of a server, and every limit of the design.
//!
//! Owns [`Config`] and [`Listener`] (filled in by an embedding program), [`limits`] (each constant with its
//! unit and reason) and the process's descriptor limit. Must not know where a setting comes from: flags,
//! environment and file belong to `settings`.
//!
//! Read `config.rs` first.

#[cfg(feature = "admin")]
mod admin;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod config;
mod consolidate;
mod fault_check;
mod faults;
mod history;
pub mod limits;
mod listener;
mod log_receipts;
#[cfg(feature = "redis")]
mod relay;
pub mod rlimit;
mod spin;
#[cfg(feature = "login")]
mod users;

#[cfg(feature = "admin")]
pub use self::admin::Admin;
#[cfg(any(feature = "admin", feature = "cli"))]
pub(crate) use self::fault_check::FaultScope;
#[cfg(all(feature = "cli", feature = "login"))]
pub(crate) use self::fault_check::has_proof;
#[cfg(any(feature = "admin", feature = "cli"))]
pub(crate) use self::faults::FaultParameters;
#[cfg(feature = "http")]
pub use self::listener::Http;
#[cfg(feature = "login")]
pub use self::listener::Login;
#[cfg(feature = "tls")]
pub use self::listener::Tls;
#[cfg(feature = "rooms")]
pub use self::listener::{Room, Slow};
#[cfg(feature = "redis")]
pub use self::relay::RedisUrl;
#[cfg(all(feature = "http", feature = "login"))]
pub(crate) use self::users::CookieError;
#[cfg(feature = "login")]
pub use self::users::{Credential, User, Users};
pub use self::{
    config::{Config, FixedSetting},
    consolidate::Consolidate,
    faults::{FaultKind, FaultProfile, FaultRule, Faults, Jitter, Share, Window},
    history::{HistoryOptions, HistoryOverflow, Keep, limits as history_limits},
    listener::{Listener, ListenerOptions, Proxy},
    log_receipts::LogReceipts,
    spin::Spin,
};
