//! A responder over a scripted socket; and workers with real sockets, which come, go, and have a bug.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket as Peer},
    num::NonZeroUsize,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use common::endpoint::{Endpoint, HostPort};
use mio::{Interest, Poll, Registry, Token, Waker, event::Source};

use super::{
    DatagramListener, DatagramSocket, Rules,
    responder::Responder,
    socket::{Arrival, Route},
};
use crate::{
    bind::bind,
    config::{Config, Listener},
    connection::{Room, Turn},
    counters::{Stats, WorkerCounters},
    journal::Journal,
    limits::{DRAIN_DATAGRAMS, READ_BUFFER, TURN_DATAGRAMS},
    listening::Bound,
    open::OpenConnections,
    phase::Phase,
    reload::Control,
    shared::{Shared, WAKE},
    stream::Socket,
    worker::{Incoming, Worker},
};

/// What a scripted socket is to receive, what it says to each attempt to send, and what it was sent.
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
        Ok(Arrival::one("127.0.0.1:5000".parse().unwrap(), bytes.len()))
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

/// A responder, and what it counts.
struct Bench {
    script: Scripted,
    responder: Responder,
    counters: WorkerCounters,
    buffer: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let script = Scripted::default();
        let rules = Rules::new("udp://127.0.0.1:7000".to_owned(), 7000, None);
        let responder = Responder::new(Box::new(script.clone()), Arc::new(rules));
        Self {
            script,
            responder,
            counters: WorkerCounters::default(),
            buffer: vec![0; READ_BUFFER],
        }
    }

    fn turn(&mut self) -> Turn {
        let journal = Journal::new(&self.counters, false);
        let open = OpenConnections::new(&Config::default());
        let now = Instant::now();
        let mut room = Room { buffer: &mut self.buffer, journal: &journal, open: &open, now };
        self.responder.turn(&mut room, &[7000])
    }
}

#[test]
fn every_datagram_is_answered_until_there_is_none() {
    let mut bench = Bench::new();
    bench.script.receives(&["one", "", "three"]);
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent(), ["one", "", "three"]);
    assert_eq!(bench.counters.datagrams.get(), 3);
    assert_eq!((bench.counters.bytes_received.get(), bench.counters.bytes_sent.get()), (8, 8));
}

#[test]
fn a_turn_is_a_budget_of_datagrams() {
    let mut bench = Bench::new();
    bench.script.receives(&["x"; TURN_DATAGRAMS + 1]);
    assert_eq!(bench.turn(), Turn::Again);
    assert_eq!((bench.script.sent().len(), bench.script.waiting()), (TURN_DATAGRAMS, 1));
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent().len(), 1);
}

#[test]
fn what_the_socket_has_no_room_for_is_kept_and_nothing_read_meanwhile() {
    let mut bench = Bench::new();
    bench.script.receives(&["one", "two"]);
    bench.script.refuses(&[ErrorKind::WouldBlock, ErrorKind::WouldBlock]);
    for _ in 0..2 {
        assert_eq!(bench.turn(), Turn::Wait);
        assert!(bench.responder.wants_write());
        assert_eq!((bench.script.sent().len(), bench.script.waiting()), (0, 1));
    }
    assert_eq!(bench.turn(), Turn::Wait);
    assert!(!bench.responder.wants_write());
    assert_eq!(bench.script.sent(), ["one", "two"]);
}

#[test]
fn an_answer_that_cannot_be_sent_costs_itself() {
    let mut bench = Bench::new();
    bench.script.receives(&["too long", "interrupted", "short"]);
    bench.script.refuses(&[ErrorKind::NetworkUnreachable, ErrorKind::Interrupted]);
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent(), ["interrupted", "short"]);
    assert_eq!(bench.counters.datagrams_not_sent.get(), 1);
}

#[test]
fn word_of_an_earlier_answer_is_nobody_s_trouble() {
    let mut bench = Bench::new();
    bench.script.fails_to_receive(ErrorKind::ConnectionRefused);
    bench.script.fails_to_receive(ErrorKind::Interrupted);
    bench.script.receives(&["here"]);
    assert_eq!(bench.turn(), Turn::Wait);
    assert_eq!(bench.script.sent(), ["here"]);
    // Nor does a socket that says nothing else keep its worker busy.
    for _ in 0..2 * TURN_DATAGRAMS {
        bench.script.fails_to_receive(ErrorKind::ConnectionRefused);
    }
    assert_eq!(bench.turn(), Turn::Wait);
}

