//! An echo socket over a scripted socket, and workers with real sockets.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket as Peer},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use common::endpoint::{Endpoint, HostPort};
use mio::{Interest, Registry, Token, event::Source};

use super::{
    echo_socket::UdpEchoSocket,
    listener::UdpListener,
    policy::UdpPolicy,
    socket::{Arrival, DatagramSocket, Route},
};
use crate::{
    admission::ConnectionLimits,
    config::{
        Config, Listener, Spin,
        limits::{DRAIN_DATAGRAMS, READ_BUFFER, TURN_DATAGRAMS},
    },
    connection::{Incoming, Socket, Turn, TurnContext},
    listener::{BoundListener, bind},
    shared::{Phase, SharedState, fixture::shared_state},
    telemetry::{ConnectionEvents, Stats, WorkerCounters},
    worker::Worker,
};

/// The datagrams that a scripted socket receives, its errors for each send, and the sent datagrams.
#[derive(Debug, Default)]
struct Script {
    arrivals: VecDeque<io::Result<Vec<u8>>>,
    refusals: VecDeque<ErrorKind>,
    sent: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn receives(&self, datagrams: &[&str]) {
        let arrivals = datagrams.iter().map(|text| Ok(text.as_bytes().to_vec()));
        self.0.lock().unwrap().arrivals.extend(arrivals);
    }

    fn fails_to_receive(&self, error: ErrorKind) {
        self.0.lock().unwrap().arrivals.push_back(Err(error.into()));
    }

    fn refuses(&self, errors: &[ErrorKind]) {
        self.0.lock().unwrap().refusals.extend(errors);
    }

    fn sent(&self) -> Vec<String> {
        let sent = std::mem::take(&mut self.0.lock().unwrap().sent);
        sent.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    fn waiting(&self) -> usize {
        self.0.lock().unwrap().arrivals.len()
    }
}

impl DatagramSocket for Scripted {
    fn source(&mut self) -> &mut dyn Source {
        self
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let next = self.0.lock().unwrap().arrivals.pop_front();
        let bytes = next.unwrap_or(Err(ErrorKind::WouldBlock.into()))?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(Arrival::unicast("127.0.0.1:5000".parse().unwrap(), bytes.len()))
    }

    fn send(&mut self, bytes: &[u8], _: &Route) -> io::Result<()> {
        let mut script = self.0.lock().unwrap();
        if let Some(error) = script.refusals.pop_front() {
            return Err(error.into());
        }
        script.sent.push(bytes.to_vec());
        Ok(())
    }
}

impl Source for Scripted {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }
    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }
    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

/// An echo socket and its counters.
struct Bench {
    script: Scripted,
    echo_socket: UdpEchoSocket,
    counters: WorkerCounters,
    buffer: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let script = Scripted::default();
        let policy = UdpPolicy::new("udp://127.0.0.1:7000".to_owned(), 7000, None);
        let echo_socket = UdpEchoSocket::new(Box::new(script.clone()), Arc::new(policy));
        Self {
            script,
            echo_socket,
            counters: WorkerCounters::default(),
            buffer: vec![0; READ_BUFFER],
        }
    }

    fn turn(&mut self) -> Turn {
        let telemetry = ConnectionEvents::new(&self.counters, false);
        let limits = ConnectionLimits::new(&Config::default());
        let now = Instant::now();
        let mut context =
            TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, limits: &limits, now };
        self.echo_socket.turn(&mut context, &[7000])
    }
}

#[test]
fn answers_every_waiting_datagram() {
    let mut bench = Bench::new();
    bench.script.receives(&["one", "", "three"]);
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent(), ["one", "", "three"]);
    assert_eq!(bench.counters.datagrams.get(), 3);
    assert_eq!((bench.counters.bytes_received.get(), bench.counters.bytes_sent.get()), (8, 8));
}

#[test]
fn a_turn_ends_at_its_budget_of_datagrams() {
    let mut bench = Bench::new();
    bench.script.receives(&["x"; TURN_DATAGRAMS + 1]);
    assert_eq!(bench.turn(), Turn::Again);
    assert_eq!((bench.script.sent().len(), bench.script.waiting()), (TURN_DATAGRAMS, 1));
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent().len(), 1);
}

