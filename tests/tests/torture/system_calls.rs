//! Tests with failed system calls, which `strace -e inject=` injects.

use std::{fs, io::Read as _, time::Duration};

use rustix::process::Pid;
use tests::{
    net::Peer,
    payload::Random,
    programs::{EchoServer, Launch, Strace},
    requirements::{self, skip_without},
    system::procfs::threads_named,
    wait::wait_until,
};

/// System calls of a poll; the architecture determines which one exists.
const POLL: &str = "?epoll_wait,epoll_pwait";

fn one_worker() -> EchoServer {
    EchoServer::start(&["--workers", "1"])
}

/// Returns the acceptor thread: the main thread, whose id is that of the process.
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

/// The server pauses without a busy loop, logs at most one line a second, and then accepts again.
#[test]
#[ignore = "make torture"]
fn pauses_after_a_shortage_at_accept() {
    if skip_without(&[requirements::strace()]) {
        return;
    }
    // A poll with a timeout above zero that returned no event.
    let pause = tests::log::pattern(r"epoll_p?wait\(\d+, \[\], \d+, [1-9]\d*.*\)\s+= 0$");
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let server = one_worker();
        let mut other = server.connect();
        other.exchange(b"before\n");
        let watched = format!("accept4,{POLL}");
        let strace =
            Strace::attach(&acceptor(&server), &watched, &format!("accept4:error={error}"));
        let mut waiting: Vec<Peer> = (0..5).map(|_| server.connect()).collect();
        for peer in &mut waiting {
            peer.send(b"let me in\n");
        }
        let warnings = server.log().wait_for_lines("WARNING - Cannot accept connections: ", 3);
        other.exchange(b"meanwhile\n");
        let seen = strace.detach();
        for peer in &mut waiting {
            peer.expect(b"let me in\n");
        }
        let mut seconds: Vec<&str> =
            warnings.iter().map(|line| line.split(" - ").next().unwrap()).collect();
        seconds.dedup();
        assert_eq!(seconds.len(), warnings.len(), "{error}: {warnings:#?}");
        // The acceptor tries again after a pause, or when a client connects.
        let attempts = seen.iter().filter(|line| is_fault(line)).count();
        let pauses = seen.iter().filter(|line| pause.is_match(line)).count();
        assert!(attempts <= pauses + waiting.len() + 5, "{error}: {attempts} in {pauses} pauses");
        server.connect().exchange(b"afterwards\n");
    }
}

/// The server calls accept again immediately.
#[test]
#[ignore = "make torture"]
fn a_connection_that_fails_at_accept_causes_no_pause() {
    if skip_without(&[requirements::strace()]) {
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
            assert!(lines[1].contains("accept4"), "{error}: another call follows: {lines:#?}");
        }
    }
}

/// The log names the reason.
#[test]
#[ignore = "make torture"]
fn a_failed_read_or_write_ends_only_its_own_connection() {
    if skip_without(&[requirements::strace()]) {
        return;
    }
    for (call, error, reason) in [
        ("recvfrom", "ECONNRESET", "connection reset by peer"),
        ("recvfrom", "ENOMEM", "memory"),
        ("recvfrom", "ETIMEDOUT", "timed out"),
        ("sendto", "EPIPE", "broken pipe"),
        ("sendto", "ECONNRESET", "connection reset by peer"),
        ("sendto", "ENOBUFS", "buffer"),
    ] {
        let server = one_worker();
        let [mut other, mut affected] = [server.connect(), server.connect()];
        other.exchange(b"before\n");
        affected.exchange(b"before\n");
        let fault = format!("{call}:error={error}:when=1");
        let strace = Strace::attach(&workers(&server), call, &fault);
        affected.send(b"the last\n");
        let affected_address = affected.address();
        let record = format!("(?i)Client {affected_address} disconnected unexpectedly: .*{reason}");
        server.wait_for_log(&record);
        server.wait_for_log(&format!("Connection with {affected_address} closed"));
        let _ = affected.stream().read_to_end(&mut Vec::new());
        other.exchange(b"after\n");
        assert_eq!(strace.detach().iter().filter(|line| is_fault(line)).count(), 1);
        let (_, log) = server.terminate();
        assert!(!log.contains("ERROR"), "{call}, {error}: {log}");
    }
}

