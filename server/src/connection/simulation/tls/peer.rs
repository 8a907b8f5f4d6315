//! A peer that speaks TLS: a client of rustls. A schedule decides when it reads, writes, updates its keys, ends its
//! direction or breaks the rules, and the network passes its bytes in any pieces.

use std::{
    io::{Read as _, Write as _},
    ops::Range,
    sync::Arc,
};

use fastrand::Rng;
use rustls::{AlertDescription, ClientConnection, Error, HandshakeKind};

use super::config::Parameters;
use crate::connection::simulation::layer_end::LayerEnd;

/// Length of the header of a record.
const HEADER: usize = 5;

/// Maximum plaintext of a record.
pub(in crate::connection::simulation) const MAX_RECORD: usize = 16 * 1024;

/// Number of bytes of a hello before those whose order rustls chooses: its extensions.
const FIXED_HELLO: usize = 60;

/// A client, and what it has sent and received. Positions are those of its bytes in the script of the pair.
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(in crate::connection::simulation) struct TlsPeer {
    client: ClientConnection,
    /// Plaintext that it has yet to write.
    unwritten: Vec<u8>,
    /// Plaintext that it has written.
    written: Vec<u8>,
    /// For each record of plaintext, the position of its end and the length of all plaintext up to it.
    records: Vec<(usize, usize)>,
    pub(in crate::connection::simulation) longest_record: usize,
    /// The end of its `close_notify`.
    end: Option<usize>,
    /// That was before the end of its handshake, so the server may not believe it.
    pub(in crate::connection::simulation) is_end_early: bool,
    /// The bytes that break the rules. They are the last ones with a meaning.
    pub(in crate::connection::simulation) fault: Option<Range<usize>>,
    /// A byte of its hello is another one: most such handshakes fail.
    pub(in crate::connection::simulation) is_garbled: bool,
    /// It reads nothing after its handshake, not even tickets, until the network settles.
    is_lazy: bool,
    must_resume: bool,
    /// Number of bytes of the server that it has read.
    pub(in crate::connection::simulation) read: usize,
    pub(in crate::connection::simulation) received: Vec<u8>,
    /// The server has ended its direction.
    has_ended: bool,
    /// The server has sent a fatal alert.
    has_alert: bool,
    /// The server has sent what no server may send.
    pub(in crate::connection::simulation) problem: Option<String>,
}

impl TlsPeer {
    /// Creates a client that will send this plaintext. Its hello is on the wire.
    pub(in crate::connection::simulation) fn new(
        plaintext: Vec<u8>,
        wire: &mut Vec<u8>,
        rng: &mut Rng,
    ) -> Self {
        let parameters = Parameters::random(rng);
        let name = "localhost".try_into().expect("a name");
        let client = ClientConnection::new(Arc::new(parameters.client()), name);
        let mut client = client.expect("the configuration is complete");
        client.set_buffer_limit(None);
        let mut peer = Self {
            client,
            unwritten: plaintext,
            written: Vec::new(),
            records: Vec::new(),
            longest_record: 0,
            end: None,
            is_end_early: false,
            fault: None,
            is_garbled: rng.u8(0..16) == 0,
            is_lazy: rng.u8(0..4) == 0,
            must_resume: parameters.is_resumed,
            read: 0,
            received: Vec::new(),
            has_ended: false,
            has_alert: false,
            problem: None,
        };
        let hello = wire.len();
        peer.flush(wire);
        if peer.is_garbled {
            wire[hello + rng.usize(0..FIXED_HELLO)] ^= rng.u8(1..);
        }
        peer
    }