#[test]
fn an_answer_without_room_is_kept_and_nothing_is_received_meanwhile() {
    let mut bench = Bench::new();
    bench.script.receives(&["one", "two"]);
    bench.script.refuses(&[ErrorKind::WouldBlock, ErrorKind::WouldBlock]);
    for _ in 0..2 {
        assert_eq!(bench.turn(), Turn::Wait);
        assert!(bench.echo_socket.wants_write());
        assert_eq!((bench.script.sent().len(), bench.script.waiting()), (0, 1));
    }
    assert_eq!(bench.turn(), Turn::Wait);
    assert!(!bench.echo_socket.wants_write());
    assert_eq!(bench.script.sent(), ["one", "two"]);
}

#[test]
fn an_answer_that_fails_does_not_affect_the_next_one() {
    let mut bench = Bench::new();
    bench.script.receives(&["too long", "interrupted", "short"]);
    bench.script.refuses(&[ErrorKind::NetworkUnreachable, ErrorKind::Interrupted]);
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent(), ["interrupted", "short"]);
    assert_eq!(bench.counters.datagrams_not_sent.get(), 1);
}

#[test]
fn an_error_of_an_earlier_answer_does_not_affect_the_next_datagram() {
    let mut bench = Bench::new();
    bench.script.fails_to_receive(ErrorKind::ConnectionRefused);
    bench.script.fails_to_receive(ErrorKind::Interrupted);
    bench.script.receives(&["here"]);
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent(), ["here"]);
    // A socket that only returns errors does not keep its worker busy.
    for _ in 0..2 * TURN_DATAGRAMS {
        bench.script.fails_to_receive(ErrorKind::ConnectionRefused);
    }
    assert_eq!(bench.turn(), Turn::Wait);
}

#[test]
fn a_draining_socket_answers_what_it_has_received_up_to_a_limit() {
    let mut bench = Bench::new();
    bench.script.receives(&["one", "two"]);
    bench.script.refuses(&[ErrorKind::WouldBlock]);
    bench.echo_socket.drain();
    assert_eq!(bench.turn(), Turn::Wait, "an answer waits");
    assert_eq!(bench.turn(), Turn::Over);
    assert_eq!(bench.script.sent(), ["one", "two"]);

    let mut bench = Bench::new();
    bench.echo_socket.drain();
    let mut answered = 0;
    loop {
        bench.script.receives(&["x"; TURN_DATAGRAMS]);
        let turn = bench.turn();
        answered += bench.script.sent().len();
        if turn == Turn::Over {
            break;
        }
        assert!(answered <= DRAIN_DATAGRAMS, "the drain never ends");
        bench.echo_socket.drain();
    }
    assert_eq!(answered, DRAIN_DATAGRAMS);
}

/// A real socket that panics at a datagram which reads `panic`.
#[derive(Debug)]
struct Trap(Box<dyn DatagramSocket>);

impl DatagramSocket for Trap {
    fn source(&mut self) -> &mut dyn Source {
        self.0.source()
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let arrival = self.0.receive(buffer)?;
        assert!(!buffer.starts_with(b"panic"), "the bug");
        Ok(arrival)
    }
    fn send(&mut self, bytes: &[u8], route: &Route) -> io::Result<()> {
        self.0.send(bytes, route)
    }
}

const WORKERS: usize = 2;

/// Runs `test` with running workers that serve nothing yet, then drains them.
fn with_workers(test: impl FnOnce(&SharedState<Incoming<Socket>>)) -> Stats {
    with_workers_after(|_| {}, test)
}

/// Like `with_workers`, and runs `before` before the workers start.
fn with_workers_after(
    before: impl FnOnce(&SharedState<Incoming<Socket>>),
    test: impl FnOnce(&SharedState<Incoming<Socket>>),
) -> Stats {
    let (shared, _acceptor, polls) = shared_state(WORKERS);
    before(&shared);
    thread::scope(|scope| {
        let (spin, shared) = (Spin::default(), &shared);
        let run = |(index, poll)| scope.spawn(move || Worker::new(index, spin, shared, poll).run());
        let workers: Vec<_> = polls.into_iter().enumerate().map(run).collect();
        test(shared);
        shared.advance(Phase::Draining);
        shared.dispatch.close();
        for worker in workers {
            worker.join().unwrap().unwrap();
        }
    });
    shared.counters.stats()
}

