//! The layer against a client in memory.

use std::{io, sync::Arc};

use rustls::{
    AlertDescription, ClientConfig, Error, ServerConfig,
    version::{TLS12, TLS13},
};

use super::{Client, NewTls, TestCa};
use crate::layer::{Decoded, Layer, LayerError, NewLayer as _};

/// A layer, its client, and the plaintext that the layer has decoded.
struct Pair {
    layer: Box<dyn Layer>,
    client: Client,
    plaintext: Vec<u8>,
    is_end: bool,
    /// Maximum size of what the layer receives and writes at once.
    piece: usize,
    /// Room for plaintext.
    room: usize,
}

/// A stream that takes a few bytes at a time and then none.
struct Trickle {
    taken: Vec<u8>,
    room: usize,
}

impl io::Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.room);
        self.room -= len;
        self.taken.extend(&bytes[..len]);
        if len == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server() -> ServerConfig {
    TestCa::get().server(&[&TLS12, &TLS13])
}

impl Pair {
    fn new(server: ServerConfig, client: ClientConfig) -> Self {
        Self::with(&Arc::new(server), &Arc::new(client))
    }

    fn with(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Self {
        Self {
            layer: NewTls(Arc::clone(server)).new_layer(),
            client: Client::new(client),
            plaintext: Vec::new(),
            is_end: false,
            piece: usize::MAX,
            room: 32 * 1024,
        }
    }

    /// Passes bytes to the layer as a connection does.
    fn decode(&mut self, wire: &[u8]) -> Result<(), LayerError> {
        let mut plaintext = vec![0; self.room];
        for piece in wire.chunks(self.piece.min(wire.len()).max(1)) {
            let mut at = 0;
            while !self.is_end {
                let decoded = self.layer.decode(&piece[at..], &mut plaintext)?;
                at += decoded.consumed;
                self.plaintext.extend(&plaintext[..decoded.plaintext]);
                self.is_end = decoded.is_end;
                if at == piece.len() && decoded.plaintext == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns the bytes that the layer sends now.
    fn transmit(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        loop {
            let mut trickle = Trickle { taken: Vec::new(), room: self.piece };
            let (sent, result) = self.layer.transmit(&mut trickle);
            result.unwrap();
            assert_eq!(sent, trickle.taken.len());
            wire.extend(trickle.taken);
            if sent == 0 {
                return wire;
            }
        }
    }

    /// Exchanges bytes until neither side has any.
    fn exchange(&mut self) -> Result<(), LayerError> {
        loop {
            let wire = self.client.wire();
            let result = self.decode(&wire);
            let answer = self.transmit();
            let received = self.client.receive(&answer);
            result?;
            received.expect("the client accepts what the layer sends");
            if wire.is_empty() && answer.is_empty() {
                return Ok(());
            }
        }
    }
}

#[test]
fn every_size_of_reads_and_writes_gives_the_same_bytes() {
    let (server, client) = (Arc::new(server()), Arc::new(TestCa::get().client(None)));
    let sent: Vec<u8> = (0..40_000u32).flat_map(u32::to_be_bytes).collect();
    for (piece, room) in [(1, 1000), (2, 1), (7, 5), (1000, 20_000), (5000, 3), (usize::MAX, 16)] {
        let mut pair = Pair { piece, room, ..Pair::with(&server, &client) };
        pair.client.write(&sent);
        pair.exchange().unwrap();
        assert!(pair.layer.is_established());
        assert!(pair.plaintext == sent, "pieces of {piece}, room for {room}");
        pair.layer.encode(&sent);
        pair.exchange().unwrap();
        assert!(pair.client.received == sent, "pieces of {piece}, room for {room}");
    }
}

#[test]
fn every_split_of_the_wire_gives_the_same_plaintext() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(TestCa::get().server(&[version]), TestCa::get().client(None));
        pair.exchange().unwrap();
        for at in 0..80 {
            pair.plaintext.clear();
            for message in [&b"one"[..], b"two"] {
                pair.client.write(message);
            }
            let wire = pair.client.wire();
            let (first, second) = wire.split_at(at.min(wire.len()));
            pair.decode(first).unwrap();
            pair.decode(second).unwrap();
            assert_eq!(pair.plaintext, b"onetwo");
        }
    }
}

#[test]
fn the_end_of_the_clients_direction_follows_all_of_its_plaintext() {
    let sent = vec![7; 100_000];
    for room in [1000, 16 * 1024, 100_000] {
        let mut pair = Pair { room, ..Pair::new(server(), TestCa::get().client(None)) };
        pair.exchange().unwrap();
        pair.client.write(&sent);
        pair.client.connection.send_close_notify();
        let mut wire = pair.client.wire();
        wire.extend(b"bytes after the end have no meaning");
        pair.decode(&wire).unwrap();
        assert!(pair.is_end && pair.plaintext == sent);
        // The other direction goes on, then ends.
        pair.layer.encode(&sent);
        pair.layer.encode_end();
        pair.layer.encode_end();
        let answer = pair.transmit();
        pair.client.receive(&answer).unwrap();
        assert!(pair.client.received == sent && pair.client.has_ended);
    }
}

#[test]
fn keys_are_updated_while_messages_pass() {
    let mut pair = Pair::new(server(), TestCa::get().client(None));
    pair.exchange().unwrap();
    for round in 0..5 {
        pair.client.connection.refresh_traffic_keys().unwrap();
        pair.client.write(b"hello");
        pair.exchange().unwrap();
        pair.layer.encode(b"world");
        pair.exchange().unwrap();
        assert_eq!(pair.plaintext, b"hello".repeat(round + 1));
        assert_eq!(pair.client.received, b"world".repeat(round + 1));
    }
}

#[test]
fn a_client_that_never_reads_its_tickets_is_served() {
    let mut pair = Pair::new(server(), TestCa::get().client(None));
    let hello = pair.client.wire();
    pair.decode(&hello).unwrap();
    let answer = pair.transmit();
    pair.client.receive(&answer).unwrap();
    pair.client.write(b"hello");
    let wire = pair.client.wire();
    pair.decode(&wire).unwrap();
    assert_eq!(pair.plaintext, b"hello");
    pair.layer.encode(b"hello");
    let mut tickets_and_echo = Trickle { taken: Vec::new(), room: 10 };
    assert_eq!(pair.layer.transmit(&mut tickets_and_echo).0, 10);
    assert!(!pair.transmit().is_empty(), "the rest is sent later");
}

#[test]
fn the_handshake_is_described() {
    let mut server = server();
    server.alpn_protocols = vec![b"echo".to_vec()];
    let mut client = TestCa::get().client(Some("alice"));
    client.alpn_protocols = vec![b"h2".to_vec(), b"echo".to_vec()];
    let (server, client) = (Arc::new(server), Arc::new(client));
    let mut pair = Pair::with(&server, &client);
    assert_eq!(pair.layer.handshake(), None);
    pair.exchange().unwrap();
    assert_eq!(
        pair.layer.handshake().unwrap().to_string(),
        "TLS 1.3, TLS_AES_256_GCM_SHA384, X25519MLKEM768, ALPN echo, server name localhost, client \
         CN=alice"
    );
    let mut pair = Pair::with(&server, &client);
    pair.exchange().unwrap();
    assert!(pair.layer.handshake().unwrap().to_string().ends_with(", client CN=alice, resumed"));
    let mut pair = Pair::new(TestCa::get().server(&[&TLS12]), TestCa::get().client(None));
    pair.exchange().unwrap();
    let description = pair.layer.handshake().unwrap().to_string();
    assert!(description.starts_with("TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "));
}

#[test]
fn bytes_that_are_not_tls_are_refused_at_the_first_one_with_an_alert() {
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"h", b"\x80\x2e\x01", b"\0"] {
        let mut pair = Pair::new(server(), TestCa::get().client(None));
        assert!(matches!(pair.decode(bytes), Err(LayerError::Missing)));
        pair.piece = 3;
        assert_eq!(pair.transmit(), [21, 3, 3, 0, 2, 2, 10]);
        pair.layer.encode_end();
        assert!(pair.transmit().is_empty(), "nothing follows a fatal alert");
    }
}

#[test]
fn an_invalid_hello_is_answered_with_an_alert() {
    let mut pair = Pair::new(server(), TestCa::get().client(None));
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 9];
    assert!(matches!(pair.decode(&hello), Err(LayerError::Handshake(_))));
    let alert = pair.transmit();
    assert_eq!((alert[0], alert[5]), (21, 2), "a fatal alert");
    pair.layer.encode_end();
    assert!(pair.transmit().is_empty());
}

