use super::*;
use crate::tls::testing;
use rustls::{
    ServerConnection, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use std::collections::VecDeque;

/// Both directions of a wire, which accepts and returns at most `step` bytes at a time.
#[derive(Debug)]
struct Wire {
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    step: usize,
    /// Number of bytes that it still accepts.
    room: usize,
    has_ended: bool,
    /// It is reset: the next write returns the error, and after that there is an end to read.
    is_reset: bool,
}

impl Wire {
    fn new(step: usize) -> Self {
        Self {
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            step,
            room: usize::MAX,
            has_ended: false,
            is_reset: false,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let max = buffer.len().min(self.step);
        match self.to_client.read(&mut buffer[..max])? {
            0 if !self.has_ended => Err(Io::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_reset {
            self.has_ended = true;
            return Err(Io::ConnectionReset.into());
        }
        let count = bytes.len().min(self.step).min(self.room);
        if count == 0 {
            return Err(Io::WouldBlock.into());
        }
        self.room -= count;
        self.to_server.write(&bytes[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A session, a server, and the wire between them.
struct Pair {
    session: Session,
    server: ServerConnection,
    wire: Wire,
}

impl Pair {
    /// Returns a pair after the handshake.
    fn new(version: &'static SupportedProtocolVersion, step: usize) -> Self {
        Self::with_server(testing::server(version), step)
    }

    fn with_server(mut server: ServerConnection, step: usize) -> Self {
        let wire = Wire::new(step);
        server.set_buffer_limit(None);
        let mut pair = Self { session: Session::new(&testing::client()).unwrap(), server, wire };
        while !pair.session.advance(&mut pair.wire).unwrap() {
            pair.serve();
        }
        pair.serve();
        pair
    }

    /// Moves everything between the server and the wire; returns the plaintext that the server has received.
    fn serve(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        while !self.wire.to_server.is_empty() {
            self.server.read_tls(&mut self.wire.to_server).unwrap();
            self.server.process_new_packets().unwrap();
            let _ = self.server.reader().read_to_end(&mut received);
        }
        while self.server.wants_write() {
            self.server.write_tls(&mut self.wire.to_client).unwrap();
        }
        received
    }

    fn reply(&mut self, bytes: &[u8]) {
        self.server.writer().write_all(bytes).unwrap();
        self.serve();
    }

    /// Receives everything that has arrived, `max` bytes at a time.
    fn receive(&mut self, max: usize) -> Result<Vec<u8>, Error> {
        let (mut received, mut buffer) = (Vec::new(), vec![0; max]);
        loop {
            self.session.fill(&mut self.wire);
            match self.session.receive(&mut buffer)? {
                Some(count) if count > 0 => received.extend_from_slice(&buffer[..count]),
                _ => return Ok(received),
            }
        }
    }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

#[test]
fn a_login_is_offered_the_channel_binding_of_the_server_with_tls_1_3_only() {
    for (version, is_bound) in [(&TLS12, false), (&TLS13, true)] {
        let pair = Pair::new(version, usize::MAX);
        let exporter = [0; EXPORTER_LENGTH];
        let exporter = pair.server.export_keying_material(exporter, EXPORTER_LABEL, None).unwrap();
        let channel = pair.session.channel();
        assert_eq!(channel.exporter, is_bound.then_some(exporter));
        // The client of this test accepts any certificate.
        assert!(channel.is_tls && !channel.is_verified && !channel.has_certificate);
    }
}

#[test]
fn bytes_travel_in_both_directions_however_the_wire_splits_them() {
    for version in [&TLS12, &TLS13] {
        for step in [1, 5, 1000, usize::MAX] {
            let mut pair = Pair::new(version, step);
            let sent = bytes(40_000);
            assert_eq!(pair.session.send(&sent, &mut pair.wire).unwrap(), sent.len());
            assert_eq!(pair.serve(), sent);
            pair.reply(&sent);
            assert_eq!(pair.receive(777).unwrap(), sent, "{version:?} by {step}");
            assert!(!pair.session.is_readable());
        }
    }
}

#[test]
fn a_full_socket_stops_the_encryption_and_records_wait_for_it() {
    let mut pair = Pair::new(&TLS13, usize::MAX);
    pair.wire.room = 10;
    let sent = bytes(1_000_000);
    let accepted = pair.session.send(&sent, &mut pair.wire).unwrap();
    assert!(accepted < 200_000, "{accepted} bytes are in memory");
    assert!(pair.session.wants_write());
    assert_eq!(pair.session.send(&sent[accepted..], &mut pair.wire).unwrap(), 0);
    pair.wire.room = usize::MAX;
    pair.session.flush(&mut pair.wire);
    assert!(!pair.session.wants_write());
    assert_eq!(pair.serve(), sent[..accepted]);
}

/// One read of the socket may bring a record of which only a part was asked for: no event of the socket reports the rest.
#[test]
fn plaintext_that_nobody_has_taken_is_readable_without_the_socket() {
    let mut pair = Pair::new(&TLS13, usize::MAX);
    pair.receive(1).unwrap();
    pair.reply(b"hello");
    pair.session.fill(&mut pair.wire);
    let mut buffer = [0; 2];
    assert_eq!(pair.session.receive(&mut buffer).unwrap(), Some(2));
    assert!(pair.wire.to_client.is_empty() && pair.session.is_readable());
    assert_eq!(pair.session.peek(&mut buffer).unwrap(), Some(2));
    assert_eq!(&buffer, b"ll");
    assert_eq!(pair.receive(2).unwrap(), b"llo");
}

#[test]
fn tickets_and_key_updates_are_nothing_to_receive() {
    let mut pair = Pair::new(&TLS13, usize::MAX);
    pair.server.refresh_traffic_keys().unwrap();
    pair.serve();
    assert!(!pair.wire.to_client.is_empty());
    pair.session.fill(&mut pair.wire);
    assert!(!pair.session.is_readable());
    // The answer to the key update goes with the next record.
    pair.session.send(b"after it", &mut pair.wire).unwrap();
    assert_eq!(pair.serve(), b"after it");
}

#[test]
fn a_server_that_only_sends_tickets_does_not_hold_the_caller() {
    let mut pair = Pair::with_server(testing::server_with_tickets(&TLS13, 1000), usize::MAX);
    let sent = pair.wire.to_client.len();
    assert!(sent > 2 * MAX_FILL, "{sent} bytes");
    pair.session.fill(&mut pair.wire);
    let received = pair.session.receive(&mut [0]);
    assert!(matches!(received, Ok(None)), "{received:?}");
    assert!(sent - pair.wire.to_client.len() < 2 * MAX_FILL, "one call leaves the rest");
}

#[test]
fn after_our_end_the_server_can_still_send_until_its_own() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(version, usize::MAX);
        pair.session.send(b"last", &mut pair.wire).unwrap();
        pair.session.send_end();
        pair.session.send_end();
        pair.session.flush(&mut pair.wire);
        assert_eq!(pair.serve(), b"last");
        assert!(pair.wire.to_server.is_empty());
        pair.reply(b"last");
        assert_eq!(pair.receive(10).unwrap(), b"last");
        pair.server.send_close_notify();
        pair.serve();
        pair.wire.has_ended = true;
        pair.session.fill(&mut pair.wire);
        assert_eq!(pair.session.receive(&mut [0]).unwrap(), Some(0));
    }
}

#[test]
fn an_end_without_a_close_notify_is_a_truncation_after_the_last_bytes() {
    let mut pair = Pair::new(&TLS13, usize::MAX);
    pair.reply(b"hel");
    pair.wire.has_ended = true;
    pair.session.fill(&mut pair.wire);
    let mut buffer = [0; 10];
    assert_eq!(pair.session.receive(&mut buffer).unwrap(), Some(3));
    pair.session.fill(&mut pair.wire);
    for _ in 0..2 {
        pair.session.fill(&mut pair.wire);
        let error = pair.session.receive(&mut buffer).unwrap_err();
        assert!(matches!(error, Error::Truncated), "{error}");
    }
}

/// The system reports a reset once, to the first call: to the other calls the stream has ended.
#[test]
fn a_reset_that_a_write_finds_is_no_truncation() {
    let mut pair = Pair::new(&TLS13, usize::MAX);
    pair.wire.is_reset = true;
    let _ = pair.session.send(b"x", &mut pair.wire);
    pair.session.fill(&mut pair.wire);
    let error = pair.session.receive(&mut [0; 10]).unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
}

#[test]
fn a_damaged_record_is_an_error_after_the_bytes_before_it() {
    let mut pair = Pair::new(&TLS13, usize::MAX);
    pair.receive(1).unwrap();
    pair.reply(b"good");
    let good = pair.wire.to_client.len();
    pair.reply(b"bad");
    pair.wire.to_client[good + 10] ^= 1;
    pair.session.fill(&mut pair.wire);
    assert_eq!(pair.session.receive(&mut [0; 10]).unwrap(), Some(4));
    let error = pair.session.receive(&mut [0; 10]).unwrap_err();
    assert_eq!(error.to_string(), "it broke the TLS protocol: a record was damaged");
    assert!(pair.session.wants_write(), "an alert");
}

/// All connections of a client share its certificate, or the lack of one.
#[test]
fn only_the_server_of_this_connection_can_have_asked_for_a_certificate() {
    let pair = Pair::new(&TLS13, usize::MAX);
    assert!(pair.session.is_certificate_requested);
    let mut session = Session::new(&pair.session.client).unwrap();
    let mut wire = Wire { has_ended: true, ..Wire::new(usize::MAX) };
    let error = session.advance(&mut wire).unwrap_err();
    assert!(matches!(error, Error::Cut), "{error}");
}
