//! Servers whose replies a test defines: hostile, silent or broken ones.
//!
//! Each serves for as long as the test process runs.

use std::{
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixListener,
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use crate::wait::DEADLINE;

/// Listens on a free port and calls `serve` for each connection, in a thread per connection. Returns the address.
#[must_use]
pub fn serve(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Echoes every byte of every connection to a Unix socket at this path.
pub fn echo_on_unix_socket(path: &Path) {
    let listener = UnixListener::bind(path).expect("the path is free");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = stream.try_clone().expect("a descriptor is left");
            // A client may close its connection at any time.
            thread::spawn(move || io::copy(&mut reader, &mut stream));
        }
    });
}

/// Receives at most 1,024 bytes, as the original server does. Returns no bytes at the end of the stream.
#[must_use]
pub fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = [0; 1024];
    let len = stream.read(&mut buffer).unwrap_or(0);
    buffer[..len].to_vec()
}

/// Receives datagrams on a free port. Replies to each with the datagrams that `answer` returns for it. Returns the
/// address.
#[must_use]
pub fn serve_datagrams(
    mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = socket.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
            for datagram in answer(&buffer[..len]) {
                // A datagram that cannot be sent is lost, as on a network.
                let _ = socket.send_to(&datagram, peer);
            }
        }
    });
    address
}

/// Returns an address of this machine that no other test uses at the same time, unless one process asks for more than 100. A server
/// that starts again there finds its port free: no other server and no connection can have taken it.
#[must_use]
pub fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [_, _, high, low] = process::id().to_be_bytes();
    let number = NEXT.fetch_add(1, Relaxed) % 100;
    Ipv4Addr::new(127, 100 + u8::try_from(number).expect("it is below 100"), high, low.max(1))
}

/// Returns a local address to which no UDP socket is bound, also later.
#[must_use]
pub fn unused_udp_address() -> SocketAddr {
    let socket = UdpSocket::bind((own_address(), 0)).expect("a port is free");
    socket.local_addr().expect("a bound socket has an address")
}

/// Returns a local address on which no TCP socket listens, also later.
#[must_use]
pub fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind((own_address(), 0)).expect("a port is free");
    listener.local_addr().expect("a bound socket has an address")
}
