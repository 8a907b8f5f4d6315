//! TLS of a connection, without its socket: trust, the handshake, records, and the text of each error.
//!
//! Owns everything that knows rustls. Must not know sockets, deadlines, nor the meaning of the bytes: a [`Session`] reads
//! from and writes to the socket that it is passed, and never waits.
//!
//! Read [`session`](Session) first, then `trust.rs`, which verifies the certificate of the server.
//!
//! Without the feature `tls`, [`Client::new`] fails, and nothing else can be called.

mod cpu_time;
mod error;
mod options;

#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod explain;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod summary;
#[cfg(feature = "tls")]
mod trust;

#[cfg(not(feature = "tls"))]
mod disabled;

#[cfg(test)]
pub(crate) mod testing;

pub(crate) use cpu_time::cpu_time;
#[cfg(not(feature = "tls"))]
pub(crate) use disabled::{Client, Session};
pub(crate) use error::{Error, Unusable};
pub(crate) use options::{Fingerprint, TlsOptions, TrustOption};
#[cfg(feature = "tls")]
pub(crate) use {client::Client, session::Session};
