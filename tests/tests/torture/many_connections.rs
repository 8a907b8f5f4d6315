//! Tests with thousands of peers, also slow ones.

use std::{
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use tests::{
    net::Peer,
    payload::Random,
    programs::{EchoServer, Launch, Load},
    system::process::{Handle, raise_descriptor_limit},
};

/// The server serves as many connections as the descriptor limit allows, and refuses one more with a line.
#[test]
#[ignore = "make torture"]
fn serves_as_many_connections_as_the_descriptor_limit_allows() {
    // Descriptors that the server and this process use for anything else. The limit of 20,000 below keeps
    // the test within the 28,000 ephemeral ports of an address.
    const RESERVED: usize = 100;
    raise_descriptor_limit();
    let limit = getrlimit(Resource::Nofile).maximum.map_or(u64::MAX, |limit| limit);
    let limit = usize::try_from(limit.min(20_000)).expect("at most 20,000") - RESERVED;
    let max = u32::try_from(limit).expect("at most 20,000");
    let args = ["--workers", "4", "--log-messages", "off"];
    let server = Launch::new(&args).descriptor_limit(max).start();
    let mut peers = Vec::new();
    let refusal = loop {
        let mut peer = server.connect();
        peer.try_send(b"am I in?\n");
        let mut reply = [0; 9];
        peer.stream().read_exact(&mut reply).expect("an echo, or the longer refusal");
        if &reply != b"am I in?\n" {
            break String::from_utf8_lossy(&[&reply[..], &peer.read_to_end()].concat())
                .into_owned();
        }
        peers.push(peer);
    };
    assert!(refusal.starts_with("Server is full: ") && refusal.ends_with('\n'), "{refusal:?}");
    assert!(peers.len() > limit - RESERVED, "{} of {limit} descriptors", peers.len());
    for round in 0..3 {
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.send(format!("{number} in round {round}\n").as_bytes());
        }
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.expect(format!("{number} in round {round}\n").as_bytes());
        }
    }
    let log = server.log().text();
    assert!(!log.contains("Cannot") && !log.contains("ERROR"), "{log}");
}

/// The client checks the content and the order of a million messages, over hundreds of connections from
/// many processes.
#[test]
#[ignore = "make torture"]
fn echoes_a_million_messages_from_many_processes() {
    let server = EchoServer::start_quiet();
    let args = "--processes 25 --connections 20 --messages 2000 --size 1-500 --pipeline 4";
    let load = Load::start(server.address(), args);
    // On a slow host this takes longer than one deadline of `has_ended`.
    let running = Handle::open(load.program.pid()).expect("the process has not been reaped");
    assert!((0..20).any(|_| running.has_ended()), "the load test still runs: {load:?}");
    let report = load.finish();
    report.expect_success();
    assert_eq!(report.messages(), 25 * 20 * 2000);
}

/// Thousands of connections that send one byte a second do not affect interactive ones.
#[test]
#[ignore = "make torture"]
fn thousands_of_clients_that_send_a_byte_a_second_do_not_affect_others() {
    raise_descriptor_limit();
    let server = EchoServer::start_quiet();
    let mut interactive: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    let mut silent = server.connect();
    let mut slow: Vec<Peer> = (0..4_000).map(|_| server.connect()).collect();
    let is_finished = AtomicBool::new(false);
    let line = |number| format!("{number:05}\n").into_bytes();
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut rounds = 0;
            while !is_finished.load(SeqCst) {
                for peer in &mut interactive {
                    peer.exchange(format!("round {rounds}\n").as_bytes());
                }
                rounds += 1;
            }
            rounds
        });
        for at in 0..line(0).len() {
            for (number, peer) in slow.iter_mut().enumerate() {
                peer.send(&line(number)[at..=at]);
            }
            silent.expect_silence_for(Duration::from_secs(1));
        }
        is_finished.store(true, SeqCst);
        let rounds = others.join().expect("each exchange succeeds");
        assert!(rounds >= line(0).len(), "{rounds} rounds");
    });
    for (number, peer) in slow.iter_mut().enumerate() {
        peer.expect(&line(number));
    }
}

/// The write timeout closes a client that never reads, but not one that reads slowly and steadily.
#[test]
#[ignore = "make torture"]
fn keeps_a_client_that_reads_slowly_and_steadily() {
    let args = ["--workers", "1", "--write-timeout", "3s", "--log-messages", "off"];
    let server = EchoServer::start(&args);
    let mut slow = server.connect();
    let bytes = Random::new(21).bytes(20_000_000);
    let sender = slow.send_in_background(bytes.clone());
    let mut silent = server.connect();
    // In three seconds the client reads less than the part of the socket buffer that must be free before
    // poll reports the server's socket as writable.
    let (slow_part, step) = (2_000_000, 20_000);
    for at in (0..slow_part).step_by(step) {
        slow.expect(&bytes[at..at + step]);
        silent.expect_silence_for(Duration::from_millis(150));
    }
    slow.expect(&bytes[slow_part..]);
    sender.join().unwrap().unwrap();
}
