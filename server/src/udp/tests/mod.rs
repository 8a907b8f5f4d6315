//! An echo socket over a scripted socket, and workers with real sockets.

mod batches;
mod faults;
mod receive_offload;
mod sockets;

use std::{
    collections::VecDeque,
    io::{
        self,
        ErrorKind::{self, WouldBlock},
    },
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as Peer},
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use common::endpoint::{Endpoint, HostPort};
use mio::{Interest, Registry, Token, event::Source};

use super::{
    batch::{Answer, Batch},
    echo_socket::{UdpEchoSocket, UdpTurnContext},
    listener::UdpListener,
    policy::UdpPolicy,
    route::Arrival,
    socket::{DatagramSocket, Headers},
};
use crate::{
    config::{
        Config, Listener, ListenerOptions, Spin,
        limits::{DRAIN_MESSAGES, TURN_DATAGRAMS},
    },
    connection::{Incoming, Socket, Turn},
    listener::{Address, BindError, Binder, BoundListener},
    metrics::{ListenerCounters, ListenerMetrics, Registry as Listeners, Stats, WorkerCounters},
    shared::{Phase, SharedState, fixture::shared_state},
    telemetry::Recorder,
    worker::Worker,
};

/// What a scripted socket will receive, what becomes of its next answers, and what it has sent.
#[derive(Debug, Default)]
struct Script {
    arrivals: VecDeque<io::Result<Message>>,
    /// For each answer whether it is refused. The others are sent.
    refusals: VecDeque<Option<ErrorKind>>,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    /// Number of answers in each call that has sent some.
    calls: Vec<usize>,
}

/// A message of a scripted socket: one datagram, or several of this size.
#[derive(Debug)]
struct Message {
    peer: SocketAddr,
    bytes: Vec<u8>,
    size: Option<NonZeroUsize>,
}

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

/// A socket that receives and sends by a script, as `recvmmsg` and `sendmmsg` do.
#[derive(Clone, Debug, Default)]
struct ScriptedSocket(Arc<Mutex<Script>>);

impl ScriptedSocket {
    fn will_receive(&self, datagrams: &[&str]) {
        self.will_receive_from(PEER, datagrams);
    }

    fn will_receive_from(&self, peer: SocketAddr, datagrams: &[&str]) {
        let messages = datagrams.iter().map(|text| {
            let bytes = text.as_bytes().to_vec();
            Ok(Message { peer, bytes, size: None })
        });
        self.0.lock().unwrap().arrivals.extend(messages);
    }

    /// The system joins datagrams of this size.
    fn will_receive_joined(&self, bytes: &str, size: usize) {
        let (bytes, size) = (bytes.as_bytes().to_vec(), NonZeroUsize::new(size));
        self.0.lock().unwrap().arrivals.push_back(Ok(Message { peer: PEER, bytes, size }));
    }

    fn will_fail_to_receive(&self, error: ErrorKind) {
        self.0.lock().unwrap().arrivals.push_back(Err(error.into()));
    }

    fn will_refuse(&self, errors: &[ErrorKind]) {
        self.0.lock().unwrap().refusals.extend(errors.iter().copied().map(Some));
    }

    fn will_send(&self, answers: usize) {
        self.0.lock().unwrap().refusals.extend(vec![None; answers]);
    }

    /// Removes and returns the sent datagrams.
    fn take_sent(&self) -> Vec<String> {
        let sent = std::mem::take(&mut self.0.lock().unwrap().sent);
        sent.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
    }

    /// Removes and returns the numbers of answers in the calls that have sent some.
    fn take_calls(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// Returns the number of messages and errors that wait to be received.
    fn waiting(&self) -> usize {
        self.0.lock().unwrap().arrivals.len()
    }
}

impl DatagramSocket for ScriptedSocket {
    fn source(&mut self) -> &mut dyn Source {
        self
    }

    fn receive(&mut self, limit: usize, batch: &mut Batch, _: &mut Headers) -> io::Result<bool> {
        let mut script = self.0.lock().unwrap();
        let (slots, mut arrivals) = batch.slots();
        let mut received = 0;
        for (slot, buffer) in slots.take(limit).enumerate() {
            match script.arrivals.pop_front() {
                Some(Ok(Message { peer, bytes, size })) => {
                    buffer[..bytes.len()].copy_from_slice(&bytes);
                    arrivals.push(slot, Arrival::unicast(peer, bytes.len()), size);
                    received += 1;
                }
                Some(Err(error)) if received == 0 => return Err(error),
                Some(error) => {
                    script.arrivals.push_front(error);
                    break;
                }
                None => break,
            }
        }
        let more_may_wait = received == limit || !script.arrivals.is_empty();
        if received > 0 { Ok(more_may_wait) } else { Err(WouldBlock.into()) }
    }

