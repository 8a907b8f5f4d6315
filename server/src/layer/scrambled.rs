//! A layer for tests, with the difficulties of TLS: a handshake, records that arrive in pieces, an end that is not the
//! end of the stream, and bytes of its own.
//!
//! The handshake is a byte each way. A record is its length in two bytes and as many scrambled bytes; a record without
//! bytes ends a direction. A length over [`MAX_RECORD`] breaks the rules.

use std::io;

use super::{
    handshake::Handshake,
    layer::{Decoded, Layer, LayerError, NewLayer},
};

const HELLO: u8 = b'?';
const WELCOME: u8 = b'!';
const PREFIX: usize = 2;
/// Maximum plaintext of a record.
const MAX_RECORD: u16 = 20;

/// The server's end of the layer.
#[derive(Debug, Default)]
pub(crate) struct Scrambled {
    is_established: bool,
    /// Bytes of an incomplete record.
    held: Vec<u8>,
    /// Plaintext for which there was no room.
    plaintext: Vec<u8>,
    peer_has_ended: bool,
    encoded: Vec<u8>,
    has_ended: bool,
}

/// Creates [`Scrambled`] layers.
#[derive(Debug)]
pub(crate) struct NewScrambled;

/// The client's end of the layer, which works on whole streams.
pub(crate) struct ScrambledPeer;

fn scramble(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x5a).collect()
}

fn records(plaintext: &[u8]) -> Vec<u8> {
    let record = |chunk: &[u8]| {
        let len = u16::try_from(chunk.len()).expect("a record is short");
        [&len.to_be_bytes()[..], &scramble(chunk)].concat()
    };
    plaintext.chunks(MAX_RECORD.into()).flat_map(record).collect()
}

/// Returns the payload of the first record, if it is complete.
fn first_record(bytes: &[u8]) -> Option<&[u8]> {
    let (len, rest) = bytes.split_first_chunk::<PREFIX>()?;
    rest.get(..usize::from(u16::from_be_bytes(*len)))
}

impl NewLayer for NewScrambled {
    fn new_layer(&self) -> Box<dyn Layer> {
        Box::new(Scrambled::default())
    }
}

impl Layer for Scrambled {
    fn decode(&mut self, wire: &[u8], plaintext: &mut [u8]) -> Result<Decoded, LayerError> {
        self.held.extend_from_slice(wire);
        if !self.is_established && !self.held.is_empty() {
            if self.held.remove(0) != HELLO {
                return Err(LayerError::Missing);
            }
            self.is_established = true;
            self.encoded.push(WELCOME);
        }
        while let Some(record) = first_record(&self.held).filter(|_| !self.peer_has_ended) {
            self.peer_has_ended = record.is_empty();
            self.plaintext.extend(scramble(record));
            let len = PREFIX + record.len();
            self.held.drain(..len);
        }
        if self
            .held
            .first_chunk::<PREFIX>()
            .is_some_and(|len| u16::from_be_bytes(*len) > MAX_RECORD)
        {
            return Err(LayerError::Corrupt("a record is too long".to_owned()));
        }
        let len = self.plaintext.len().min(plaintext.len());
        plaintext[..len].copy_from_slice(&self.plaintext[..len]);
        self.plaintext.drain(..len);
        let is_end = self.peer_has_ended && self.plaintext.is_empty();
        Ok(Decoded { consumed: wire.len(), plaintext: len, is_end })
    }

    fn encode(&mut self, plaintext: &[u8]) {
        assert!(!self.has_ended, "plaintext after the end");
        self.encoded.extend(records(plaintext));
    }

    fn encode_end(&mut self) {
        if self.is_established && !std::mem::replace(&mut self.has_ended, true) {
            self.encoded.extend([0; PREFIX]);
        }
    }

    fn has_output(&self) -> bool {
        !self.encoded.is_empty()
    }

    fn transmit(&mut self, wire: &mut dyn io::Write) -> (usize, io::Result<()>) {
        let (mut sent, mut result) = (0, Ok(()));
        while sent < self.encoded.len() {
            match wire.write(&self.encoded[sent..]) {
                Ok(taken) => sent += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.encoded.drain(..sent);
        (sent, result)
    }

    fn has_begun(&self) -> bool {
        self.is_established
    }

    fn is_established(&self) -> bool {
        self.is_established
    }

    fn handshake(&self) -> Option<Handshake> {
        None
    }
}

impl ScrambledPeer {
    /// Returns the wire bytes of a client that sends this and ends its direction.
    pub(crate) fn encode(plaintext: &[u8], is_end: bool) -> Vec<u8> {
        let end: &[u8] = if is_end { &[0; PREFIX] } else { &[] };
        [&[HELLO], &records(plaintext)[..], end].concat()
    }

    /// Returns the plaintext of the complete records that a server decodes from the bytes of a client, and whether the
    /// client has ended its direction.
    pub(crate) fn sent(wire: &[u8]) -> (Vec<u8>, bool) {
        decode(wire, HELLO)
    }

    /// Returns the plaintext of the complete records that a client decodes, and whether the server has ended its
    /// direction.
    pub(crate) fn received(wire: &[u8]) -> (Vec<u8>, bool) {
        decode(wire, WELCOME)
    }
}

fn decode(wire: &[u8], handshake: u8) -> (Vec<u8>, bool) {
    let Some(mut rest) = wire.strip_prefix(&[handshake]) else {
        assert!(wire.is_empty(), "the handshake comes first");
        return (Vec::new(), false);
    };
    let mut plaintext = Vec::new();
    while let Some(record) = first_record(rest) {
        rest = &rest[PREFIX + record.len()..];
        if record.is_empty() {
            assert!(rest.is_empty(), "bytes after the end");
            return (plaintext, true);
        }
        plaintext.extend(scramble(record));
    }
    (plaintext, false)
}
