//! Rooms, over real sockets.

mod members;
mod relay;
mod slow;
mod transports;

use tests::{net::Peer, programs::EchoServer};

/// Starts a server of rooms with these parameters of its listener.
fn start(parameters: &str) -> EchoServer {
    start_with(parameters, &[])
}

/// Starts a server of rooms with these parameters of its listener, and arguments.
fn start_with(parameters: &str, args: &[&str]) -> EchoServer {
    let listen = format!("tcp://127.0.0.1:0?protocol=room{parameters}");
    EchoServer::start_with(&[&["--listen", &listen], args].concat())
}

/// Connects a member. It is in its room: it has received its own join.
fn join(server: &EchoServer, name: &str) -> Peer {
    let mut peer = server.connect();
    peer.send(format!("/name {name}\n/seq off\n").as_bytes());
    peer.read_until(&format!(" is now {name}\n* Sequence numbers are off\n"));
    peer
}

/// Sends lines, and expects lines.
fn exchange(peer: &mut Peer, sent: &str, expected: &str) {
    peer.send(sent.as_bytes());
    peer.expect(expected.as_bytes());
}
