//! Layers between the bytes on the wire and the plaintext of the session, without I/O and without a clock.
//!
//! Owns the trait `Layer`, by which a connection decodes what it reads and encodes what it sends, and the layer that does
//! nothing. Must not know sockets, sessions or the log.

mod handshake;
#[cfg(feature = "login")]
mod identity;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod layer;
mod plain;
#[cfg(test)]
mod scrambled;

#[cfg(feature = "login")]
pub(crate) use self::identity::Identity;
#[cfg(test)]
pub(crate) use self::scrambled::{NewScrambled, ScrambledPeer};
pub(crate) use self::{
    handshake::{Handshake, is_client_hello},
    layer::{Decoded, Layer, LayerError, NewLayer},
    plain::PlainLayer,
};
