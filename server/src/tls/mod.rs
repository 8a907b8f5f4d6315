//! TLS: a layer over the buffered connection of rustls, which this module drives by hand.
//!
//! Owns the translation between the [`Layer`](crate::layer::Layer) trait and rustls, and the words for its errors. Must
//! not know sockets, sessions, the log, nor where certificates come from: the configuration of a listener has a finished
//! `rustls::ServerConfig`.
//!
//! Read `tls_layer.rs` first.

mod error;
mod subject;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls_layer;

#[cfg(test)]
pub(crate) use self::testing::{Client, TestCa};
pub(crate) use self::tls_layer::NewTls;