fn listener(endpoint: &Endpoint) -> UdpListener {
    let bound = bind(&Listener::new(endpoint.clone()), false, WORKERS);
    let Ok(BoundListener::Udp(listener)) = bound else { panic!("{bound:?}") };
    listener
}

fn anywhere() -> Endpoint {
    Endpoint::Udp(HostPort { host: "127.0.0.1".to_owned(), port: 0 })
}

fn address(listener: &UdpListener) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], listener.policy.port))
}

fn peer_of(server: SocketAddr) -> Peer {
    let peer = Peer::bind("127.0.0.1:0").unwrap();
    peer.connect(server).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    peer
}

fn echo(peer: &Peer, text: &[u8]) -> Vec<u8> {
    peer.send(text).unwrap();
    let mut back = [0; 64];
    let len = peer.recv(&mut back).unwrap();
    back[..len].to_vec()
}

#[test]
fn a_panic_costs_one_datagram() {
    let stats = with_workers(|shared| {
        let mut listener = listener(&anywhere());
        let trapped = listener.sockets.drain(..).map(|socket| Box::new(Trap(socket)) as Box<_>);
        listener.sockets = trapped.collect();
        let peer = peer_of(address(&listener));
        shared.open_udp(listener);
        assert_eq!(echo(&peer, b"before"), b"before");
        peer.send(b"panic").unwrap();
        assert_eq!(echo(&peer, b"still here"), b"still here");
    });
    assert_eq!((stats.panics, stats.datagrams), (1, 2));
}

#[test]
fn listeners_open_and_close_while_workers_run() {
    let stats = with_workers(|shared| {
        let (gone, stays) = (listener(&anywhere()), listener(&anywhere()));
        let (at, policy, endpoint) =
            (address(&gone), Arc::clone(&gone.policy), gone.endpoint.clone());
        let there = peer_of(address(&stays));
        shared.open_udp(gone);
        shared.open_udp(stays);
        // From many ports, so that both sockets receive datagrams.
        let peers: Vec<_> = (0..64).map(|_| peer_of(at)).collect();
        for peer in &peers {
            assert_eq!(echo(peer, b"here"), b"here");
        }
        assert!(shared.counters.workers.iter().all(|worker| worker.datagrams.get() > 0));
        let in_use = bind(&Listener::new(endpoint.clone()), false, WORKERS).unwrap_err();
        assert!(in_use.to_string().contains("in use"), "{in_use}");

        for peer in &peers {
            peer.send(b"last").unwrap();
        }
        let (closed, wait) = mpsc::channel();
        shared.close_udp(policy, closed);
        // The channel carries no value: its end means that all sockets are closed.
        let closed = wait.recv_timeout(Duration::from_secs(30));
        assert_eq!(closed, Err(mpsc::RecvTimeoutError::Disconnected));
        for peer in &peers {
            let mut back = [0; 8];
            assert_eq!(peer.recv(&mut back).unwrap(), 4, "received datagrams were answered");
            peer.send(b"too late").unwrap();
            assert_eq!(peer.recv(&mut back).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(echo(&there, b"there"), b"there");

        // The address is free immediately, and is no longer a port of this server.
        shared.open_udp(listener(&endpoint));
        assert_eq!(echo(&peers[0], b"again"), b"again");
    });
    assert_eq!(stats.datagrams, 64 + 64 + 1 + 1);
}

#[test]
fn datagrams_received_before_the_drain_are_answered() {
    let listener = listener(&anywhere());
    let peers: Vec<_> = (0..64).map(|_| peer_of(address(&listener))).collect();
    let stats = with_workers_after(
        |shared| {
            for peer in &peers {
                peer.send(b"early").unwrap();
            }
            shared.open_udp(listener);
            shared.advance(Phase::Draining);
        },
        |_| {
            for peer in &peers {
                assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
            }
        },
    );
    assert_eq!(stats.datagrams, 64);
}