    fn send(&mut self, answers: &[Answer], buffer: &[u8], _: &mut Headers) -> io::Result<usize> {
        let mut script = self.0.lock().unwrap();
        for (sent, answer) in answers.iter().enumerate() {
            if let Some(error) = script.refusals.pop_front().flatten() {
                if sent == 0 {
                    return Err(error.into());
                }
                script.refusals.push_front(Some(error));
                script.calls.push(sent);
                return Ok(sent);
            }
            script.sent.push((answer.route.peer, answer.bytes(buffer).to_vec()));
        }
        script.calls.push(answers.len());
        Ok(answers.len())
    }
}

impl Source for ScriptedSocket {
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

/// An echo socket with its counters, and what its worker lends to it.
struct Harness {
    socket: ScriptedSocket,
    echo_socket: UdpEchoSocket,
    counters: WorkerCounters,
    listener: Arc<ListenerMetrics>,
    batch: Batch,
    headers: Headers,
}

impl Harness {
    fn new() -> Self {
        Self::with(&ListenerOptions { rate: None, ..ListenerOptions::default() })
    }

    fn with(options: &ListenerOptions) -> Self {
        Self::since(Instant::now(), options)
    }

    /// Creates one whose listener exists since this time.
    fn since(start: Instant, options: &ListenerOptions) -> Self {
        let socket = ScriptedSocket::default();
        let name = "udp://127.0.0.1:7000".to_owned();
        let listener = Arc::new(ListenerMetrics::new(name.clone(), "udp", 1));
        let policy = UdpPolicy::since(start, name, 7000, options, Arc::clone(&listener));
        let echo_socket = UdpEchoSocket::new(Box::new(socket.clone()), Arc::new(policy));
        Self {
            socket,
            echo_socket,
            counters: WorkerCounters::default(),
            listener,
            batch: Batch::new(),
            headers: Headers::default(),
        }
    }

    fn turn(&mut self) -> Turn {
        self.turn_at(Instant::now())
    }

    fn turn_at(&mut self, now: Instant) -> Turn {
        self.with_context(now, UdpEchoSocket::turn)
    }

    fn with_context<T>(
        &mut self,
        now: Instant,
        call: impl FnOnce(&mut UdpEchoSocket, &mut UdpTurnContext<'_>) -> T,
    ) -> T {
        let telemetry = Recorder::new(0, &self.counters, false);
        let mut context = UdpTurnContext {
            batch: &mut self.batch,
            headers: &mut self.headers,
            limit: TURN_DATAGRAMS,
            own_ports: &[7000],
            telemetry: &telemetry,
            now,
        };
        call(&mut self.echo_socket, &mut context)
    }
}

#[test]
fn a_turn_answers_every_waiting_datagram() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["one", "", "three"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["one", "", "three"]);
    assert_eq!(harness.listener.worker(0).datagrams.get(), 3);
    assert_eq!(
        (
            harness.listener.worker(0).bytes_received.get(),
            harness.listener.worker(0).bytes_sent.get()
        ),
        (8, 8)
    );
}

#[test]
fn a_turn_ends_at_its_budget_of_datagrams() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["x"; TURN_DATAGRAMS + 1]);
    assert_eq!(harness.turn(), Turn::Again);
    assert_eq!((harness.socket.take_sent().len(), harness.socket.waiting()), (TURN_DATAGRAMS, 1));
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent().len(), 1);
}

#[test]
fn an_answer_without_room_is_kept_and_nothing_is_received_meanwhile() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["one"]);
    harness.socket.will_refuse(&[WouldBlock, WouldBlock]);
    for _ in 0..2 {
        assert_eq!(harness.turn(), Turn::Wait);
        assert!(harness.echo_socket.wants_write());
        harness.socket.will_receive(&["more"]);
        assert!(harness.socket.take_sent().is_empty());
    }
    assert_eq!(harness.socket.waiting(), 2);
    assert_eq!(harness.turn(), Turn::Wait);
    assert!(!harness.echo_socket.wants_write());
    assert_eq!(harness.socket.take_sent(), ["one", "more", "more"]);
}

