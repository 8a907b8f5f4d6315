//! System calls that fail, by `strace -e inject=`: each as it does on a machine in trouble.

use std::{fs, io::Read as _, time::Duration};

use rustix::process::Pid;
use tests::{
    needs::{self, lacks},
    payload::Random,
    peer::Peer,
    procfs::{look_until, threads_named},
    server::{EchoServer, Launch},
    strace::Strace,
};

/// On some machines the one, on some the other.
const POLL: &str = "?epoll_wait,epoll_pwait";

fn one_worker() -> EchoServer {
    EchoServer::start(&["--workers", "1"])
}

/// The acceptor is the first thread, whose number is the process's.
fn acceptor(server: &EchoServer) -> [Pid; 1] {
    [server.pid()]
}

fn workers(server: &EchoServer) -> Vec<Pid> {
    threads_named(server.pid(), "worker-")
}

fn log_writer(server: &EchoServer) -> Vec<Pid> {
    threads_named(server.pid(), "log-writer")
}

fn is_fault(line: &str) -> bool {
    line.contains("(INJECTED)")
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM at accept -> short pause, no spin, one log line a second at most,
/// resumes.
#[test]
#[ignore = "make torture"]
fn a_shortage_at_accept_is_waited_for() {
    if lacks(&[needs::strace()]) {
        return;
    }
    // A poll that waited, for more than no time, and heard nothing.
    let pause = tests::log::pattern(r"epoll_p?wait\(\d+, \[\], \d+, [1-9]\d*.*\)\s+= 0$");
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let server = one_worker();
        let mut witness = server.connect();
        witness.exchange(b"before\n");
        let watched = format!("accept4,{POLL}");
        let strace =
            Strace::attach(&acceptor(&server), &watched, &format!("accept4:error={error}"));
        let mut waiting: Vec<Peer> = (0..5).map(|_| server.connect()).collect();
        for peer in &mut waiting {
            peer.send(b"let me in\n");
        }
        let complaint = "WARNING - Cannot accept connections: ";
        let complaints = server.log().wait_for_lines(complaint, 3);
        witness.exchange(b"meanwhile\n");
        let seen = strace.detach();
        for peer in &mut waiting {
            peer.expect(b"let me in\n");
        }
        let mut seconds: Vec<&str> =
            complaints.iter().map(|line| line.split(" - ").next().unwrap()).collect();
        seconds.dedup();
        assert_eq!(seconds.len(), complaints.len(), "{error}: {complaints:#?}");
        // Whoever comes makes the acceptor look, and else only the clock.
        let attempts = seen.iter().filter(|line| is_fault(line)).count();
        let pauses = seen.iter().filter(|line| pause.is_match(line)).count();
        assert!(attempts <= pauses + waiting.len() + 5, "{error}: {attempts} in {pauses} pauses");
        server.connect().exchange(b"afterwards\n");
    }
}

/// ECONNABORTED, EINTR at accept -> at once.
#[test]
#[ignore = "make torture"]
fn a_connection_that_fails_at_accept_holds_up_nobody() {
    if lacks(&[needs::strace()]) {
        return;
    }
    for error in ["ECONNABORTED", "EINTR", "EPROTO"] {
        let server = one_worker();
        let watched = format!("accept4,{POLL}");
        // Every other call fails.
        let fault = format!("accept4:error={error}:when=1+2");
        let strace = Strace::attach(&acceptor(&server), &watched, &fault);
        for _ in 0..20 {
            server.connect().exchange(b"hello\n");
        }
        let (_, log) = server.terminate();
        assert!(!log.contains("WARNING") && !log.contains("ERROR"), "{error}: {log}");
        let seen = strace.detach();
        let faults = seen.windows(2).filter(|lines| is_fault(&lines[0])).collect::<Vec<_>>();
        assert!(faults.len() >= 20, "{error}: {seen:#?}");
        for lines in faults {
            assert!(lines[1].contains("accept4"), "{error}: it did something else: {lines:#?}");
        }
    }
}

