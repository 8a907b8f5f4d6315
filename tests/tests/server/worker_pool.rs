//! Tests of the worker pool: a fixed number of threads serves any number of connections, each separately.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use rustix::{
    process::Signal,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};
use tests::{
    net::Peer,
    payload::Random,
    programs::{EchoServer, Load},
    requirements::{privilege, skip_without},
    system::{
        process::raise_descriptor_limit,
        procfs::{descriptor_count, epoll_watch_counts, epoll_watches, thread_names, write_calls},
    },
};

const WORKERS: &str = "worker-";

/// Two workers, whose log has the connections that they move.
const TWO_WORKERS: [&str; 6] = ["--workers", "2", "--log-messages", "off", "--log-level", "debug"];

/// Returns the arguments for two workers that always serve.
fn two_serving_workers() -> Vec<&'static str> {
    [&TWO_WORKERS[..], &["--consolidate", "off"]].concat()
}

/// Returns the number of worker threads.
fn worker_count(server: &EchoServer) -> usize {
    thread_names(server.pid()).iter().filter(|name| name.starts_with(WORKERS)).count()
}

/// The server serves a burst of a thousand connections, and no connection receives a byte of another.
#[test]
fn two_workers_serve_a_thousand_connections() {
    raise_descriptor_limit();
    let server = EchoServer::start(&two_serving_workers());
    server.connect().exchange(b"the pool is at work");
    let threads = thread_names(server.pid()).len();
    assert_eq!(worker_count(&server), 2, "{:?}", thread_names(server.pid()));

    let mut peers: Vec<Peer> = (0..1_000).map(|_| server.connect()).collect();
    for round in 0..3 {
        let payload = |number: u64| Random::new(number * 3 + round).bytes(100);
        for (number, peer) in (0..).zip(&mut peers) {
            peer.send(&payload(number));
        }
        for (number, peer) in (0..).zip(&mut peers) {
            peer.expect(&payload(number));
        }
    }
    assert_eq!(thread_names(server.pid()).len(), threads, "connections started threads");

    let shares = epoll_watch_counts(server.pid(), 50);
    assert_eq!(shares.len(), 2, "not every worker polls its own connections: {shares:?}");
    let largest = shares.iter().max().unwrap();
    let mean = shares.iter().sum::<usize>() / 2;
    assert!(largest * 4 <= mean * 5, "the largest share is over 1.25 of the mean: {shares:?}");
}

/// Guard that sets the flag on drop.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// All busy connections are on one worker: it moves some of them to the other worker, without a lost or
/// reordered byte.
#[test]
fn a_busy_worker_moves_connections_to_an_idle_one() {
    const CONNECTIONS: usize = 40;
    let server = EchoServer::start(&two_serving_workers());
    // One after the other, so that the descriptors of the server have the same order as the peers.
    let peers: Vec<Peer> = (0..CONNECTIONS)
        .map(|_| {
            let mut peer = server.connect();
            peer.exchange(b"hello");
            peer
        })
        .collect();
    let watched = epoll_watches(server.pid(), 10);
    let [one, other] = &watched[..] else { panic!("not two workers poll: {watched:?}") };
    let mut descriptors: Vec<u32> = one.union(other).copied().collect();
    let descriptors = descriptors.split_off(descriptors.len() - CONNECTIONS);
    let (mut busy, idle): (Vec<_>, Vec<_>) = descriptors
        .iter()
        .zip(peers)
        .map(|(descriptor, peer)| (one.contains(descriptor), peer))
        .partition(|(is_on_one, _)| *is_on_one);
    assert_eq!((busy.len(), idle.len()), (CONNECTIONS / 2, CONNECTIONS / 2));

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for peers in busy.chunks_mut(5) {
            let done = &done;
            scope.spawn(move || {
                let mut payload = Random::new(7);
                while !done.load(Relaxed) {
                    let payloads: Vec<_> = peers.iter().map(|_| payload.bytes(100_000)).collect();
                    for ((_, peer), payload) in peers.iter_mut().zip(&payloads) {
                        peer.send(payload);
                    }
                    for ((_, peer), payload) in peers.iter_mut().zip(&payloads) {
                        peer.expect(payload);
                    }
                }
            });
        }
        // Ends the threads also after a failed assertion.
        let _end = SetOnDrop(&done);
        server.wait_for_log(r"Moved \d+ busy connections to other workers$");
    });
    for (_, mut peer) in busy.into_iter().chain(idle) {
        peer.exchange(b"still here");
    }
    let (status, log) = server.terminate();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
    assert_eq!(log.matches("New client connected").count(), CONNECTIONS, "{log}");
    assert_eq!(log.matches("closed").count(), CONNECTIONS, "{log}");
}