#[test]
fn an_answer_that_fails_does_not_affect_the_next_one() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["too long", "interrupted", "short"]);
    harness.socket.will_refuse(&[ErrorKind::NetworkUnreachable, ErrorKind::Interrupted]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["interrupted", "short"]);
    assert_eq!(harness.listener.worker(0).datagrams_not_sent.get(), 1);
}

#[test]
fn an_error_of_an_earlier_answer_does_not_affect_the_next_datagram() {
    let mut harness = Harness::new();
    harness.socket.will_fail_to_receive(ErrorKind::ConnectionRefused);
    harness.socket.will_fail_to_receive(ErrorKind::Interrupted);
    harness.socket.will_receive(&["here"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["here"]);
    // A socket that only returns errors does not keep its worker busy.
    for _ in 0..2 * TURN_DATAGRAMS {
        harness.socket.will_fail_to_receive(ErrorKind::ConnectionRefused);
    }
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.listener.worker(0).datagrams_refused.sum(), 0);
}

#[test]
fn a_datagram_that_the_system_cannot_deliver_is_counted() {
    let mut harness = Harness::new();
    harness.socket.will_fail_to_receive(ErrorKind::OutOfMemory);
    harness.socket.will_receive(&["here"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["here"]);
    assert_eq!(harness.listener.worker(0).datagrams_refused.sum(), 1);
}

#[test]
fn a_draining_socket_answers_what_it_has_received_up_to_a_limit() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["one", "two"]);
    harness.socket.will_refuse(&[WouldBlock]);
    harness.echo_socket.drain();
    assert_eq!(harness.turn(), Turn::Wait, "an answer waits");
    assert_eq!(harness.turn(), Turn::Over);
    assert_eq!(harness.socket.take_sent(), ["one", "two"]);

    let mut harness = Harness::new();
    harness.echo_socket.drain();
    let mut answered = 0;
    loop {
        harness.socket.will_receive(&["x"; TURN_DATAGRAMS]);
        let turn = harness.turn();
        answered += harness.socket.take_sent().len();
        if turn == Turn::Over {
            break;
        }
        assert!(answered <= DRAIN_MESSAGES, "the drain never ends");
        harness.echo_socket.drain();
    }
    assert_eq!(answered, DRAIN_MESSAGES);
}

/// A real socket that panics when it sends a datagram that begins with `panic`.
#[derive(Debug)]
struct PanickingSocket(Box<dyn DatagramSocket>);

