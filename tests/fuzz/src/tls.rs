//! The TLS layer of the server: any bytes of a client, in any pieces, before, in and after its handshake.
//!
//! The first byte of an input chooses the client; the others are steps. Bytes of the input go to the layer as they are, or
//! a client of rustls sends valid ones.

use std::{
    io::{Read as _, Write as _},
    sync::{Arc, LazyLock},
};

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::PrivateKeyDer,
    version::{TLS12, TLS13},
};

use crate::{
    layer::{Layer, LayerError, NewLayer as _},
    server_tls::NewTls,
};

/// Maximum bytes that the server sends without an echo: its part of a handshake, tickets and alerts.
const MAX_HANDSHAKE: usize = 4096;

/// Maximum updates of keys that rustls accepts from a client without data between them.
const MAX_UPDATES: usize = 32;

/// Maximum bytes that TLS adds to a record (RFC 5246, section 6.2.3; less in practice).
const MAX_OVERHEAD: usize = 64;

/// Checks the layer.
///
/// # Panics
///
/// If it panics, never ends, returns plaintext that the client did not send, loses some that it did, sends too much, or sends
/// anything after an alert.
pub fn check(input: &[u8]) {
    let Some((&choice, steps)) = input.split_first() else { return };
    let mut exchange = Exchange::new(choice);
    if choice & 4 != 0 {
        exchange.shake_hands();
    }
    let mut steps = steps.iter().copied();
    while let Some(step) = steps.next() {
        let argument = steps.next().unwrap_or_default();
        if step < 128 {
            let bytes: Vec<u8> = steps.by_ref().take(argument.into()).collect();
            exchange.receive_raw(&bytes);
        } else {
            exchange.step(step, argument);
        }
    }
    exchange.finish();
}

/// A layer and its client.
struct Exchange {
    layer: Box<dyn Layer>,
    client: ClientConnection,
    /// Where decoded plaintext goes; its length is the room for it.
    plaintext: Vec<u8>,
    /// Plaintext that the client has sent in records that have arrived.
    sent: Vec<u8>,
    /// Plaintext that the layer has decoded.
    received: Vec<u8>,
    /// Bytes have arrived that are not the client's, so that nothing after them has to be decoded.
    is_disturbed: bool,
    /// Number of updates of its keys by the client.
    updates: usize,
    /// The layer has returned an error, or the end.
    is_over: bool,
    /// Number of bytes that the layer has sent.
    transmitted: usize,
}

impl Exchange {
    fn new(choice: u8) -> Self {
        let configs = &CONFIGS[usize::from(choice & 1)];
        let name = "localhost".try_into().expect("a name");
        let client = ClientConnection::new(Arc::clone(&configs.client), name);
        let room = [1, 16, 1000, 32 * 1024][usize::from(choice >> 3 & 3)];
        Self {
            layer: NewTls(Arc::clone(&configs.server)).new_layer(),
            client: client.expect("the configuration is complete"),
            plaintext: vec![0; room],
            sent: Vec::new(),
            received: Vec::new(),
            is_disturbed: false,
            updates: 0,
            is_over: false,
            transmitted: 0,
        }
    }

    fn shake_hands(&mut self) {
        for _ in 0..2 {
            let wire = self.client_wire();
            self.receive(&wire);
        }
        assert!(self.layer.is_established());
    }

    /// Bytes of the input arrive.
    fn receive_raw(&mut self, bytes: &[u8]) {
        self.is_disturbed |= !bytes.is_empty();
        self.receive(bytes);
    }

    /// The client does something.
    fn step(&mut self, step: u8, argument: u8) {
        if !self.client.is_handshaking() && !self.is_over {
            match step % 8 {
                0 => {
                    // TLS 1.2 has no such message.
                    self.updates += usize::from(self.client.refresh_traffic_keys().is_ok());
                    self.is_disturbed |= self.updates > MAX_UPDATES;
                }
                1 => self.client.send_close_notify(),
                _ => {
                    let len = usize::from(argument) * usize::from(step % 8 - 1).pow(3);
                    let plaintext = vec![step; len];
                    let mut writer = self.client.writer();
                    let taken = writer.write(&plaintext).expect("there is room");
                    self.sent.extend_from_slice(&plaintext[..taken]);
                    if step & 32 != 0 {
                        self.client.send_close_notify();
                    }
                }
            }
        }
        let mut wire = self.client_wire();
        let at = usize::from(argument) % wire.len().max(1);
        if step & 64 != 0 && !wire.is_empty() {
            wire[at] ^= step | 1;
            self.is_disturbed = true;
        }
        self.receive(&wire[..at]);
        self.receive(&wire[at..]);
        assert!(self.is_disturbed || self.received == self.sent, "the layer holds plaintext");
    }