/// Starts a server whose threads share one core.
fn start_on_one_core(args: &[&str]) -> EchoServer {
    // A program inherits the affinity of the thread that starts it.
    let all = sched_getaffinity(None).expect("Linux reports it");
    let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).expect("the thread runs");
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).expect("a thread may have fewer cores");
    let server = EchoServer::start(args);
    sched_setaffinity(None, &all).expect("these are the cores that it had");
    server
}

/// Two busy workers on one core: one of them moves its connections to the other, without a lost or reordered byte.
#[test]
fn workers_that_compete_for_a_core_leave_the_load_to_one_of_them() {
    if skip_without(&[privilege(&fs::read("/proc/self/schedstat"))]) {
        return;
    }
    let server = start_on_one_core(&TWO_WORKERS);
    let load = Load::start(server.address(), "--connections 50 --size 10-100 --duration 1m");
    server.wait_for_log("1 of 2 workers serve, since they compete for cores$");
    server.wait_for_log(r"Moved \d+ busy connections to other workers$");
    server.wait_for_log("All workers serve again, since ");
    load.program.signal(Signal::INT);
    load.finish().expect_success();
    let (status, log) = server.terminate();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

#[test]
fn all_workers_serve_if_the_user_wants_it() {
    let server = start_on_one_core(&two_serving_workers());
    Load::start(server.address(), "--connections 50 --duration 500ms").finish().expect_success();
    let (_, log) = server.terminate();
    assert!(!log.contains("compete for cores"), "{log}");
}

#[test]
fn starts_the_configured_number_of_workers() {
    for count in [1, 5] {
        let server = EchoServer::start(&["--workers", &count.to_string()]);
        // All workers have started when each of them can have received a connection.
        let mut peers: Vec<Peer> = (0..count * 2).map(|_| server.connect()).collect();
        for peer in &mut peers {
            peer.exchange(b"hello");
        }
        assert_eq!(worker_count(&server), count);
    }
}

#[test]
fn frees_the_descriptors_of_clients_that_disconnect_immediately() {
    let server = EchoServer::start(&["--workers", "1", "--log-level", "debug"]);
    let mut other = server.connect();
    other.exchange(b"before");
    let before = descriptor_count(server.pid());

    for _ in 0..500 {
        drop(server.connect());
    }
    let _ = server.log().wait_for_lines("{peer} disconnected without sending data$", 500);
    // The only worker echoes these in separate turns: before the second, it has closed the last connection.
    other.exchange(b"after");
    other.exchange(b"after that");
    assert_eq!(descriptor_count(server.pid()), before);
}

/// A reset while the connection is idle, during a read, or during a write.
#[test]
fn a_reset_ends_only_its_own_connection() {
    let server = EchoServer::start(&["--workers", "1"]);
    let mut other = server.connect();
    other.exchange(b"before");

    let mut idle = server.connect();
    idle.exchange(b"hello");
    idle.reset();
    let mut during_read = server.connect();
    during_read.exchange(b"half a li");
    during_read.send(b"ne");
    during_read.reset();
    let mut during_write = server.connect();
    during_write.exchange(b"hello");
    during_write.send(&Random::new(5).bytes(100_000));
    during_write.reset();

    let _ = server.log().wait_for_lines(r"Connection with {peer} closed$", 3);
    other.exchange(b"after");
    assert!(
        !server.log().text().contains("ERROR"),
        "the server logs an error for a reset of a peer"
    );
}

/// A peer that sends at full speed does not stall the other connection of its worker.
#[test]
fn one_worker_serves_others_during_a_transfer_at_full_speed() {
    let server = EchoServer::start(&["--workers", "1", "--log-messages", "off"]);
    let mut fast = server.connect();
    let mut interactive = server.connect();
    let bytes = Random::new(22).bytes(20_000_000);
    let sender = fast.send_in_background(bytes.clone());
    fast.expect(&bytes[..1_000_000]);
    let receiver = std::thread::spawn(move || fast.expect(&bytes[1_000_000..]));
    for _ in 0..100 {
        interactive.exchange(b"still there?");
    }
    sender.join().unwrap().unwrap();
    receiver.join().unwrap();
}

/// The log adds no system call to the echo: a worker does not write to the log itself.
#[test]
fn a_worker_makes_no_write_call_for_a_message() {
    let server = EchoServer::start(&["--workers", "1"]);
    let mut peer = server.connect();
    peer.exchange(b"the worker is at work\n");
    let before = write_calls(server.pid(), WORKERS);
    for number in 0..1_000 {
        peer.exchange(format!("message {number}\n").as_bytes());
    }
    let _ = server.log().wait_for_lines("Echoed to .*: 'message", 1_000);
    // The limit allows an occasional write that wakes the log thread, but not one per ten messages.
    let calls = write_calls(server.pid(), WORKERS) - before;
    assert!(calls < 100, "1,000 messages cost the worker {calls} write calls");
}