#[test]
fn a_corrupt_record_is_answered_with_the_alert_of_the_standard() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(TestCa::get().server(&[version]), TestCa::get().client(None));
        pair.exchange().unwrap();
        pair.client.write(b"hello");
        let mut wire = pair.client.wire();
        *wire.last_mut().unwrap() ^= 1;
        match pair.decode(&wire) {
            Err(LayerError::Corrupt(text)) => assert_eq!(text, "a record cannot be decrypted"),
            other => panic!("{other:?}"),
        }
        let alert = pair.transmit();
        let received = pair.client.receive(&alert);
        assert_eq!(received, Err(Error::AlertReceived(AlertDescription::BadRecordMac)));
    }
}

#[test]
fn an_error_for_which_rustls_has_no_alert_is_answered_in_plaintext_or_not_at_all() {
    let begun = [22, 3, 1, 0, 4, 1, 0, 0, 200];
    let too_long = [22, 3, 1, 0, 4, 1, 1, 0, 0];
    for (wire, description) in
        [([&begun[..], &[23, 3, 3, 0, 1, 0]].concat(), 10), (too_long.to_vec(), 50)]
    {
        let mut pair = Pair::new(server(), TestCa::get().client(None));
        assert!(matches!(pair.decode(&wire), Err(LayerError::Handshake(_))), "{wire:?}");
        pair.layer.encode_end();
        assert_eq!(pair.transmit(), [21, 3, 3, 0, 2, 2, description]);
    }
    // A flood of key updates.
    let mut pair = Pair::new(server(), TestCa::get().client(None));
    pair.exchange().unwrap();
    for _ in 0..40 {
        pair.client.connection.refresh_traffic_keys().unwrap();
    }
    let wire = pair.client.wire();
    assert!(matches!(pair.decode(&wire), Err(LayerError::Corrupt(_))));
    pair.layer.encode_end();
    let answer = pair.transmit();
    pair.client.receive(&answer).unwrap();
    assert!(!pair.client.has_ended, "a close_notify claims that nothing went wrong");
}