    /// Returns what the client sends now.
    fn client_wire(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).expect("a vector takes everything");
        }
        wire
    }

    /// Passes bytes to the layer as a connection does, and its answer to the client.
    fn receive(&mut self, wire: &[u8]) {
        let mut at = 0;
        while !self.is_over {
            let decoded = match self.layer.decode(&wire[at..], &mut self.plaintext) {
                Ok(decoded) => decoded,
                Err(error) => return self.fail(&error),
            };
            at += decoded.consumed;
            assert!(at <= wire.len() && decoded.plaintext <= self.plaintext.len());
            self.received.extend_from_slice(&self.plaintext[..decoded.plaintext]);
            self.is_over = decoded.is_end;
            if decoded.plaintext == 0 && (decoded.consumed == 0 || at == wire.len()) {
                assert!(at == wire.len() || self.is_over, "it takes everything");
                break;
            }
        }
        assert!(self.sent.starts_with(&self.received), "plaintext that the client did not send");
        let answer = self.transmit();
        self.pass(&answer);
    }

    /// Passes bytes of the server to the client.
    fn pass(&mut self, mut wire: &[u8]) {
        while !wire.is_empty() {
            let is_read = self.client.read_tls(&mut wire).is_ok_and(|read| read > 0);
            if !is_read || self.client.process_new_packets().is_err() {
                assert!(self.is_disturbed || self.is_over, "the client cannot read it");
                return;
            }
        }
    }

    fn transmit(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        let (sent, result) = self.layer.transmit(&mut wire);
        result.expect("a vector takes everything");
        assert_eq!(sent, wire.len());
        self.transmitted += sent;
        assert!(self.transmitted < MAX_HANDSHAKE, "{} bytes are sent", self.transmitted);
        wire
    }

    /// The layer has refused what it received.
    fn fail(&mut self, error: &LayerError) {
        assert!(self.is_disturbed, "{error}");
        self.is_over = true;
        assert!(!error.to_string().is_empty());
        self.transmit();
        self.layer.encode_end();
        assert!(self.transmit().is_empty(), "bytes after an alert");
    }

    /// Echoes everything and ends the layer; a client that was not disturbed receives it.
    fn finish(mut self) {
        if self.is_disturbed || !self.layer.is_established() {
            return;
        }
        self.layer.encode(&self.received);
        self.layer.encode_end();
        self.transmitted = 0;
        let mut wire = Vec::new();
        self.layer.transmit(&mut wire).1.expect("a vector takes everything");
        let records = self.received.len() / 16_384 + 3;
        assert!(wire.len() <= self.received.len() + records * MAX_OVERHEAD, "too many bytes");
        let mut echo = Vec::new();
        let mut rest = &wire[..];
        while let &[_, _, _, high, low, ..] = rest {
            let (mut record, next) =
                rest.split_at(5 + usize::from(u16::from_be_bytes([high, low])));
            rest = next;
            while !record.is_empty() {
                self.client.read_tls(&mut record).expect("a slice can be read");
                let state = self.client.process_new_packets().expect("the echo is valid");
                let _ = self.client.reader().read_to_end(&mut echo);
                let is_last = rest.is_empty() && record.is_empty();
                assert_eq!(state.peer_has_closed(), is_last, "the end is the last record");
            }
        }
        assert!(echo == self.received, "the echo");
    }
}

/// The configurations of one version.
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

static CONFIGS: LazyLock<[Configs; 2]> = LazyLock::new(|| [&TLS13, &TLS12].map(Configs::new));

impl Configs {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("the system has random bytes");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let cert = params.self_signed(&key).expect("the parameters are complete");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        // One cheap group: the steps matter here, not the key exchange.
        let client = CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        let server = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the versions of the provider")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("the key belongs to the certificate");
        let client = ClientConfig::builder_with_provider(client.into())
            .with_protocol_versions(&[version])
            .expect("a version of the provider")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server: server.into(), client: client.into() }
    }
}
