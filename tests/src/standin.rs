//! A server inside the test that answers as the test says: the hostile, the silent, the broken.

use std::{
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixListener,
    path::Path,
    thread,
};

use crate::DEADLINE;

/// Listens on a free port and gives every connection to `serve`, each in a thread of its own, for
/// as long as the test runs; says where.
#[must_use]
pub fn serve(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(DEADLINE)).expect("more than no time");
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Echoes on a Unix socket at this path, every byte on every connection, for as long as the test runs.
pub fn echo_at(path: &Path) {
    let listener = UnixListener::bind(path).expect("the path is free");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = stream.try_clone().expect("a descriptor is left");
            // A client that has gone away is its own business.
            thread::spawn(move || io::copy(&mut reader, &mut stream));
        }
    });
}

/// What has arrived, at most 1,024 bytes of it as in the original server; empty at the end.
#[must_use]
pub fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = [0; 1024];
    let len = stream.read(&mut buffer).unwrap_or(0);
    buffer[..len].to_vec()
}

/// Receives datagrams on a free port for as long as the test runs, and says where. `answer` says for each
/// what is sent back: nothing, or one datagram, or several.
#[must_use]
pub fn serve_datagrams(
    mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = socket.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        // What cannot be received or sent is lost, as datagrams may be.
        while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
            for datagram in answer(&buffer[..len]) {
                let _ = socket.send_to(&datagram, peer);
            }
        }
    });
    address
}

/// An address of this machine where nobody receives datagrams.
#[must_use]
pub fn nobody_for_datagrams() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    socket.local_addr().expect("a bound socket has an address")
}

/// An address of this machine where nothing listens.
#[must_use]
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a bound socket has an address")
}
