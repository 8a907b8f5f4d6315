//! Login of a connection, without its socket: credentials, the choice of a mechanism, the dialogue of SASL in lines, and the
//! words for every failure.
//!
//! Owns everything that knows SASL (RFC 4422, in the lines of RFC 5034). Must not know sockets, deadlines, nor the other
//! layers: a [`Dialogue`] takes received bytes and gives bytes to send, and never waits. What TLS gives to a login is in a
//! [`Channel`]. Over a WebSocket, the credentials go into the head of its handshake.
//!
//! Read [`dialogue`](Dialogue) first, then `choice.rs`.
//!
//! Without the feature `login`, [`Credentials::read`] fails, and nothing else can be called.

mod channel;
mod error;
mod mechanism;
mod options;
mod secret;

#[cfg(feature = "login")]
mod choice;
#[cfg(feature = "login")]
mod client;
#[cfg(feature = "login")]
mod credentials;
#[cfg(feature = "login")]
mod dialogue;

#[cfg(not(feature = "login"))]
mod disabled;

pub(crate) use channel::Channel;
#[cfg(feature = "tls")]
pub(crate) use channel::{EXPORTER_LABEL, EXPORTER_LENGTH};
#[cfg(not(feature = "login"))]
pub(crate) use disabled::{Client, Credentials, Dialogue, name};
pub(crate) use error::{Error, Unusable};
pub(crate) use mechanism::{Mechanism, is_external};
pub(crate) use options::{Options, PASSWORD_VARIABLE};
pub(crate) use secret::SecretText;
#[cfg(feature = "login")]
pub(crate) use {
    client::Client,
    credentials::{Credentials, name},
    dialogue::Dialogue,
};
