//! Configuration: the validated settings of a server, and every limit of the design.
//!
//! Owns [`Config`] and [`Listener`] (filled in by an embedding program), [`limits`] (each constant with its
//! unit and reason) and the process's descriptor limit. Must not know where a setting comes from: flags,
//! environment and file belong to `settings`.
//!
//! Read `config.rs` first.

#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod config;
mod history;
#[cfg(feature = "http")]
mod http;
pub mod limits;
mod listener;
#[cfg(feature = "login")]
mod login;
#[cfg(feature = "redis")]
mod relay;
pub mod rlimit;
#[cfg(feature = "rooms")]
mod room;
mod spin;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "login")]
mod users;

#[cfg(feature = "http")]
pub use self::http::Http;
#[cfg(feature = "redis")]
pub use self::relay::RedisUrl;
#[cfg(feature = "rooms")]
pub use self::room::{Room, Slow};
#[cfg(feature = "tls")]
pub use self::tls::Tls;
#[cfg(all(feature = "http", feature = "login"))]
pub(crate) use self::users::CookieError;
pub use self::{
    config::{Config, FixedSetting},
    history::{HistoryOptions, HistoryOverflow, Keep, limits as history_limits},
    listener::{Listener, ListenerOptions, Proxy},
    spin::Spin,
};
#[cfg(feature = "login")]
pub use self::{
    login::Login,
    users::{Credential, User, Users},
};
