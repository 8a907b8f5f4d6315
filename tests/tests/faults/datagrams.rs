//! Faults of datagrams.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
};

use common::fault::{Fault, FaultAct, FaultRecord};
use tests::wait::DEADLINE;

use crate::faulty::Faulty;

const DATAGRAMS: u64 = 200;

fn client(server: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    client.connect(server).expect("an address");
    client.set_read_timeout(Some(DEADLINE)).expect("a time limit");
    client
}

fn datagram(number: u64) -> Vec<u8> {
    format!("datagram {number} {}", "x".repeat(usize::try_from(number).expect("it is small")))
        .into()
}

/// Sends datagrams, ends the server, and returns what it has answered, with its record of the faults.
fn run(faults: &str) -> (Vec<Vec<u8>>, Vec<FaultRecord>) {
    let server = Faulty::start("udp", &[faults], &["--log-messages=off"]);
    let client = client(server.address(0));
    let source = client.local_addr().expect("it is bound").to_string();
    for number in 0..DATAGRAMS {
        client.send(&datagram(number)).expect("it can be sent");
    }
    // The server ends when all is answered.
    let records = server.records();
    client.set_nonblocking(true).expect("a socket");
    let mut answers = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        match client.recv(&mut buffer) {
            Ok(len) => answers.push(buffer[..len].to_vec()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // The port of the server is closed.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(records.iter().all(|record| record.peer == source && record.connection == 0));
    (answers, records)
}

fn acts(records: &[FaultRecord]) -> Vec<FaultAct> {
    records.iter().map(|record| record.act).collect()
}

/// Returns the answers that the record of the faults explains.
fn explained(acts: &[FaultAct]) -> Vec<Vec<u8>> {
    let (mut answers, mut postponed) = (Vec::new(), Vec::new());
    for number in 0..DATAGRAMS {
        let of = |fault| {
            acts.iter().filter(move |act| act.fault == fault && act.message == Some(number))
        };
        if of(Fault::Drop).next().is_some() {
            continue;
        }
        let mut answer = datagram(number);
        if let Some(cut) = of(Fault::Truncate).next() {
            answer.truncate(usize::try_from(cut.bytes.expect("it is known")).expect("it is short"));
        }
        for damage in of(Fault::Corrupt) {
            let place = usize::try_from(damage.offset).expect("it is short");
            answer[place] ^= damage.mask.expect("it is known");
        }
        let copies = vec![answer; 1 + of(Fault::Duplicate).count()];
        // One with a delay has waited for the next one in vain.
        if of(Fault::Reorder).any(|act| act.delay_ns.is_none()) {
            postponed = copies;
        } else {
            answers.extend(copies);
            answers.append(&mut postponed);
        }
    }
    answers
}

#[test]
fn the_fault_log_explains_every_answer_and_a_seed_repeats_it() {
    let faults = "drop=10%&duplicate=10%&reorder=10%&truncate=150&corrupt=1/500";
    let (answers, records) = run(faults);
    let acts_of_first = acts(&records);
    assert_eq!(answers, explained(&acts_of_first));
    for fault in [Fault::Drop, Fault::Duplicate, Fault::Reorder, Fault::Truncate, Fault::Corrupt] {
        assert!(acts_of_first.iter().any(|act| act.fault == fault), "{}", fault.name());
    }
    let (again, records) = run(faults);
    assert_eq!((again, acts(&records)), (answers, acts_of_first));
}

#[test]
fn a_share_of_nothing_changes_nothing() {
    let (answers, records) = run("delay=1h@0%&drop=0%&duplicate=50%@0%&corrupt=1/10@0%");
    let unchanged: Vec<_> = (0..DATAGRAMS).map(datagram).collect();
    assert_eq!((answers, records), (unchanged, Vec::new()));
}

#[test]
fn a_drain_sends_delayed_answers_at_their_time() {
    let (answers, records) = run("delay=300ms");
    assert_eq!(answers.len(), usize::try_from(DATAGRAMS).expect("it is small"));
    assert!(records.iter().all(|record| record.act.delay_ns == Some(300_000_000)));
}

/// The drain timeout bounds the time for which a server waits for its own delays.
#[test]
fn answers_that_are_held_at_the_end_of_a_drain_are_in_the_log() {
    let server = Faulty::start("udp", &["delay=1h"], &["--drain-timeout=100ms"]);
    let client = client(server.address(0));
    for _ in 0..2 {
        client.send(b"delayed").expect("it can be sent");
    }
    let address = server.process.addresses()[0].clone();
    let (status, log) = server.process.terminate();
    assert!(status.success());
    let line = format!("Ended before 2 delayed answers of {address} could be sent\n");
    assert!(log.contains(&line), "{log}");
}

#[test]
fn cleared_faults_release_delayed_answers_at_once() {
    let server = Faulty::start("udp", &["delay=1h"], &[]);
    let client = client(server.address(0));
    client.send(b"delayed").expect("it can be sent");
    server.process.wait_for_log("Fault injected for .*: delay at datagram 0 ");
    server.change(&["clear"]);
    let mut buffer = [0; 16];
    assert_eq!(client.recv(&mut buffer).expect("an answer"), 7);
}
