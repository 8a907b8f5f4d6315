//! The configuration of one listener: its endpoint, and the options for its clients.
//!
//! Must not know what a listener does. Read `listener.rs` first.

#[cfg(feature = "http")]
mod http;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod listener;
#[cfg(feature = "login")]
mod login;
#[cfg(feature = "rooms")]
mod room;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "http")]
pub use self::http::Http;
pub use self::listener::{Listener, ListenerOptions, Proxy};
#[cfg(feature = "login")]
pub use self::login::Login;
#[cfg(feature = "rooms")]
pub use self::room::{Room, Slow};
#[cfg(feature = "tls")]
pub use self::tls::Tls;