impl DatagramSocket for PanickingSocket {
    fn source(&mut self) -> &mut dyn Source {
        self.0.source()
    }
    fn receive(
        &mut self,
        limit: usize,
        batch: &mut Batch,
        headers: &mut Headers,
    ) -> io::Result<bool> {
        self.0.receive(limit, batch, headers)
    }
    fn send(
        &mut self,
        answers: &[Answer],
        buffer: &[u8],
        headers: &mut Headers,
    ) -> io::Result<usize> {
        let panics = answers.iter().any(|answer| answer.bytes(buffer).starts_with(b"panic"));
        assert!(!panics, "the injected bug");
        self.0.send(answers, buffer, headers)
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
    let (shared, _acceptor, workers) = shared_state(WORKERS);
    before(&shared);
    thread::scope(|scope| {
        let (spin, shared) = (Spin::default(), &shared);
        let run = |(index, (poll, messages))| {
            scope.spawn(move || Worker::new(index, spin, shared, poll, messages).run())
        };
        let workers: Vec<_> = workers.into_iter().enumerate().map(run).collect();
        // The workers end also if the test fails.
        let tested = catch_unwind(AssertUnwindSafe(|| test(shared)));
        shared.advance(Phase::Draining);
        shared.dispatch.close();
        for worker in workers {
            worker.join().unwrap().unwrap();
        }
        tested.unwrap_or_else(|panic| resume_unwind(panic));
    });
    shared.counters.stats()
}

fn bind(listeners: &Listeners, endpoint: &Endpoint) -> Result<BoundListener, BindError> {
    let workers = NonZeroUsize::new(WORKERS).unwrap();
    let config = Config { workers, ..Config::default() };
    let addresses = Address::resolve(endpoint)?;
    let binder = Binder::new(&config, listeners);
    binder.bind(&Listener::new(endpoint.clone()), &addresses, None).remove(0)
}

fn listener(listeners: &Listeners) -> UdpListener {
    listener_at(listeners, &any_port())
}

fn listener_at(listeners: &Listeners, endpoint: &Endpoint) -> UdpListener {
    let bound = bind(listeners, endpoint);
    let Ok(BoundListener::Udp(listener)) = bound else { panic!("{bound:?}") };
    listener
}

fn any_port() -> Endpoint {
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
    receive(peer)
}

fn receive(peer: &Peer) -> Vec<u8> {
    let mut reply = [0; 64];
    let len = peer.recv(&mut reply).unwrap();
    reply[..len].to_vec()
}

fn panicking_listener(listeners: &Listeners) -> UdpListener {
    let mut listener = listener(listeners);
    let sockets = listener.sockets.drain(..);
    let panicking = sockets.map(|socket| Box::new(PanickingSocket(socket)) as Box<_>);
    listener.sockets = panicking.collect();
    listener
}

#[test]
fn a_panic_costs_one_datagram() {
    let listeners = Listeners::new(WORKERS);
    let listener = panicking_listener(&listeners);
    let peer = peer_of(address(&listener));
    with_workers_after(
        |shared| {
            // One batch, as no worker runs yet.
            for text in [&b"before"[..], b"panic", b"after", b"panic", b"last"] {
                peer.send(text).unwrap();
            }
            shared.open_udp(listener);
        },
        |_| {
            for text in [&b"before"[..], b"after", b"last"] {
                assert_eq!(receive(&peer), text);
            }
            assert_eq!(echo(&peer, b"still here"), b"still here");
        },
    );
    let sum = |of: fn(&ListenerCounters) -> u64| listeners.sum(of);
    assert_eq!(sum(|counters| counters.panics.get()), 2);
    assert_eq!(sum(|counters| counters.messages_sent.get()), 4);
}

#[test]
fn listeners_open_and_close_while_workers_run() {
    let stats = with_workers(|shared| {
        let (closing, staying) =
            (listener(&shared.counters.listeners), listener(&shared.counters.listeners));
        let (addr, policy, endpoint) =
            (address(&closing), Arc::clone(&closing.policy), closing.endpoint.clone());
        let peer_of_staying = peer_of(address(&staying));
        shared.open_udp(closing);
        shared.open_udp(staying);
        // From many ports, so that both sockets receive datagrams.
        let peers: Vec<_> = (0..64).map(|_| peer_of(addr)).collect();
        for peer in &peers {
            assert_eq!(echo(peer, b"before"), b"before");
        }
        let counters = &policy.counters;
        assert!((0..WORKERS).all(|worker| counters.worker(worker).datagrams.get() > 0));
        let in_use = bind(&shared.counters.listeners, &endpoint).unwrap_err();
        assert!(in_use.to_string().contains("in use"), "{in_use}");

        for peer in &peers {
            peer.send(b"last").unwrap();
        }
        let (closed, wait) = mpsc::channel();
        shared.close_udp(policy, closed);
        // The channel carries no value; its end means that all sockets are closed.
        let end = wait.recv_timeout(Duration::from_secs(30));
        assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
        for peer in &peers {
            let mut reply = [0; 8];
            assert_eq!(peer.recv(&mut reply).unwrap(), 4, "received datagrams were answered");
            peer.send(b"too late").unwrap();
            assert_eq!(peer.recv(&mut reply).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(echo(&peer_of_staying, b"still open"), b"still open");

        // The address is free immediately, and is no longer a port of this server.
        shared.open_udp(listener_at(&shared.counters.listeners, &endpoint));
        assert_eq!(echo(&peers[0], b"again"), b"again");
    });
    assert_eq!(stats.datagrams, 64 + 64 + 1 + 1);
}

#[test]
fn datagrams_received_before_the_drain_are_answered() {
    let listeners = Listeners::new(WORKERS);
    let listener = listener(&listeners);
    let peers: Vec<_> = (0..64).map(|_| peer_of(address(&listener))).collect();
    with_workers_after(
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
    assert_eq!(listeners.sum(|counters| counters.datagrams.get()), 64);
}