/// The server repeats an interrupted call, and continues a write that would block when the socket is writable.
#[test]
#[ignore = "make torture"]
fn interrupted_reads_and_writes_lose_nothing() {
    if skip_without(&[requirements::strace()]) {
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
        let sender = peer.send_in_background(bytes.clone());
        peer.expect(&bytes);
        sender.join().unwrap().unwrap();
        assert!(strace.detach().iter().any(|line| is_fault(line)), "{fault}: no call failed");
    }
}

/// A worker and the acceptor repeat an interrupted poll.
#[test]
#[ignore = "make torture"]
fn continues_after_interrupted_polls() {
    if skip_without(&[requirements::strace()]) {
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

/// A worker is stopped after its poll has reported one peer and before it reads the clock. Meanwhile the idle
/// timeout of the others passes, and they send data.
#[test]
#[ignore = "make torture"]
fn a_stop_between_a_poll_and_the_clock_causes_no_timeout() {
    if skip_without(&[requirements::strace()]) {
        return;
    }
    let server = EchoServer::start(&["--workers", "1", "--spin", "off", "--idle-timeout", "3s"]);
    let mut peers: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"before\n");
    }
    let delay = format!("{POLL}:delay_exit=5000000:when=1");
    let strace = Strace::attach(&workers(&server), POLL, &delay);
    peers[0].send(b"meanwhile\n");
    // Waits until the kernel has ended the poll, which cannot be observed before the call returns.
    peers[0].expect_silence_for(Duration::from_millis(300));
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

/// After the failure of a worker or of the acceptor, the server must not continue to listen: it logs the
/// reason and exits.
#[test]
#[ignore = "make torture"]
fn the_server_exits_with_1_if_the_poll_of_a_thread_fails() {
    if skip_without(&[requirements::strace()]) {
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
        assert!(
            log.contains(" - ERROR - The server stops: a thread failed: invalid argument"),
            "{log}"
        );
        assert!(log.trim_end().ends_with("see the log for the cause"), "{log}");
        for mut peer in peers {
            // The connection ends, with or without a reset.
            let _ = peer.stream().read_to_end(&mut Vec::new());
        }
    }
}

/// The disk of the log is full or fails: the echo continues, and the server logs the number of lost records
/// when it can write again. An interrupted write loses no record.
#[test]
#[ignore = "make torture"]
fn logs_the_number_of_records_that_it_could_not_write() {
    const MESSAGES: usize = 100;
    if skip_without(&[requirements::strace()]) {
        return;
    }
    for (fault, loses) in [("ENOSPC", true), ("EIO", true), ("EINTR:when=1+2", false)] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("echo.log");
        let server =
            Launch::new(&["--log-file", file.to_str().unwrap()]).without_start_line().start();
        let log = || fs::read_to_string(&file).unwrap();
        let mut peer = server.connect();
        peer.exchange(b"before\n");
        wait_until("the first records are written", || log().contains("Echoed to"));

        let strace = Strace::attach(&log_writer(&server), "write", &format!("write:error={fault}"));
        for number in 0..MESSAGES {
            peer.exchange(format!("message {number}\n").as_bytes());
        }
        strace.wait_for_fault();
        let mut strace = Some(strace);
        if loses {
            // Ends the failures. Interruptions may continue.
            let _ = strace.take().map(Strace::detach);
        }
        // Exchanges messages until the server writes to the log again.
        let mut messages = MESSAGES;
        wait_until("the log contains a new record", || {
            peer.exchange(b"after\n");
            messages += 1;
            log().contains("'after'")
        });
        peer.send(b"exit\n");
        peer.expect_to_end(b"Goodbye!\n");
        assert_eq!(server.terminate().0.code(), Some(0));

        let log = log();
        let lost = tests::log::pattern(r"WARNING - (\d+) log records could not be written");
        let lost: Vec<usize> =
            lost.captures_iter(&log).map(|line| line[1].parse().unwrap()).collect();
        assert_eq!(!lost.is_empty(), loses, "{fault}: {log}");
        // A message has two records: each is in the log or in the count of lost records.
        let written = log.matches("'message ").count() + log.matches("'after'").count();
        assert_eq!(written + lost.iter().sum::<usize>(), 2 * messages, "{fault}: {log}");
    }
}