/// rustls has room for a handshake message of almost 64 KiB; the headers of its records take some of it.
#[test]
fn a_handshake_message_that_is_too_large_is_answered_with_an_alert() {
    let mut pair = Pair::new(server(), TestCa::get().client(None));
    let mut hello = vec![1, 0, 0xff, 0xf0];
    hello.resize(0xfff4, 0);
    let wire: Vec<u8> = hello.iter().flat_map(|&byte| [22, 3, 1, 0, 1, byte]).collect();
    assert!(matches!(pair.decode(&wire), Err(LayerError::Handshake(_))));
    pair.layer.encode_end();
    assert_eq!(pair.transmit(), [21, 3, 3, 0, 2, 2, 50]);
}

#[test]
fn a_fatal_alert_is_not_answered() {
    let mut pair = Pair::new(TestCa::get().server(&[&TLS12]), TestCa::get().client(None));
    let hello = pair.client.wire();
    pair.decode(&hello).unwrap();
    pair.transmit();
    assert!(matches!(pair.decode(&[21, 3, 3, 0, 2, 2, 40]), Err(LayerError::Handshake(_))));
    pair.layer.encode_end();
    assert!(pair.transmit().is_empty());
}

#[test]
fn a_client_that_does_not_trust_the_server_is_understood() {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut pair = Pair::new(server(), config);
    let hello = pair.client.wire();
    pair.decode(&hello).unwrap();
    let answer = pair.transmit();
    pair.client.receive(&answer).unwrap_err();
    let alert = pair.client.wire();
    let error = pair.decode(&alert).unwrap_err().to_string();
    let expected = "it does not trust the issuer of the server's certificate (alert unknown_ca)";
    assert_eq!(error, expected);
}

#[test]
fn garbage_never_panics_and_never_becomes_plaintext() {
    let mut random = fastrand::Rng::with_seed(1);
    let (server, client) = (Arc::new(server()), Arc::new(TestCa::get().client(None)));
    for _ in 0..200 {
        let mut pair = Pair::with(&server, &client);
        if random.bool() {
            pair.exchange().unwrap();
        }
        let mut wire = pair.client.wire();
        wire.extend((0..random.usize(1..300)).map(|_| random.u8(..)));
        let index = random.usize(..wire.len());
        wire[index] ^= random.u8(1..);
        pair.piece = random.usize(1..100);
        let _ = pair.decode(&wire);
        pair.transmit();
        assert_eq!(pair.plaintext, b"");
    }
}

#[test]
fn nothing_to_decode_is_no_end() {
    let mut layer = NewTls(Arc::new(server())).new_layer();
    assert_eq!(layer.decode(&[], &mut [0; 10]).unwrap(), Decoded::default());
    assert!(!layer.has_begun());
    layer.encode_end();
    assert_eq!(layer.transmit(&mut Vec::new()).0, 0, "there is nothing to end yet");
}
