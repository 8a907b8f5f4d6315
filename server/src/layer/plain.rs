//! The layer that changes nothing.

use std::io;

use super::{
    handshake::Handshake,
    layer::{Decoded, Layer, LayerError},
};

/// Passes bytes as they are: for a connection without a layer that has faults beneath where a layer would be.
#[derive(Debug, Default)]
pub(crate) struct PlainLayer {
    encoded: Vec<u8>,
    has_begun: bool,
}

impl Layer for PlainLayer {
    fn decode(&mut self, wire: &[u8], plaintext: &mut [u8]) -> Result<Decoded, LayerError> {
        let len = wire.len().min(plaintext.len());
        plaintext[..len].copy_from_slice(&wire[..len]);
        self.has_begun |= len > 0;
        Ok(Decoded { consumed: len, plaintext: len, is_end: false })
    }

    fn encode(&mut self, plaintext: &[u8]) {
        self.encoded.extend_from_slice(plaintext);
    }

    fn encode_end(&mut self) {}

    fn has_output(&self) -> bool {
        !self.encoded.is_empty()
    }

    fn transmit(&mut self, wire: &mut dyn io::Write) -> (usize, io::Result<()>) {
        let (mut sent, mut result) = (0, Ok(()));
        while sent < self.encoded.len() {
            match wire.write(&self.encoded[sent..]) {
                Ok(0) => {
                    result = Err(io::ErrorKind::WriteZero.into());
                    break;
                }
                Ok(taken) => sent += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.encoded.drain(..sent);
        if self.encoded.is_empty() {
            // A connection that is idle owns no buffer.
            self.encoded = Vec::new();
        }
        (sent, result)
    }

    fn has_end(&self) -> bool {
        false
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn is_established(&self) -> bool {
        true
    }

    fn handshake(&self) -> Option<Handshake> {
        None
    }
}
