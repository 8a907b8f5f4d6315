//! A connection that finds frames, removes their masks, and echoes them. It checks nothing else.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use common::websocket;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use crate::server::Connection;

/// Length of the longest header of a frame.
const HEADER: usize = 14;

pub(crate) struct WebSocketConnection {
    stream: TcpStream,
    is_open: bool,
    /// The first bytes of a header.
    held: Vec<u8>,
    /// Bytes of a payload that have not arrived.
    left: usize,
    mask: [u8; 4],
}

impl WebSocketConnection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, is_open: false, held: Vec::new(), left: 0, mask: [0; 4] }
    }

    /// Answers a handshake, for which it waits.
    fn handshake(&mut self) -> Option<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).ok()?;
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).ok()?;
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
        let accept = websocket::accept(key);
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.stream.write_all(response.as_bytes()).ok()
    }

    /// Turns frames into their echo, at the beginning of the bytes. Returns its length.
    fn unmask(&mut self, bytes: &mut [u8]) -> usize {
        let (mut read, mut echo) = (0, 0);
        loop {
            let here = self.left.min(bytes.len() - read);
            bytes.copy_within(read..read + here, echo);
            let word = u64::from(u32::from_ne_bytes(self.mask));
            let (words, rest) = bytes[echo..echo + here].as_chunks_mut::<8>();
            for bytes in words {
                *bytes = (u64::from_ne_bytes(*bytes) ^ (word << 32 | word)).to_ne_bytes();
            }
            for (byte, mask) in rest.iter_mut().zip(self.mask) {
                *byte ^= mask;
            }
            self.mask.rotate_left(here % 4);
            self.left -= here;
            read += here;
            echo += here;
            let rest = &bytes[read..];
            let extra = match rest.get(1).map(|second| second & 0x7f) {
                Some(127) => 8,
                Some(126) => 2,
                _ => 0,
            };
            if rest.len() < 6 + extra {
                self.held = rest.to_vec();
                return echo;
            }
            let mut len = [0; 8];
            len[8 - extra..].copy_from_slice(&rest[2..2 + extra]);
            self.left = match extra {
                0 => usize::from(rest[1] & 0x7f),
                _ => usize::try_from(u64::from_be_bytes(len)).unwrap_or(usize::MAX),
            };
            self.mask.copy_from_slice(&rest[2 + extra..6 + extra]);
            bytes.copy_within(read..read + 2 + extra, echo);
            bytes[echo + 1] &= 0x7f;
            read += 6 + extra;
            echo += 2 + extra;
        }
    }
}

impl Connection for WebSocketConnection {
    fn echo(&mut self, buffer: &mut [u8]) -> bool {
        if !self.is_open {
            self.is_open = true;
            return self.handshake().is_some();
        }
        loop {
            let held = self.held.len();
            debug_assert!(held < HEADER, "only a header is held");
            buffer[..held].copy_from_slice(&self.held);
            self.held.clear();
            let len = match recv(&self.stream, &mut buffer[held..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return false,
                Ok((len, _)) => len,
                Err(error) => {
                    self.held = buffer[..held].to_vec();
                    return error == Errno::AGAIN;
                }
            };
            let echo = self.unmask(&mut buffer[..held + len]);
            let mut sent = 0;
            while sent < echo {
                match send(&self.stream, &buffer[sent..echo], SendFlags::NOSIGNAL) {
                    Ok(count) => sent += count,
                    Err(_) => return false,
                }
            }
            // A short read has emptied the socket; later bytes cause a new event.
            if held + len < buffer.len() {
                return true;
            }
        }
    }
}
