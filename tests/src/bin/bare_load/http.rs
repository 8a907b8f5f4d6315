//! The client's side of HTTP/1.1 (RFC 9112).

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, ensure};

/// Returns a request with this body.
pub(crate) fn request(body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Sends a request and returns the length of the response, which every later one has too.
pub(crate) fn measure(mut stream: &TcpStream, request: &[u8]) -> anyhow::Result<usize> {
    stream.write_all(request)?;
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        response.push(byte[0]);
    }
    let head = String::from_utf8(response)?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "the server refuses the request");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let body: usize = length.context("the response has no Content-Length")?.parse()?;
    stream.read_exact(&mut vec![0; body])?;
    Ok(head.len() + body)
}
