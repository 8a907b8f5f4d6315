//! Layers between the bytes on the wire and the plaintext of the session, without I/O and without a clock.
//!
//! Owns the trait `Layer`, by which a connection decodes what it reads and encodes what it sends, and the choice of
//! a connection between a layer and none. Must not know sockets, sessions or the log.
//!
//! A plain connection has no layer, and pays one predictable branch per read and per write for it.

mod handshake;
#[cfg(feature = "login")]
mod identity;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod layer;
#[cfg(test)]
mod scrambled;

#[cfg(feature = "login")]
pub(crate) use self::identity::Identity;
#[cfg(feature = "tls")]
pub(crate) use self::layer::Layer;
#[cfg(test)]
pub(crate) use self::scrambled::{NewScrambled, ScrambledPeer};
pub(crate) use self::{
    handshake::{Handshake, is_client_hello},
    layer::{Decoded, LayerError, Layers, NewLayer},
};
