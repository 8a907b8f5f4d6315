//! The end of a server and of its faults while connections are delayed.

use std::{
    io::Read as _,
    time::{Duration, Instant},
};

use common::fault::Fault;
use rustix::process::Signal;
use tests::{
    net::Peer,
    payload::Random,
    programs::{Load, Report},
};

use crate::faulty::Faulty;

#[test]
fn a_drain_serves_what_was_received_and_delayed_at_its_time() {
    let server = Faulty::start("tcp", &["delay=500ms"], &["--drain-timeout=10m"]);
    let mut peers: Vec<Peer> = (0..20).map(|_| server.process.connect()).collect();
    let payload = |number| Random::new(number).letters(10_000);
    // The kernel buffers these bytes while the server is stopped. When it continues, it finds them and the signal at the same
    // time.
    server.process.pause();
    for (number, peer) in (0..).zip(&mut peers) {
        peer.send(&payload(number));
    }
    server.process.signal(Signal::TERM);
    let sent = Instant::now();
    server.process.resume();
    for (number, peer) in (0..).zip(&mut peers) {
        peer.expect_to_end(&payload(number));
    }
    assert!(sent.elapsed() >= Duration::from_millis(500), "{:?}", sent.elapsed());
    drop(peers);
    let records = server.ended_records();
    let bytes: u64 = records.iter().filter_map(|record| record.act.bytes).sum();
    assert_eq!(bytes, 20 * 10_000);
}

#[test]
fn a_drain_serves_what_was_delayed_before_it_began() {
    let server = Faulty::start("tcp", &["delay=500ms"], &["--drain-timeout=10m"]);
    let mut peer = server.process.connect();
    peer.send(b"hello\n");
    server.process.wait_for_log("Fault injected for .*: delay at byte 0");
    server.process.signal(Signal::TERM);
    peer.expect_to_end(b"hello\n");
    drop(peer);
    assert_eq!(server.ended_records().len(), 1);
}

#[test]
fn a_stall_and_a_delay_beyond_the_drain_timeout_are_cut_at_it() {
    for (faults, received) in [("stall-after=4:1h", &b"hell"[..]), ("delay=1h", b"")] {
        let server = Faulty::start("tcp", &[faults], &["--drain-timeout=300ms"]);
        let mut peer = server.process.connect();
        peer.send(b"hello\n");
        server.process.wait_for_log("Fault injected for ");
        let began = Instant::now();
        server.process.signal(Signal::TERM);
        let mut seen = Vec::new();
        // The system may end the stream of a closed socket with a reset, since bytes are unread.
        let _ = peer.stream().read_to_end(&mut seen);
        assert_eq!(seen, received, "{faults}");
        assert!(began.elapsed() >= Duration::from_millis(300), "{faults}: {:?}", began.elapsed());
        let (status, log) = server.process.wait_with_log();
        assert_eq!(status.code(), Some(0), "{log}");
        let expected = format!("Client {} did not disconnect within the drain", peer.address());
        assert!(log.contains(&expected), "{log}");
    }
}

#[test]
fn after_a_clear_what_is_held_arrives_at_once_and_nothing_is_left_behind() {
    let server = Faulty::start("tcp", &["delay=1h"], &["--log-messages=off"]);
    let mut peers: Vec<Peer> = (0..10).map(|_| server.process.connect()).collect();
    let payload = |number| Random::new(number).letters(50_000);
    for (number, peer) in (0..).zip(&mut peers) {
        peer.send(&payload(number));
    }
    let _ = server.process.log().wait_for_lines("Fault injected for .*: delay at byte 0", 10);
    server.change(&["clear"]);
    for (number, peer) in (0..).zip(&mut peers) {
        peer.expect(&payload(number));
        // Nothing holds back what follows.
        for _ in 0..100 {
            peer.exchange(b"hello\n");
        }
    }
    // A stall ends at once, too.
    server.change(&["set", "stall-after=600000:1h"]);
    let mut new = server.process.connect();
    let sender = new.send_in_background(payload(1).repeat(20));
    new.expect(&payload(1).repeat(20)[..600_000]);
    server.change(&["clear"]);
    new.expect(&payload(1).repeat(20)[600_000..]);
    sender.join().expect("the sender does not panic").expect("the server reads");
    // A throttle leaves no debt: what it held back would take hours.
    server.change(&["set", "throttle=1B/s"]);
    let mut throttled = server.process.connect();
    throttled.send(&payload(2));
    server.process.wait_for_log(&format!("Fault injected for {}: throttle", throttled.address()));
    server.change(&["clear"]);
    throttled.expect(&payload(2));
    server.change(&["set", "throttle=1GB/s"]);
    throttled.exchange(&payload(3));
    drop((peers, new, throttled));
    let kinds = [Fault::Delay, Fault::StallAfter, Fault::Throttle];
    let records = server.records();
    assert!(records.iter().all(|record| kinds.contains(&record.act.fault)), "{records:?}");
}

#[test]
fn faults_that_are_set_and_cleared_under_load_lose_no_byte() {
    let server = Faulty::start("tcp", &[""], &["--log-messages=off"]);
    let address = server.address(0);
    let load = std::thread::spawn(move || {
        Report::run(address, "--processes 1 --connections 20 --messages 600 --size 1-2000")
    });
    let faults = [
        &["delay=3ms", "jitter=3ms"][..],
        &["split=1..500"],
        &["throttle=300kB/s", "coalesce=2ms"],
    ];
    while !load.is_finished() {
        for faults in faults {
            server.change(&[&["set"], faults].concat());
            server.change(&["clear"]);
        }
    }
    load.join().expect("the load does not panic").expect_success();
    let mut peer = server.process.connect();
    peer.exchange(b"hello\n");
    drop(peer);
    assert!(!server.records().is_empty());
}

#[test]
fn a_load_finds_the_faults_of_all_sets_that_a_listener_had_one_after_another() {
    for (scheme, load) in [("tcp", "--pipeline 8"), ("udp", "--rate 900")] {
        // Datagrams are counted from the first faults on, even if these do nothing.
        let server = Faulty::start(scheme, &["delay=1ms@0%"], &[]);
        let url = format!("{scheme}://{}", server.address(0));
        let log = server.log();
        let args = format!(
            "--connections 3 --duration 1h --timeout 1s {load} --expect-faults {}",
            log.display()
        );
        let load = Load::at_url(&url, &args);
        for (faults, last) in [
            (&["drop=2%"][..], "drop"),
            (&["duplicate=2%", "reorder=2%"], "reorder"),
            (&["corrupt=1/2kB"], "corrupt"),
        ] {
            server.change(&[&["set"], faults].concat());
            server.process.wait_for_log(&format!("Fault injected for .*: {last}"));
            server.change(&["clear"]);
        }
        load.program.signal(Signal::INT);
        let report = load.finish();
        let faults = report.json("/injected_faults");
        assert_eq!(faults["disagreements"], 0, "{report:?}");
        assert_eq!(faults["seeds"].as_array().map(Vec::len), Some(3), "{report:?}");
        drop(server);
    }
}