#[test]
fn who_leaves_answers_what_is_there_and_not_for_ever() {
    let mut bench = Bench::new();
    bench.script.receives(&["one", "two"]);
    bench.script.refuses(&[ErrorKind::WouldBlock]);
    bench.responder.leave();
    assert_eq!(bench.turn(), Turn::Wait, "it owes an answer");
    assert_eq!(bench.turn(), Turn::Over);
    assert_eq!(bench.script.sent(), ["one", "two"]);

    let mut bench = Bench::new();
    bench.responder.leave();
    let mut answered = 0;
    loop {
        bench.script.receives(&["x"; TURN_DATAGRAMS]);
        let turn = bench.turn();
        answered += bench.script.sent().len();
        if turn == Turn::Over {
            break;
        }
        assert!(answered <= DRAIN_DATAGRAMS, "it never ends");
        bench.responder.leave();
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

/// Has `test` talk to running workers that serve nobody yet, then drains them.
fn with_workers(test: impl FnOnce(&Shared<Incoming<Socket>>)) -> Stats {
    with_workers_after(|_| {}, test)
}

/// The same, with what is to be so before they begin.
fn with_workers_after(
    before: impl FnOnce(&Shared<Incoming<Socket>>),
    test: impl FnOnce(&Shared<Incoming<Socket>>),
) -> Stats {
    let acceptor = Poll::new().unwrap();
    let polls = [(); WORKERS].map(|()| Poll::new().unwrap());
    let waker = |poll: &Poll| Waker::new(poll.registry(), WAKE).unwrap();
    let workers = NonZeroUsize::new(WORKERS).unwrap();
    let config = Config { workers, ..Config::default() };
    let control = Control::new(&config, &[], &[]);
    let shared = Shared::new(&config, control, waker(&acceptor), polls.iter().map(waker).collect());
    before(&shared);
    thread::scope(|scope| {
        let (spin, shared) = (config.spin, &shared);
        let run = |(seat, poll)| scope.spawn(move || Worker::new(seat, spin, shared, poll).run());
        let workers: Vec<_> = polls.into_iter().enumerate().map(run).collect();
        test(shared);
        shared.enter(Phase::Draining);
        shared.handoff.close();
        for worker in workers {
            worker.join().unwrap().unwrap();
        }
    });
    shared.counters.stats()
}

fn listener(endpoint: &Endpoint) -> DatagramListener {
    let bound = bind(&Listener::new(endpoint.clone()), false, WORKERS);
    let Ok(Bound::Datagram(listener)) = bound else { panic!("{bound:?}") };
    listener
}

fn anywhere() -> Endpoint {
    Endpoint::Udp(HostPort { host: "127.0.0.1".to_owned(), port: 0 })
}

fn address(listener: &DatagramListener) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], listener.rules.port))
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
        shared.serve(listener);
        assert_eq!(echo(&peer, b"before"), b"before");
        peer.send(b"panic").unwrap();
        assert_eq!(echo(&peer, b"still here"), b"still here");
    });
    assert_eq!((stats.panics, stats.datagrams), (1, 2));
}

#[test]
fn listeners_come_and_go_while_workers_run() {
    let stats = with_workers(|shared| {
        let (gone, stays) = (listener(&anywhere()), listener(&anywhere()));
        let (at, rules, endpoint) =
            (address(&gone), Arc::clone(&gone.rules), gone.endpoint.clone());
        let there = peer_of(address(&stays));
        shared.serve(gone);
        shared.serve(stays);
        // From many ports, so that both sockets have had somebody.
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
        shared.withdraw(rules, closed);
        // Nothing is sent: the end says that all are closed.
        let closed = wait.recv_timeout(Duration::from_secs(30));
        assert_eq!(closed, Err(mpsc::RecvTimeoutError::Disconnected));
        for peer in &peers {
            let mut back = [0; 8];
            assert_eq!(peer.recv(&mut back).unwrap(), 4, "what had come was answered");
            peer.send(b"too late").unwrap();
            assert_eq!(peer.recv(&mut back).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(echo(&there, b"there"), b"there");

        // The place is free at once, and whoever listens there now is not taken for ourselves.
        shared.serve(listener(&endpoint));
        assert_eq!(echo(&peers[0], b"again"), b"again");
    });
    assert_eq!(stats.datagrams, 64 + 64 + 1 + 1);
}

#[test]
fn what_had_come_before_the_drain_is_answered() {
    let listener = listener(&anywhere());
    let peers: Vec<_> = (0..64).map(|_| peer_of(address(&listener))).collect();
    let stats = with_workers_after(
        |shared| {
            for peer in &peers {
                peer.send(b"early").unwrap();
            }
            shared.serve(listener);
            shared.enter(Phase::Draining);
        },
        |_| {
            for peer in &peers {
                assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
            }
        },
    );
    assert_eq!(stats.datagrams, 64);
}
