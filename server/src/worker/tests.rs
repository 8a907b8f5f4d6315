//! A worker with real sockets, one of which has a bug.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use mio::{Interest, Registry, Token, event::Source};

use super::worker::Worker;
use crate::{
    admission::{ConnectionPolicy, Peer},
    config::{Listener, Spin},
    connection::{Incoming, Socket, Stream},
    shared::{Phase, SharedState, fixture::shared_state},
};

/// A socket whose reader has a bug: it panics when it has read `panic`.
#[derive(Debug)]
struct Trap(Socket);

impl Read for Trap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        assert!(!buffer[..read].starts_with(b"panic"), "the bug");
        Ok(read)
    }
}

impl Write for Trap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Trap {
    fn half_close(&mut self) -> io::Result<()> {
        self.0.half_close()
    }
    fn received(&self) -> io::Result<u64> {
        self.0.received()
    }
}

impl Source for Trap {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.register(registry, token, interest)
    }
    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.reregister(registry, token, interest)
    }
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.deregister(registry)
    }
}

/// Hands a new connection over, and returns its other end.
fn connect(listener: &TcpListener, shared: &SharedState<Incoming<Trap>>) -> TcpStream {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let policy = Arc::new(ConnectionPolicy::new(&Listener::tcp("127.0.0.1", 0)));
    shared.limits.acquire(&policy, Some(peer.ip())).expect("there is no limit");
    let incoming = Incoming::New(Trap(stream.into()), Peer::remote(peer), policy);
    shared.dispatch.push(incoming).expect("the queue has room");
    client
}

fn echo(client: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    client.write_all(text).unwrap();
    let mut back = vec![0; text.len()];
    client.read_exact(&mut back).unwrap();
    back
}

#[test]
fn a_panic_costs_one_connection() {
    let (shared, _acceptor, mut polls) = shared_state(1);
    let poll = polls.remove(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    thread::scope(|scope| {
        let worker = scope.spawn(|| Worker::new(0, Spin::default(), &shared, poll).run());
        let mut before = connect(&listener, &shared);
        assert_eq!(echo(&mut before, b"hello"), b"hello");

        let mut unlucky = connect(&listener, &shared);
        unlucky.write_all(b"panic").unwrap();
        assert_eq!(unlucky.read(&mut [0; 8]).unwrap(), 0, "closed");

        assert_eq!(echo(&mut before, b"still here"), b"still here");
        let mut after = connect(&listener, &shared);
        assert_eq!(echo(&mut after, b"welcome"), b"welcome");
        assert_eq!(shared.counters.stats().panics, 1);

        drop((before, after));
        shared.advance(Phase::Draining);
        shared.dispatch.close();
        worker.join().unwrap().unwrap();
    });
}
