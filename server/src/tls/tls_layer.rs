//! The server's end of TLS for one connection.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    sync::Arc,
};

#[cfg(feature = "login")]
use common::login::{EXPORTER_LABEL, EXPORTER_LENGTH};
use rustls::{
    Error, HandshakeKind, InvalidMessage, ProtocolVersion, ServerConfig, ServerConnection,
};

#[cfg(feature = "login")]
use super::subject::common_name;
use super::{error::explain, subject::subject};
#[cfg(feature = "login")]
use crate::layer::Identity;
use crate::layer::{Decoded, Handshake, Layer, LayerError, NewLayer};

/// First byte of a record of a handshake, with which each connection begins (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// A fatal alert without encryption, as the answer to a message out of place, or to bytes that are no record of a handshake.
const UNEXPECTED_MESSAGE: &[u8] = &[21, 3, 3, 0, 2, 2, 10];

/// A fatal alert without encryption, as the answer to a message that cannot be decoded.
const DECODE_ERROR: &[u8] = &[21, 3, 3, 0, 2, 2, 50];

/// TLS of one connection.
///
/// The limits of rustls on its buffers are off: a write is then taken whole. The connection bounds what it writes by one
/// read, and takes the records out at once.
struct Tls {
    connection: ServerConnection,
    /// The peer has sent something.
    has_begun: bool,
    /// Number of decrypted bytes that rustls holds.
    unread: usize,
    /// The peer has ended its direction; plaintext may be left.
    peer_has_ended: bool,
    /// The peer broke the rules, or has sent a fatal alert. A `close_notify` would now claim a clean end.
    has_failed: bool,
    /// The rest of an alert that is not one of rustls.
    alert: &'static [u8],
}

/// Creates the TLS layers of a listener.
pub(crate) struct NewTls(pub(crate) Arc<ServerConfig>);

impl NewLayer for NewTls {
    fn new_layer(&self) -> Box<dyn Layer> {
        let connection = ServerConnection::new(Arc::clone(&self.0));
        let mut connection = connection.expect("`config::Tls` has tried the configuration");
        connection.set_buffer_limit(None);
        Box::new(Tls {
            connection,
            has_begun: false,
            unread: 0,
            peer_has_ended: false,
            has_failed: false,
            alert: &[],
        })
    }
}

impl Tls {
    /// Passes bytes of the wire to rustls. Returns the number that it has taken: at least one.
    fn process(&mut self, mut wire: &[u8]) -> Result<usize, LayerError> {
        let len = wire.len();
        let taken = self.connection.read_tls(&mut wire);
        // A slice can always be read, so rustls has no room for the rest of a handshake message.
        let too_large = Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
        let taken = taken.map_err(|_| self.fail(&too_large))?;
        if taken == 0 {
            // Bytes after the end of the peer's direction have no meaning.
            return Ok(len);
        }
        let state = self.connection.process_new_packets().map_err(|error| self.fail(&error))?;
        self.unread = state.plaintext_bytes_to_read();
        self.peer_has_ended = state.peer_has_closed();
        Ok(taken)
    }

    /// Ends the connection after an error. For some errors rustls has no alert; only before the first record of the server,
    /// which needs no encryption, can this layer send one.
    fn fail(&mut self, error: &Error) -> LayerError {
        self.has_failed = true;
        let is_answered = self.connection.wants_write() || matches!(error, Error::AlertReceived(_));
        if !is_answered && self.connection.protocol_version().is_none() {
            let is_malformed = matches!(error, Error::InvalidMessage(_));
            self.alert = if is_malformed { DECODE_ERROR } else { UNEXPECTED_MESSAGE };
        }
        // Not at a record behind the end of the handshake, even if both were among the same bytes.
        let was_handshaking = self.connection.is_handshaking();
        let failed = if was_handshaking { LayerError::Handshake } else { LayerError::Corrupt };
        failed(explain(error, was_handshaking))
    }

    /// Takes decrypted plaintext. Returns the number of bytes.
    fn take_plaintext(&mut self, plaintext: &mut [u8]) -> usize {
        let room = self.unread.min(plaintext.len());
        if room == 0 {
            return 0;
        }
        let taken = self.connection.reader().read(&mut plaintext[..room]);
        let len = taken.expect("rustls holds these bytes");
        self.unread -= len;
        len
    }
}

impl Layer for Tls {
    fn decode(&mut self, wire: &[u8], plaintext: &mut [u8]) -> Result<Decoded, LayerError> {
        if let Some(&first) = wire.first()
            && !std::mem::replace(&mut self.has_begun, true)
            && first != HANDSHAKE_RECORD
        {
            self.has_failed = true;
            self.alert = UNEXPECTED_MESSAGE;
            return Err(LayerError::Missing);
        }
        let mut consumed = 0;
        let mut len = self.take_plaintext(plaintext);
        // rustls takes a few thousand bytes at a time, and none while it holds plaintext for which there is no room.
        while consumed < wire.len() && len < plaintext.len() {
            consumed += self.process(&wire[consumed..])?;
            len += self.take_plaintext(&mut plaintext[len..]);
        }
        let is_end = self.peer_has_ended && len < plaintext.len();
        Ok(Decoded { consumed, plaintext: len, is_end })
    }

    fn encode(&mut self, plaintext: &[u8]) {
        let taken = self.connection.writer().write_all(plaintext);
        debug_assert!(taken.is_ok(), "without a limit rustls takes everything");
    }

    fn encode_end(&mut self) {
        if self.has_begun && !self.has_failed {
            self.connection.send_close_notify();
        }
    }

    fn has_output(&self) -> bool {
        self.connection.wants_write() || !self.alert.is_empty()
    }

    fn transmit(&mut self, wire: &mut dyn io::Write) -> (usize, io::Result<()>) {
        let mut sent = 0;
        while self.has_output() {
            let written = if self.connection.wants_write() {
                self.connection.write_tls(wire)
            } else {
                wire.write(self.alert).inspect(|&written| self.alert = &self.alert[written..])
            };
            match written {
                Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (sent, Err(error)),
            }
        }
        (sent, Ok(()))
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn is_established(&self) -> bool {
        !self.connection.is_handshaking()
    }

    fn handshake(&self) -> Option<Handshake> {
        let connection = &self.connection;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let suite = connection.negotiated_cipher_suite()?.suite().as_str()?;
        Some(Handshake {
            version: version(connection.protocol_version()?),
            suite: registered(suite),
            group: connection
                .negotiated_key_exchange_group()
                .and_then(|group| group.name().as_str()),
            alpn: connection.alpn_protocol().map(text),
            server_name: connection.server_name().map(str::to_owned),
            client: connection.peer_certificates().and_then(<[_]>::first).map(|der| subject(der)),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    #[cfg(feature = "login")]
    fn identity(&self) -> Identity {
        let connection = &self.connection;
        // With TLS 1.2 the binding is safe only with an extension (RFC 9266, section 3) that rustls does not report.
        let is_bound = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let exporter = is_bound.then(|| {
            connection.export_keying_material([0; EXPORTER_LENGTH], EXPORTER_LABEL, None).ok()
        });
        let certificate = connection.peer_certificates().and_then(<[_]>::first);
        Identity {
            exporter: exporter.flatten(),
            common_name: certificate.and_then(|der| common_name(der)),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl fmt::Debug for NewTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewTls").finish_non_exhaustive()
    }
}

fn version(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2",
        ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "TLS",
    }
}

/// Returns the registered name of a cipher suite; rustls has names of its own for those of TLS 1.3.
fn registered(suite: &'static str) -> &'static str {
    match suite {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        other => other,
    }
}
