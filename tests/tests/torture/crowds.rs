//! Many peers at once, and those of them that are slow on purpose.

use std::{
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use tests::{
    load::Load,
    payload::Random,
    peer::Peer,
    process::{Handle, raise_descriptor_limit},
    server::{EchoServer, Launch},
};

/// As many connections as the descriptor limit allows, all answering; one more is told so.
#[test]
#[ignore = "make torture"]
fn as_many_connections_as_the_descriptor_limit_allows_are_served() {
    // What the server has besides, and this process; and an address has 28,000 ports for us.
    const BESIDES: usize = 100;
    raise_descriptor_limit();
    let limit = getrlimit(Resource::Nofile).maximum.map_or(u64::MAX, |limit| limit);
    let limit = usize::try_from(limit.min(20_000)).expect("at most that") - BESIDES;
    let most = u32::try_from(limit).expect("at most that");
    let args = ["--workers", "4", "--log-messages", "off"];
    let server = Launch::new(&args).descriptor_limit(most).start();
    let mut peers = Vec::new();
    let refusal = loop {
        let mut peer = server.connect();
        peer.send_regardless(b"am I in?\n");
        let mut reply = [0; 9];
        peer.stream().read_exact(&mut reply).expect("an echo, or a line that is longer");
        if &reply != b"am I in?\n" {
            break String::from_utf8_lossy(&[&reply[..], &peer.rest()].concat()).into_owned();
        }
        peers.push(peer);
    };
    assert!(refusal.starts_with("Server is full: ") && refusal.ends_with('\n'), "{refusal:?}");
    assert!(peers.len() > limit - BESIDES, "{} of {limit} descriptors", peers.len());
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

/// A million messages over hundreds of connections from many processes, each checked for content and
/// order.
#[test]
#[ignore = "make torture"]
fn a_million_messages_from_many_processes_come_back() {
    let server = EchoServer::start(&["--log-messages", "off"]);
    let args = "--processes 25 --connections 20 --messages 2000 --size 1-500 --pipeline 4";
    let load = Load::start(server.address(), args);
    // On a slow machine it takes a few of the usual deadlines.
    let running = Handle::open(load.program.pid()).expect("nobody has waited for it");
    assert!((0..20).any(|_| running.has_ended()), "it still runs: {load:?}");
    let report = load.finish();
    report.expect_well();
    assert_eq!(report.messages(), 25 * 20 * 2000);
}

/// Sends a byte a second -> costs nothing to others: thousands of such connections beside interactive
/// ones, for some seconds.
#[test]
#[ignore = "make torture"]
fn thousands_that_send_a_byte_a_second_cost_the_others_nothing() {
    raise_descriptor_limit();
    let server = EchoServer::start(&["--log-messages", "off"]);
    let mut interactive: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    let mut silent = server.connect();
    let mut slow: Vec<Peer> = (0..4_000).map(|_| server.connect()).collect();
    let is_over = AtomicBool::new(false);
    let line = |number| format!("{number:05}\n").into_bytes();
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut rounds = 0;
            while !is_over.load(SeqCst) {
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
            silent.hears_nothing_for(Duration::from_secs(1));
        }
        is_over.store(true, SeqCst);
        let rounds = others.join().expect("each exchange was right");
        assert!(rounds >= line(0).len(), "{rounds} rounds");
    });
    for (number, peer) in slow.iter_mut().enumerate() {
        peer.expect(&line(number));
    }
}

/// Never reads -> cut at the write timeout; but who reads all the time, if slowly, is not.
#[test]
#[ignore = "make torture"]
fn a_client_that_reads_slowly_and_steadily_is_not_cut() {
    let args = ["--workers", "1", "--write-timeout", "3s", "--log-messages", "off"];
    let server = EchoServer::start(&args);
    let mut slow = server.connect();
    let bytes = Random::new(21).bytes(20_000_000);
    let sender = slow.send_aside(bytes.clone());
    let mut silent = server.connect();
    // What it takes in three seconds is less than the part of a socket's buffer that has to be free for
    // the server's poll to tell of it.
    let (slow_part, step) = (2_000_000, 20_000);
    for at in (0..slow_part).step_by(step) {
        slow.expect(&bytes[at..at + step]);
        silent.hears_nothing_for(Duration::from_millis(150));
    }
    slow.expect(&bytes[slow_part..]);
    sender.join().unwrap().unwrap();
}
