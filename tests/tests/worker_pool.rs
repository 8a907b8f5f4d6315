//! A fixed pool of workers serves any number of connections, and keeps them apart.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use tests::{
    payload::Random,
    peer::Peer,
    process::raise_descriptor_limit,
    procfs::{descriptor_count, epoll_shares, epoll_watched, thread_names, write_calls},
    server::EchoServer,
};

const WORKERS: &str = "worker-";

fn workers(server: &EchoServer) -> usize {
    thread_names(server.pid()).iter().filter(|name| name.starts_with(WORKERS)).count()
}

/// Thousand connections in a burst -> the whole backlog is served; and no connection ever sees a
/// byte of another's.
#[test]
fn a_thousand_connections_at_once_are_served_by_two_workers() {
    raise_descriptor_limit();
    let server = EchoServer::start(&["--workers", "2", "--log-messages", "off"]);
    server.connect().exchange(b"the pool is at work");
    let threads = thread_names(server.pid()).len();
    assert_eq!(workers(&server), 2, "{:?}", thread_names(server.pid()));

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
    assert_eq!(thread_names(server.pid()).len(), threads, "a connection costs no thread");

    let shares = epoll_shares(server.pid(), 50);
    assert_eq!(shares.len(), 2, "each worker watches its own connections: {shares:?}");
    let largest = shares.iter().max().unwrap();
    let mean = shares.iter().sum::<usize>() / 2;
    assert!(largest * 4 <= mean * 5, "the largest share is over 1.25 of the mean: {shares:?}");
}

/// Says that it is over when it is dropped.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// When all busy connections happen to sit on one worker, it gives some of them to the other, and no
/// byte is lost or out of order on the way.
#[test]
fn a_worker_that_has_too_much_to_do_gives_connections_to_an_idle_one() {
    const CONNECTIONS: usize = 40;
    let server =
        EchoServer::start(&["--workers", "2", "--log-messages", "off", "--log-level", "debug"]);
    // One after the other, so that the server's descriptors are in the same order.
    let peers: Vec<Peer> = (0..CONNECTIONS)
        .map(|_| {
            let mut peer = server.connect();
            peer.exchange(b"hello");
            peer
        })
        .collect();
    let watched = epoll_watched(server.pid(), 10);
    let [one, other] = &watched[..] else { panic!("two workers watch: {watched:?}") };
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
        // However this ends, or those threads would never.
        let _end = Done(&done);
        server.wait_for_log(r"Moved \d+ busy connections to less busy workers$");
    });
    for (_, mut peer) in busy.into_iter().chain(idle) {
        peer.exchange(b"still here");
    }
    let (status, log) = server.terminate();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
    assert_eq!(log.matches("New client connected").count(), CONNECTIONS, "{log}");
    assert_eq!(log.matches("closed").count(), CONNECTIONS, "{log}");
}

#[test]
fn the_pool_has_as_many_workers_as_asked_for() {
    for count in [1, 5] {
        let server = EchoServer::start(&["--workers", &count.to_string()]);
        // Each of them has begun by the time that every one could have been given a connection.
        let mut peers: Vec<Peer> = (0..count * 2).map(|_| server.connect()).collect();
        for peer in &mut peers {
            peer.exchange(b"hello");
        }
        assert_eq!(workers(&server), count);
    }
}

/// Connect and close at once -> descriptor freed.
#[test]
fn connections_that_come_and_go_leave_no_descriptor_behind() {
    let server = EchoServer::start(&["--workers", "1", "--log-level", "debug"]);
    let mut witness = server.connect();
    witness.exchange(b"before");
    let before = descriptor_count(server.pid());

    for _ in 0..500 {
        drop(server.connect());
    }
    let _ = server.log().wait_for_lines("{peer} disconnected without sending data$", 500);
    // The one worker answers this in a turn of its own: by then the last of them has been dropped.
    witness.exchange(b"after");
    witness.exchange(b"after that");
    assert_eq!(descriptor_count(server.pid()), before);
}

/// RST while idle, mid-read, mid-write -> only that connection ends.
#[test]
fn a_reset_ends_its_own_connection_only() {
    let server = EchoServer::start(&["--workers", "1"]);
    let mut witness = server.connect();
    witness.exchange(b"before");

    let mut idle = server.connect();
    idle.exchange(b"hello");
    idle.reset();
    let mut in_mid_line = server.connect();
    in_mid_line.exchange(b"half a li");
    in_mid_line.send(b"ne");
    in_mid_line.reset();
    let mut in_mid_echo = server.connect();
    in_mid_echo.exchange(b"hello");
    in_mid_echo.send(&Random::new(5).bytes(100_000));
    in_mid_echo.reset();

    let _ = server.log().wait_for_lines(r"Connection with {peer} closed$", 3);
    witness.exchange(b"after");
    assert!(!server.log().text().contains("ERROR"), "a peer's fault is not the server's");
}

/// Greedy sender at full speed beside interactive ones -> they are served within their share.
#[test]
fn one_worker_serves_others_beside_a_greedy_sender() {
    let server = EchoServer::start(&["--workers", "1", "--log-messages", "off"]);
    let mut greedy = server.connect();
    let mut interactive = server.connect();
    let bytes = Random::new(22).bytes(20_000_000);
    let sender = greedy.send_aside(bytes.clone());
    greedy.expect(&bytes[..1_000_000]);
    let receiver = std::thread::spawn(move || greedy.expect(&bytes[1_000_000..]));
    for _ in 0..100 {
        interactive.exchange(b"still there?");
    }
    sender.join().unwrap().unwrap();
    receiver.join().unwrap();
}

/// Logging never puts a system call into the echo's path: no worker makes a `write` for the log.
#[test]
fn a_message_costs_a_worker_no_write_call() {
    let server = EchoServer::start(&["--workers", "1"]);
    let mut peer = server.connect();
    peer.exchange(b"the worker is at work\n");
    let before = write_calls(server.pid(), WORKERS);
    for number in 0..1_000 {
        peer.exchange(format!("message {number}\n").as_bytes());
    }
    let _ = server.log().wait_for_lines("Echoed to .*: 'message", 1_000);
    // Waking the log's writer now and then would be none of the echo's business either; a write for
    // every message, or for every tenth, is.
    let calls = write_calls(server.pid(), WORKERS) - before;
    assert!(calls < 100, "1,000 messages cost the worker {calls} write calls");
}
