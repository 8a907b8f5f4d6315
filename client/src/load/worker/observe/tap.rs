//! Tap on a socket: counts its bytes, and notes how they end.

use std::{
    io::{self, ErrorKind as Io, IoSlice, Read, Write},
    time::{Duration, Instant},
};

use socket2::Socket;

use super::records::Records;
use crate::load::{
    ipc::observation::WireEnd,
    worker::io::socket::{receive, transmit, transmit_vectored},
};

/// Maximum number of reads whose time is noted.
const MAX_READS: usize = 1024;

/// What a socket has sent and received.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) started: Instant,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) end: Option<WireEnd>,
    pub(super) first_byte: Option<u64>,
    /// Number of bytes after a read, and its time in nanoseconds.
    pub(super) reads: Vec<(u64, u64)>,
    pub(super) last_read: u64,
    /// Records of TLS; `None` without.
    pub(super) records: Option<Records>,
}

impl Tap {
    pub(super) fn new(has_tls: bool) -> Self {
        Self {
            started: Instant::now(),
            sent: 0,
            received: 0,
            end: None,
            first_byte: None,
            reads: Vec::new(),
            last_read: 0,
            records: has_tls.then(Records::default),
        }
    }

    /// Returns the nanoseconds since the start of the connect.
    pub(super) fn now(&self) -> u64 {
        nanos(self.started.elapsed())
    }

    /// Notes the result of a read.
    fn note(&mut self, read: &io::Result<usize>, buffer: &[u8]) {
        match read {
            Ok(0) => self.end = self.end.or(Some(WireEnd::Fin)),
            Ok(count) => {
                let now = self.now();
                self.received += *count as u64;
                self.first_byte.get_or_insert(now);
                self.last_read = now;
                if self.reads.len() < MAX_READS {
                    self.reads.push((self.received, now));
                }
                if let Some(records) = &mut self.records {
                    records.add(&buffer[..*count]);
                }
            }
            Err(error) => self.note_error(error),
        }
    }

    /// Notes a reset. A send that finds it takes it away from the next read.
    pub(super) fn note_error(&mut self, error: &io::Error) {
        if error.kind() == Io::ConnectionReset {
            self.end = Some(WireEnd::Reset);
        }
    }
}

/// Socket with its tap.
pub(super) struct Tapped<'t> {
    pub(super) socket: &'t Socket,
    pub(super) tap: &'t mut Tap,
}

impl Read for Tapped<'_> {
    /// Reads at most up to the end of a record of TLS, so that a failure belongs to the record that was read last.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len();
        let limit = self.tap.records.as_ref().map_or(len, Records::limit);
        let buffer = &mut buffer[..limit.min(len)];
        let read = receive(self.socket, buffer);
        self.tap.note(&read, buffer);
        read
    }
}

impl Tapped<'_> {
    fn note_sent(&mut self, sent: io::Result<usize>) -> io::Result<usize> {
        match &sent {
            Ok(count) => self.tap.sent += *count as u64,
            Err(error) => self.tap.note_error(error),
        }
        sent
    }
}

impl Write for Tapped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = transmit(self.socket, bytes);
        self.note_sent(sent)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = transmit_vectored(self.socket, buffers);
        self.note_sent(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a time in nanoseconds.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