/// A failed read or write -> only that connection ends, and the log says why.
#[test]
#[ignore = "make torture"]
fn a_failed_read_or_write_ends_its_own_connection_only() {
    if lacks(&[needs::strace()]) {
        return;
    }
    for (call, error, said) in [
        ("recvfrom", "ECONNRESET", "connection reset by peer"),
        ("recvfrom", "ENOMEM", "memory"),
        ("recvfrom", "ETIMEDOUT", "timed out"),
        ("sendto", "EPIPE", "broken pipe"),
        ("sendto", "ECONNRESET", "connection reset by peer"),
        ("sendto", "ENOBUFS", "buffer"),
    ] {
        let server = one_worker();
        let [mut witness, mut victim] = [server.connect(), server.connect()];
        witness.exchange(b"before\n");
        victim.exchange(b"before\n");
        let fault = format!("{call}:error={error}:when=1");
        let strace = Strace::attach(&workers(&server), call, &fault);
        victim.send(b"the last\n");
        let victim_address = victim.address();
        let gone = format!("(?i)Client {victim_address} disconnected unexpectedly: .*{said}");
        server.wait_for_log(&gone);
        server.wait_for_log(&format!("Connection with {victim_address} closed"));
        let _ = victim.stream().read_to_end(&mut Vec::new());
        witness.exchange(b"after\n");
        assert_eq!(strace.detach().iter().filter(|line| is_fault(line)).count(), 1);
        let (_, log) = server.terminate();
        assert!(!log.contains("ERROR"), "{call}, {error}: {log}");
    }
}

/// An interrupted read or write is made again; a write that is told to wait is told when to go on.
#[test]
#[ignore = "make torture"]
fn interrupted_reads_and_writes_lose_nothing() {
    if lacks(&[needs::strace()]) {
        return;
    }
    for (call, fault) in [
        ("recvfrom", "recvfrom:error=EINTR:when=1+2"),
        ("sendto", "sendto:error=EINTR:when=1+2"),
        ("sendto", "sendto:error=EAGAIN:when=1"),
    ] {
        let server = EchoServer::start(&["--workers", "1", "--log-messages", "off"]);
        let mut peer = server.connect();
        let strace = Strace::attach(&workers(&server), call, fault);
        for number in 0..100 {
            peer.exchange(format!("message {number}\n").as_bytes());
        }
        let bytes = Random::new(24).bytes(1_000_000);
        let sender = peer.send_aside(bytes.clone());
        peer.expect(&bytes);
        sender.join().unwrap().unwrap();
        assert!(strace.detach().iter().any(|line| is_fault(line)), "{fault}: nothing failed");
    }
}

/// An interrupted poll, of a worker and of the acceptor, is nothing.
#[test]
#[ignore = "make torture"]
fn interrupted_polls_are_survived() {
    if lacks(&[needs::strace()]) {
        return;
    }
    let server = one_worker();
    let threads = [&acceptor(&server)[..], &workers(&server)].concat();
    let strace = Strace::attach(&threads, POLL, &format!("{POLL}:error=EINTR:when=1+2"));
    for round in 0..20 {
        let mut peer = server.connect();
        for number in 0..10 {
            peer.exchange(format!("round {round}, message {number}\n").as_bytes());
        }
    }
    let (status, log) = server.terminate();
    assert!(strace.detach().iter().any(|line| is_fault(line)));
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("WARNING") && !log.contains("ERROR"), "{log}");
}

