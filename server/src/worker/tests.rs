//! A worker with real sockets, one of which panics.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Instant,
};

use mio::{Interest, Registry, Token, event::Source};

use super::worker::Worker;
use crate::{
    admission::{ConnectionPolicy, Peer},
    config::{Listener, Spin, limits},
    connection::{Incoming, Socket, Stream},
    layer::NewScrambled,
    shared::{Phase, SharedState, fixture::shared_state},
};

/// A socket that panics when it reads bytes that begin with `panic`.
#[derive(Debug)]
struct PanickingSocket(Socket);

impl Read for PanickingSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        assert!(!buffer[..read].starts_with(b"panic"), "the injected bug");
        Ok(read)
    }
}

impl Write for PanickingSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for PanickingSocket {
    fn local_name(&self) -> String {
        self.0.local_name()
    }
    fn half_close(&mut self) -> io::Result<()> {
        self.0.half_close()
    }
    fn is_delivered(&self) -> io::Result<bool> {
        self.0.is_delivered()
    }
    fn received(&self) -> io::Result<u64> {
        self.0.received()
    }
}

impl Source for PanickingSocket {
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

/// Pushes a new connection to the dispatch queue, and returns its client.
fn connect(listener: &TcpListener, shared: &SharedState<Incoming<PanickingSocket>>) -> TcpStream {
    let counters = shared.counters.listeners.listener("127.0.0.1:0", "text");
    let policy = ConnectionPolicy::new(&Listener::tcp("127.0.0.1", 0), counters);
    connect_with(&Arc::new(policy), listener, shared)
}

fn connect_with(
    policy: &Arc<ConnectionPolicy>,
    listener: &TcpListener,
    shared: &SharedState<Incoming<PanickingSocket>>,
) -> TcpStream {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let permit = shared.limits.admit(policy, Some(peer.ip())).expect("the limit is not reached");
    let (stream, peer) = (PanickingSocket(stream.into()), Peer::remote(peer));
    let incoming =
        Incoming::New { stream, peer, permit, accepted_at: Instant::now(), faults: None };
    shared.dispatch.push(incoming).expect("the queue has room");
    client
}

fn echo(client: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    client.write_all(text).unwrap();
    let mut reply = vec![0; text.len()];
    client.read_exact(&mut reply).unwrap();
    reply
}

#[test]
fn a_panic_costs_one_connection() {
    let (shared, _acceptor, mut workers) = shared_state(1);
    let (poll, messages) = workers.remove(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    thread::scope(|scope| {
        let worker = scope.spawn(|| Worker::new(0, Spin::default(), &shared, poll, messages).run());
        let mut before = connect(&listener, &shared);
        assert_eq!(echo(&mut before, b"hello"), b"hello");

        let mut panicking = connect(&listener, &shared);
        panicking.write_all(b"panic").unwrap();
        assert_eq!(panicking.read(&mut [0; 8]).unwrap(), 0, "closed");

        assert_eq!(echo(&mut before, b"still here"), b"still here");
        let mut after = connect(&listener, &shared);
        assert_eq!(echo(&mut after, b"hello again"), b"hello again");
        assert_eq!(shared.counters.stats().panics, 1);

        drop((before, after));
        shared.advance(Phase::Draining);
        shared.dispatch.close();
        worker.join().unwrap().unwrap();
    });
}

#[test]
fn an_iteration_has_few_turns_for_handshakes_and_one_for_each_other_connection() {
    let (shared, _acceptor, mut workers) = shared_state(1);
    let (poll, messages) = workers.remove(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = ConnectionPolicy::alone(&Listener::tcp("127.0.0.1", 0));
    let layered = ConnectionPolicy::alone(&Listener::tcp("127.0.0.1", 0)).with_layer(NewScrambled);
    let (plain, layered) = (Arc::new(plain), Arc::new(layered));
    let few = 2 * limits::TURN_HANDSHAKES + 1;
    let _clients: Vec<_> = [&plain, &layered]
        .repeat(few)
        .into_iter()
        .map(|policy| connect_with(policy, &listener, &shared))
        .collect();

    let mut worker = Worker::new(0, Spin::default(), &shared, poll, messages);
    worker.take_connections();
    for _ in 0..2 {
        (0..2 * few).for_each(|key| worker.queue(key));
    }
    let mut waiting = few;
    while waiting > 0 {
        worker.give_turns();
        waiting = waiting.saturating_sub(limits::TURN_HANDSHAKES);
        assert_eq!((worker.ready.len(), worker.ready_handshakes.len()), (0, waiting));
    }
}

/// A member of a room whose connection fails in the turn of the room ends while others are ready.
#[test]
fn a_connection_that_ends_while_it_is_ready_does_not_take_the_turn_of_another() {
    let (shared, _acceptor, mut workers) = shared_state(1);
    let (poll, messages) = workers.remove(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let policy = Arc::new(ConnectionPolicy::alone(&Listener::tcp("127.0.0.1", 0)));
    let _clients: Vec<_> = (0..4).map(|_| connect_with(&policy, &listener, &shared)).collect();
    let mut worker = Worker::new(0, Spin::default(), &shared, poll, messages);
    worker.take_connections();
    (0..4).for_each(|key| worker.queue(key));
    worker.take_out(1);
    assert_eq!(worker.ready.len(), 4, "a shorter list would take turns from those behind");
    worker.give_turns();
    assert!(worker.ready.is_empty());
    for key in [0, 2, 3] {
        assert!(!worker.connections[key].queued, "connection {key} had no turn");
    }
}
