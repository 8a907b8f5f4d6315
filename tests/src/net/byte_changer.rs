//! A relay in front of a server, which changes bytes on their way back.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
};

use super::mock_server;

/// Starts a relay that replaces `from` by `to`, which has the same length, in everything that the server sends. Returns its
/// address.
///
/// Bytes that arrive in two reads are not found, so `from` has to be in a small message.
#[must_use]
pub fn change_replies(server: SocketAddr, from: &'static [u8], to: &'static [u8]) -> SocketAddr {
    assert_eq!(from.len(), to.len());
    mock_server::serve(move |client| {
        let Ok(upstream) = TcpStream::connect(server) else { return };
        let (Ok(requests), Ok(sink)) = (client.try_clone(), upstream.try_clone()) else { return };
        thread::spawn(move || relay(requests, sink, |_| {}));
        relay(upstream, client, |bytes| replace(bytes, from, to));
    })
}

fn relay(mut source: TcpStream, mut sink: TcpStream, change: impl Fn(&mut [u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = source.read(&mut buffer) {
        change(&mut buffer[..len]);
        if sink.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = sink.shutdown(Shutdown::Write);
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    for start in 0..(bytes.len() + 1).saturating_sub(from.len()) {
        if bytes[start..].starts_with(from) {
            bytes[start..start + to.len()].copy_from_slice(to);
        }
    }
}