/// Stopped for 10 s -> no storm of timeouts, wherever it was stopped: here a worker that has been told of
/// one peer, and before it looks at the clock the others' time has passed, and they have sent something.
#[test]
#[ignore = "make torture"]
fn a_stop_between_a_polls_answer_and_the_clock_gives_nobody_up() {
    if lacks(&[needs::strace()]) {
        return;
    }
    let server = EchoServer::start(&["--workers", "1", "--spin", "off", "--idle-timeout", "3s"]);
    let mut peers: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"before\n");
    }
    let late = format!("{POLL}:delay_exit=5000000:when=1");
    let strace = Strace::attach(&workers(&server), POLL, &late);
    peers[0].send(b"meanwhile\n");
    // Until the poll has answered, which nothing shows before it returns.
    peers[0].hears_nothing_for(Duration::from_millis(300));
    for peer in &mut peers[1..] {
        peer.send(b"meanwhile\n");
    }
    for peer in &mut peers {
        peer.expect(b"meanwhile\n");
    }
    let _ = strace.detach();
    let (_, log) = server.terminate();
    assert!(!log.contains("timed out"), "{log}");
}

/// A worker thread dies and the server still listens: it must not. It says why, and ends with status 1;
/// so it does when the acceptor dies.
#[test]
#[ignore = "make torture"]
fn a_thread_whose_poll_fails_ends_the_server_with_status_1() {
    if lacks(&[needs::strace()]) {
        return;
    }
    for of_worker in [true, false] {
        let server = EchoServer::start(&["--workers", "2"]);
        let mut peers: Vec<Peer> = (0..4).map(|_| server.connect()).collect();
        for peer in &mut peers {
            peer.exchange(b"before\n");
        }
        let thread = if of_worker { workers(&server)[0] } else { acceptor(&server)[0] };
        let strace = Strace::attach(&[thread], POLL, &format!("{POLL}:error=EINVAL"));
        let (status, log) = server.wait_with_log();
        drop(strace);
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(" - ERROR - The server stops: invalid argument"), "{log}");
        assert!(log.trim_end().ends_with("the log says how"), "{log}");
        for mut peer in peers {
            // With or without a reset: its connection is over.
            let _ = peer.stream().read_to_end(&mut Vec::new());
        }
    }
}

/// Log on a full disk, or on a broken one -> the echo goes on; records that could not be written are
/// counted and the count is logged when it can be again. An interrupted write loses none.
#[test]
#[ignore = "make torture"]
fn a_log_that_cannot_be_written_for_a_while_says_how_many_records_it_lost() {
    const MESSAGES: usize = 100;
    if lacks(&[needs::strace()]) {
        return;
    }
    for (fault, loses) in [("ENOSPC", true), ("EIO", true), ("EINTR:when=1+2", false)] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("echo.log");
        let server = Launch::new(&["--log-file", file.to_str().unwrap()]).unannounced().start();
        let log = || fs::read_to_string(&file).unwrap();
        let mut peer = server.connect();
        peer.exchange(b"before\n");
        look_until("the first records are written", || log().contains("Echoed to"));

        let strace = Strace::attach(&log_writer(&server), "write", &format!("write:error={fault}"));
        for number in 0..MESSAGES {
            peer.exchange(format!("message {number}\n").as_bytes());
        }
        strace.wait_for_fault();
        let mut strace = Some(strace);
        if loses {
            // The trouble is over. That of interruptions need not be.
            let _ = strace.take().map(Strace::detach);
        }
        // Until it writes again, whatever was under way.
        let mut messages = MESSAGES;
        look_until("the log goes on", || {
            peer.exchange(b"after\n");
            messages += 1;
            log().contains("'after'")
        });
        peer.send(b"exit\n");
        peer.expect_rest(b"Goodbye!\n");
        assert_eq!(server.terminate().0.code(), Some(0));

        let log = log();
        let lost = tests::log::pattern(r"WARNING - (\d+) log records could not be written");
        let lost: Vec<usize> =
            lost.captures_iter(&log).map(|line| line[1].parse().unwrap()).collect();
        assert_eq!(!lost.is_empty(), loses, "{fault}: {log}");
        // A message has two records: each is in the log, or among those that are said to be missing.
        let written = log.matches("'message ").count() + log.matches("'after'").count();
        assert_eq!(written + lost.iter().sum::<usize>(), 2 * messages, "{fault}: {log}");
    }
}
