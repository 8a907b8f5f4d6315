//! The trait of a layer.

use std::{fmt, io};

use super::handshake::Handshake;
#[cfg(feature = "login")]
use super::identity::Identity;

/// A layer between the wire and the session of one connection, such as TLS.
///
/// The connection passes every byte that it reads to [`decode`](Self::decode) before it reads again, so a layer holds
/// no plaintext between two turns; of the wire it holds incomplete records only.
pub(crate) trait Layer: fmt::Debug + Send {
    /// Decodes bytes from the wire into `plaintext`, which has room. The connection calls again with the bytes that were
    /// not taken, until a call takes all of them and leaves room, or returns the end.
    ///
    /// # Errors
    ///
    /// If the peer breaks the rules of the layer. An alert for the peer may wait to be transmitted.
    fn decode(&mut self, wire: &[u8], plaintext: &mut [u8]) -> Result<Decoded, LayerError>;

    /// Encodes plaintext, for [`transmit`](Self::transmit).
    fn encode(&mut self, plaintext: &[u8]);

    /// Encodes the end of this direction, once. No plaintext follows.
    fn encode_end(&mut self);

    /// Returns whether encoded bytes wait to be transmitted.
    fn has_output(&self) -> bool;

    /// Writes encoded bytes, until none are left or `wire` takes no more. Returns their number, also with an error.
    ///
    /// # Errors
    ///
    /// Those of `wire`, except "would block".
    fn transmit(&mut self, wire: &mut dyn io::Write) -> (usize, io::Result<()>);

    /// Returns whether a direction has an end of its own, without which the end of the stream is a truncation.
    fn has_end(&self) -> bool {
        true
    }

    /// Returns whether the peer has sent anything.
    fn has_begun(&self) -> bool;

    /// Returns whether the layer is ready for plaintext of the session: its handshake is complete.
    fn is_established(&self) -> bool;

    /// Returns the result of the handshake, once it is complete.
    fn handshake(&self) -> Option<Handshake>;

    /// Returns what a login may use of the layer, once the handshake is complete.
    #[cfg(feature = "login")]
    fn identity(&self) -> Identity {
        Identity::default()
    }
}

/// Result of a call of [`Layer::decode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Number of bytes taken from the wire.
    pub(crate) consumed: usize,
    /// Number of bytes of plaintext.
    pub(crate) plaintext: usize,
    /// The peer has ended its direction; nothing follows the plaintext.
    pub(crate) is_end: bool,
}

/// A peer that broke the rules of a layer.
#[cfg_attr(
    not(any(test, feature = "tls")),
    expect(dead_code, reason = "without TLS there is no layer")
)]
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerError {
    /// Its first bytes are not those of the layer.
    #[error("no TLS handshake")]
    Missing,
    /// The handshake failed.
    #[error("{0}")]
    Handshake(String),
    /// Bytes after the handshake cannot be decoded.
    #[error("{0}")]
    Corrupt(String),
}

/// Creates the layer of each connection of a listener.
pub(crate) trait NewLayer: fmt::Debug + Send + Sync {
    fn new_layer(&self) -> Box<dyn Layer>;
}