    /// Does something, or nothing. Returns it for the trace.
    pub(in crate::connection::simulation) fn act(
        &mut self,
        wire: &mut Vec<u8>,
        delivered: &[u8],
        rng: &mut Rng,
    ) -> &'static str {
        match rng.u8(0..32) {
            0..14 if !self.is_lazy || self.client.is_handshaking() => {
                self.read_records(rng.usize(1..5), wire, delivered);
                "reads"
            }
            14..25 => {
                let len = if rng.bool() { rng.usize(1..40) } else { rng.usize(1..4 * MAX_RECORD) };
                self.write(len, wire);
                "writes"
            }
            25..28 if self.can_write() => {
                // TLS 1.2 has no such message.
                let _ = self.client.refresh_traffic_keys();
                self.flush(wire);
                "updates its keys"
            }
            28 if rng.u8(0..if self.client.is_handshaking() { 16 } else { 2 }) == 0 => {
                self.send_end(wire);
                "sends its close_notify"
            }
            29 if rng.u8(0..4) == 0 && self.can_write() => {
                self.break_rules(wire, rng);
                "breaks the rules"
            }
            30..32 if self.end.is_some() => {
                wire.extend((0..rng.usize(1..100)).map(|_| rng.u8(..)));
                "sends bytes after its close_notify"
            }
            _ => "does nothing",
        }
    }

    /// Reads the handshake, and nothing after it.
    pub(in crate::connection::simulation) fn read_handshake(
        &mut self,
        wire: &mut Vec<u8>,
        delivered: &[u8],
    ) {
        while self.client.is_handshaking() && first_record(&delivered[self.read..]).is_some() {
            self.read_records(1, wire, delivered);
        }
    }

    /// Reads and writes everything.
    pub(in crate::connection::simulation) fn finish(
        &mut self,
        wire: &mut Vec<u8>,
        delivered: &[u8],
    ) {
        self.read_records(usize::MAX, wire, delivered);
        self.write(usize::MAX, wire);
    }

    fn can_write(&self) -> bool {
        let is_over = self.end.is_some() || self.fault.is_some() || self.has_alert;
        !self.client.is_handshaking() && !is_over
    }

    /// Moves the bytes that rustls has encoded to the wire.
    fn flush(&mut self, wire: &mut Vec<u8>) {
        // Bytes after the end or the fault would have no meaning.
        if self.end.is_none() && self.fault.is_none() {
            while self.client.wants_write() {
                self.client.write_tls(wire).expect("a vector takes everything");
            }
        }
    }

    /// Writes the next plaintext, as records of at most the maximum.
    fn write(&mut self, len: usize, wire: &mut Vec<u8>) {
        if !self.can_write() {
            return;
        }
        let rest = self.unwritten.split_off(len.min(self.unwritten.len()));
        for record in std::mem::replace(&mut self.unwritten, rest).chunks(MAX_RECORD) {
            self.client.writer().write_all(record).expect("there is no limit");
            self.flush(wire);
            self.written.extend_from_slice(record);
            self.longest_record = self.longest_record.max(record.len());
            self.records.push((wire.len(), self.written.len()));
        }
    }

    fn send_end(&mut self, wire: &mut Vec<u8>) {
        let is_early = self.client.is_handshaking();
        // rustls asserts that nothing goes wrong after a `close_notify`.
        let may_fail = is_early && self.is_garbled;
        if self.end.is_none() && self.fault.is_none() && !self.has_alert && !may_fail {
            self.client.send_close_notify();
            self.flush(wire);
            (self.end, self.is_end_early) = (Some(wire.len()), is_early);
        }
    }

    /// Sends a record that cannot be decrypted, or is none.
    fn break_rules(&mut self, wire: &mut Vec<u8>, rng: &mut Rng) {
        let start = wire.len();
        match rng.u8(0..4) {
            0 => {
                self.client.writer().write_all(b"never served").expect("there is no limit");
                self.flush(wire);
                let at = rng.usize(start + HEADER..wire.len());
                wire[at] ^= rng.u8(1..);
            }
            1 => {
                let len = rng.u8(..);
                wire.extend([23, 3, 3, 0, len]);
                wire.extend((0..len).map(|_| rng.u8(..)));
            }
            2 => wire.extend(b"GET / HTTP/1.1\r\n\r\n"),
            _ => wire.extend([23, 3, 3, 0xff, 0xff]),
        }
        self.fault = Some(start..wire.len());
    }

    /// Reads complete records of the server, at most `max`.
    fn read_records(&mut self, max: usize, wire: &mut Vec<u8>, delivered: &[u8]) {
        for _ in 0..max {
            let Some(record) = first_record(&delivered[self.read..]) else { break };
            self.read += record.len();
            if self.is_garbled && self.has_alert {
                // Its own failure, not the server's.
            } else if self.client.is_handshaking() && is_close_notify(record) {
                // A client does not believe it before the end of its handshake.
                self.has_ended = true;
            } else if self.has_ended || self.has_alert {
                self.problem = Some(format!("a record after the end: {record:?}"));
            } else if let Err(error) = self.read_record(record) {
                self.has_ended = error == Error::AlertReceived(AlertDescription::CloseNotify);
                let is_alert = matches!(error, Error::AlertReceived(_));
                self.has_alert = is_alert || self.is_garbled;
                if !self.has_alert {
                    self.problem = Some(format!("{error}, of {record:?}"));
                }
            }
            self.flush(wire);
        }
    }

    fn read_record(&mut self, mut record: &[u8]) -> Result<(), Error> {
        while !record.is_empty() {
            self.client.read_tls(&mut record).expect("a slice can be read");
            self.has_ended = self.client.process_new_packets()?.peer_has_closed();
            // The only errors are "would block", and an end of stream that is never passed on.
            let _ = self.client.reader().read_to_end(&mut self.received);
        }
        if self.must_resume
            && !self.is_garbled
            && self.client.handshake_kind() == Some(HandshakeKind::Full)
        {
            self.problem = Some("the session is not resumed".to_owned());
        }
        Ok(())
    }

    /// Returns the server's direction as this peer has seen it.
    pub(in crate::connection::simulation) fn layer_end(&self) -> LayerEnd {
        match (self.has_alert, self.has_ended) {
            (_, true) => LayerEnd::Ended,
            (true, false) => LayerEnd::Alert,
            (false, false) => LayerEnd::Open,
        }
    }

    /// Returns whether the peer has ended its direction before a position of the script.
    pub(in crate::connection::simulation) fn has_sent_end(&self, position: usize) -> bool {
        !self.is_end_early && self.end.is_some_and(|end| end <= position)
    }

    /// Returns the plaintext of the records that are complete at a position of the script.
    pub(in crate::connection::simulation) fn sent(&self, position: usize) -> &[u8] {
        let complete = self.records.partition_point(|&(end, _)| end <= position);
        let len = complete.checked_sub(1).map_or(0, |last| self.records[last].1);
        &self.written[..len]
    }
}

/// Returns the first record, if it is complete.
fn first_record(bytes: &[u8]) -> Option<&[u8]> {
    let &[_, _, _, high, low, ..] = bytes else { return None };
    bytes.get(..HEADER + usize::from(u16::from_be_bytes([high, low])))
}

/// Returns whether a record is a `close_notify` that is not encrypted.
fn is_close_notify(record: &[u8]) -> bool {
    matches!(record, [21, 3, _, 0, 2, 1, 0])
}
