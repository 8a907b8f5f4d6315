//! A connection that finds the end of each request and its body, and echoes the body. It checks nothing else.

use std::{io::Write as _, net::TcpStream};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use crate::server::Connection;

const LENGTH: &[u8] = b"Content-Length: ";

pub(crate) struct HttpConnection {
    stream: TcpStream,
    /// The first bytes of a request that is not complete.
    held: Vec<u8>,
    /// Responses of a read.
    responses: Vec<u8>,
}

impl HttpConnection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, held: Vec::new(), responses: Vec::new() }
    }
}

/// Returns the position behind the first `needle`.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let at = bytes.windows(needle.len()).position(|window| window == needle)?;
    Some(at + needle.len())
}

/// Returns the body at the beginning of `bytes`, and the position behind it, if it has arrived.
fn body(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let start = find(bytes, b"\r\n\r\n")?;
    let digits = find(&bytes[..start], LENGTH).map_or(&b""[..], |at| &bytes[at..start]);
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| 10 * length + usize::from(digit - b'0'));
    Some((bytes.get(start..start + length)?, start + length))
}

impl Connection for HttpConnection {
    fn echo(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            let held = self.held.len();
            buffer[..held].copy_from_slice(&self.held);
            let len = match recv(&self.stream, &mut buffer[held..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return false,
                Ok((len, _)) => held + len,
                Err(error) => return error == Errno::AGAIN,
            };
            let mut at = 0;
            self.responses.clear();
            while let Some((body, end)) = body(&buffer[at..len]) {
                let length = body.len();
                let _ =
                    write!(self.responses, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                self.responses.extend_from_slice(body);
                at += end;
            }
            self.held.clear();
            self.held.extend_from_slice(&buffer[at..len]);
            let mut sent = 0;
            while sent < self.responses.len() {
                match send(&self.stream, &self.responses[sent..], SendFlags::NOSIGNAL) {
                    Ok(count) => sent += count,
                    Err(_) => return false,
                }
            }
            // A short read has emptied the socket; later bytes cause a new event.
            if len < buffer.len() {
                return true;
            }
        }
    }
}
