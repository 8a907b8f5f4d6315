//! The client's side of a WebSocket (RFC 6455).

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::ensure;

/// The mask of every frame.
pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Opens the WebSocket.
pub(crate) fn handshake(mut stream: &TcpStream) -> anyhow::Result<()> {
    stream.write_all(REQUEST)?;
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        response.push(byte[0]);
    }
    ensure!(response.starts_with(b"HTTP/1.1 101 "), "the server opens no WebSocket");
    Ok(())
}

/// Returns a binary message in one frame.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82];
    match payload.len() {
        len @ ..126 => frame.push(0x80 | len.to_le_bytes()[0]),
        len @ 126..=0xffff => {
            frame.push(0x80 | 0x7e);
            frame.extend_from_slice(&len.to_be_bytes()[6..]);
        }
        len => {
            frame.push(0x80 | 0x7f);
            frame.extend_from_slice(&len.to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
