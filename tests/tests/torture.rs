//! Faults that take minutes, privilege or tools: `make torture` runs these, and ends with what it had to
//! skip.
//!
//! System calls fail by `strace -e inject=`, which makes a call fail that has not been made: never one
//! that says it did something.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Resource, Signal, getrlimit};
use tests::{
    binaries::echo_server,
    load::{Load, Report},
    payload::Random,
    peer::Peer,
    process::raise_descriptor_limit,
    program::Program,
    server::{EchoServer, Launch},
};

/// Says that a test was not run, and why. The test's name is that of its thread.
fn skip(why: &str) {
    let thread = std::thread::current();
    #[expect(clippy::print_stdout, reason = "whoever runs this is told at its end")]
    {
        println!("SKIPPED: {}: {why}", thread.name().unwrap_or("a test"));
    }
}

/// Whether a program is installed and does what it is asked to; if not, says so.
fn can(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    let asked = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let can = asked.is_ok_and(|status| status.success());
    if !can {
        skip(&format!("`{program}` is not installed, or must not be used here"));
    }
    can
}

/// A server some of whose system calls fail, as `strace -e inject=` has it; `None` without strace.
fn start_failing(inject: &[&str], args: &[&str]) -> Option<EchoServer> {
    if !can("strace", &["-qq", "-o", "/dev/null", "true"]) {
        return None;
    }
    // The tracer is the server's grandchild: the process that is started is the server.
    let mut strace = vec!["strace", "-D", "-f", "-qq", "-o", "/dev/null"];
    for inject in inject {
        strace.extend(["-e", inject]);
    }
    Some(Launch::new(args).under(&strace).start())
}

/// ENFILE, ENOBUFS, ENOMEM at accept -> short pause, no spin, one log line a second at most, resumes.
#[test]
#[ignore = "needs strace"]
fn a_shortage_at_accept_is_waited_out() {
    const FAILURES: usize = 25;
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let inject = format!("inject=accept4:error={error}:when=1..{FAILURES}");
        let Some(server) = start_failing(&[&inject], &[]) else { return };
        // The kernel has completed this one, and the server is told of it once.
        let mut waits = server.connect();
        waits.exchange(b"at last\n");
        server.connect().exchange(b"and at once\n");
        drop(waits);
        let (status, log) = server.terminate();
        let lines = log.matches("Cannot accept connections for now").count();
        assert!(status.success(), "{log}");
        // Each attempt pauses: so many take longer than a second, and there is a line for each second.
        assert!((2..FAILURES).contains(&lines), "{error}: {log}");
    }
}

/// ECONNABORTED, EINTR at accept -> at once.
#[test]
#[ignore = "needs strace"]
fn an_aborted_connection_at_accept_costs_no_pause() {
    for error in ["ECONNABORTED", "EINTR", "EPROTO"] {
        let inject = format!("inject=accept4:error={error}:when=1..200");
        let Some(server) = start_failing(&[&inject], &[]) else { return };
        server.connect().exchange(b"hello\n");
        let (status, log) = server.terminate();
        assert!(status.success() && !log.contains("Cannot accept"), "{error}: {log}");
    }
}

/// EINTR anywhere is nothing.
#[test]
#[ignore = "needs strace"]
fn interrupted_calls_are_made_again() {
    let inject = ["epoll_wait", "recvfrom", "sendto"]
        .map(|call| format!("inject={call}:error=EINTR:when=3+3"));
    let inject: Vec<&str> = inject.iter().map(String::as_str).collect();
    let Some(server) = start_failing(&inject, &["--workers", "1"]) else { return };
    let mut peer = server.connect();
    for round in 0..500 {
        peer.exchange(format!("message {round}\n").as_bytes());
    }
    let bytes = Random::new(3).letters(2_000_000);
    let sender = peer.send_aside_and_half_close(bytes.clone());
    peer.expect_rest(&bytes);
    sender.join().unwrap().unwrap();
    let (status, log) = server.terminate();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

/// An error of a socket ends its connection and no other.
#[test]
#[ignore = "needs strace"]
fn a_socket_that_fails_ends_its_own_connection_only() {
    for (call, error) in [
        ("recvfrom", "ECONNRESET"),
        ("recvfrom", "ENOMEM"),
        ("sendto", "EPIPE"),
        ("sendto", "ENOBUFS"),
        ("sendto", "ETIMEDOUT"),
    ] {
        // The first message of each of the two goes through, and the third of all does not.
        let inject = format!("inject={call}:error={error}:when=3");
        let Some(server) = start_failing(&[&inject], &["--workers", "1"]) else { return };
        let (mut witness, mut unlucky) = (server.connect(), server.connect());
        witness.exchange(b"one\n");
        unlucky.exchange(b"two\n");
        unlucky.send(b"three\n");
        let mut rest = Vec::new();
        // The end, or a reset: both are right.
        let _ = unlucky.stream().read_to_end(&mut rest);
        assert_eq!(rest, b"", "{call} {error}");
        let address = unlucky.address();
        drop(unlucky);
        server.wait_for_log(&format!("Client {address} disconnected unexpectedly: "));
        witness.exchange(b"still here\n");
        server.connect().exchange(b"welcome\n");
        drop(witness);
        let (status, log) = server.terminate();
        assert!(status.success() && !log.contains("ERROR"), "{call} {error}: {log}");
    }
}

/// A worker thread dies and the server still listens: it must not.
#[test]
#[ignore = "needs strace"]
fn a_poll_that_fails_ends_the_server_and_says_so() {
    let inject = ["inject=epoll_wait:error=ENOMEM:when=9"];
    let Some(server) = start_failing(&inject, &["--workers", "2"]) else { return };
    let mut peer = server.connect();
    // Whichever of its threads is the first to poll for the ninth time.
    let mut back = [0; 6];
    while peer.stream().write_all(b"hello\n").is_ok() && peer.stream().read_exact(&mut back).is_ok()
    {
    }
    let (status, log) = server.wait_with_log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(" - ERROR - The server cannot go on: "), "{log}");
}

/// Log on a full or failing disk -> the echo goes on; records that could not be written are counted and
/// the count is logged when it can be again.
#[test]
#[ignore = "needs strace"]
fn a_log_file_that_fails_for_a_while_costs_records_and_no_echo() {
    for error in ["ENOSPC", "EIO", "EDQUOT"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("echo.log");
        let path = file.to_str().unwrap();
        // Only the writes of the log: workers wake each other by writes as well. The first is of the
        // lines of the start.
        if !can("strace", &["-qq", "-o", "/dev/null", "true"]) {
            return;
        }
        let inject = format!("inject=write:error={error}:when=2..6");
        let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", &inject];
        fs::write(&file, "").unwrap();
        let server = Launch::new(&["--log-file", path]).unannounced().under(&strace).start();
        let mut peer = server.connect();
        let told = |text: &str| fs::read_to_string(&file).unwrap().contains(text);
        let mut messages = 0;
        while !told("log records could not be written and are lost") {
            peer.exchange(b"on and on\n");
            messages += 1;
            assert!(messages < 5_000_000, "{error}: the log does not recover");
        }
        peer.exchange(b"recovered\n");
        drop(peer);
        let (status, _) = server.terminate();
        assert!(status.success() && told("'recovered"), "{error}");
    }
}

/// SIGSTOP, SIGCONT of the server: stopped for 10 s -> no storm of timeouts.
#[test]
#[ignore = "takes 10 s"]
fn a_server_that_is_stopped_for_ten_seconds_goes_on_where_it_was() {
    let args = ["--idle-timeout", "4s", "--write-timeout", "4s", "--log-messages", "off"];
    let server = EchoServer::start(&args);
    let load = "--processes 4 --connections 50 --rate 2000 --duration 15s --timeout 30s";
    let load = Load::start(server.address(), load);
    // As many as there are connections.
    let _ = server.log().wait_for_lines("New client connected", 200);
    let mut clock = server.connect();
    clock.exchange(b"before\n");
    server.signal(Signal::STOP);
    clock.hears_nothing_for(Duration::from_secs(10));
    clock.send(b"meanwhile\n");
    server.signal(Signal::CONT);
    clock.expect(b"meanwhile\n");
    drop(clock);
    load.finish().expect_well();
    let (_, log) = server.terminate();
    assert!(!log.contains("timed out"), "{log}");
}

/// SIGSTOP of a client in mid-stream beside a thousand others: they notice nothing, and when it goes on
/// it gets the rest.
#[test]
#[ignore = "takes 10 s"]
fn a_client_that_is_stopped_in_mid_stream_gets_the_rest_later() {
    raise_descriptor_limit();
    let server = EchoServer::start(&["--log-messages", "off"]);
    let stopped = "--connections 4 --pipeline 64 --size 65536 --messages 2000 --timeout 60s";
    let stopped = Load::start(server.address(), stopped);
    let _ = server.log().wait_for_lines("New client connected", 4);
    let processes = stopped.processes();
    assert_eq!(processes.len(), 1);
    processes[0].signal(Signal::STOP);
    let others = "--processes 4 --connections 250 --duration 10s";
    Report::of(server.address(), others).expect_well();
    processes[0].signal(Signal::CONT);
    stopped.finish().expect_well();
}

/// kill -9 and restart under load: clients see the loss and say so, and the new server serves.
#[test]
#[ignore = "a matter of seconds"]
fn a_server_that_is_killed_under_load_is_a_loss_and_the_next_one_serves() {
    let mut server = EchoServer::start(&["--log-messages", "off"]);
    let port = server.address().port();
    for _ in 0..5 {
        let load = "--processes 4 --connections 50 --pipeline 32 --size 1000 --duration 10m";
        let load = Load::start(server.address(), load);
        let _ = server.log().wait_for_lines("New client connected", 200);
        server.signal(Signal::KILL);
        load.finish().expect_failure();
        drop(server);
        server = Launch::new(&["--log-messages", "off"]).port(port).start();
        server.connect().exchange(b"back again\n");
    }
}

/// Wall clock jumps -> timers do not care.
#[test]
#[ignore = "needs libfaketime"]
fn a_clock_that_jumps_moves_no_timer() {
    let libraries =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let library = libraries
        .map(|folder| PathBuf::from(folder).join("faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|path| path.exists());
    let Some(library) = library else { return skip("libfaketime is not installed") };
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("clock");
    let jump = |by: &str| fs::write(&clock, by).unwrap();
    jump("+0");
    let set = |name: &str, value: &Path| format!("{name}={}", value.display());
    let (preload, file) = (set("LD_PRELOAD", &library), set("FAKETIME_TIMESTAMP_FILE", &clock));
    let fake = ["env", &preload, &file, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"];
    let fake = [&fake[..], &["FAKETIME_DONT_FAKE_MONOTONIC=1"]].concat();
    let server = Launch::new(&["--idle-timeout", "2s", "--workers", "1"]).under(&fake).start();
    let mut peer = server.connect();
    let mut year = |jump_by: &str, message: &str| -> String {
        jump(jump_by);
        peer.exchange(message.as_bytes());
        let line = server.log().wait_for_line(&format!("Received from .*{message}"));
        line[..4].to_owned()
    };
    let now = year("+0", "now");
    let later = year("+4000d", "later");
    let before = year("-4000d", "before");
    assert!(before < now && now < later, "the clock has not jumped: {before} {now} {later}");
    // It is there still, and is closed for its own silence and nothing else.
    peer.expect_end();
    server.wait_for_log(&format!("Client {} timed out: it was idle for 2s$", peer.address()));
}

/// Privileged port -> one line that names it and says what to do; status 1.
#[test]
#[ignore = "needs root, to be someone else"]
fn a_privileged_port_is_one_line_and_status_1() {
    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if start.trim().parse::<u16>().unwrap() <= 7 {
        return skip("here any user may listen on any port");
    }
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
    // Where the build is may be nobody's business.
    let directory = tempfile::tempdir().unwrap();
    let server = directory.path().join("echo-server");
    fs::copy(echo_server(), &server).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(directory.path(), open).unwrap();
    let server = server.to_str().unwrap();
    if !can("setpriv", &[&nobody[..], &[server, "--version"]].concat()) {
        return;
    }
    let args = [&nobody[..], &[server, "--port", "7"]].concat();
    let ended = Program::start("setpriv".into(), &args).finish();
    assert_eq!(ended.code(), 1);
    let line = ended.error_line();
    assert!(line.contains(":7") && line.contains("choose a higher one"), "{line}");
}

/// As many connections as the descriptor limit allows, all answering.
#[test]
#[ignore = "takes all descriptors"]
fn as_many_connections_as_descriptors_all_answer() {
    raise_descriptor_limit();
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(1_000_000).min(100_000);
    // What the server keeps for itself, and something for each of the load's processes.
    let each = (most - 100) / 4;
    let server = Launch::new(&["--log-messages", "off", "--log-level", "warning"]);
    let server = server.unannounced().start();
    let load = format!("--processes 4 --connections {each} --messages 5 --timeout 30s");
    let report = Report::of(server.address(), &load);
    report.expect_well();
    assert_eq!(report.messages(), 4 * each * 5);
}

/// A million messages over hundreds of connections from many processes, each checked for content and
/// order, and two records for each in the log.
#[test]
#[ignore = "a matter of half a minute"]
fn a_million_messages_from_many_processes_are_right() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("echo.log");
    let server = Launch::new(&["--log-file", file.to_str().unwrap()]).unannounced().start();
    let load =
        "--processes 20 --connections 25 --messages 2000 --size 1-300 --pipeline 8 --timeout 30s";
    let report = Report::of(server.address(), load);
    report.expect_well();
    assert_eq!(report.messages(), 1_000_000);
    let (status, _) = server.terminate();
    assert!(status.success());
    let log = fs::read_to_string(&file).unwrap();
    assert!(!log.contains("are lost"));
    let received = log.lines().filter(|line| line.contains(" - Received from ")).count();
    assert!(received >= 1_000_000, "{received} records of messages received");
}

/// A hostile client that sends a byte a second to thousands of connections, beside others.
#[test]
#[ignore = "a matter of seconds"]
fn thousands_of_dribbling_connections_cost_others_nothing() {
    raise_descriptor_limit();
    let server = EchoServer::start(&["--log-messages", "off"]);
    let mut dribbling: Vec<Peer> = (0..3000).map(|_| server.connect()).collect();
    let load = Load::start(server.address(), "--processes 2 --connections 25 --duration 5s");
    let mut second = server.connect();
    for round in 0..5 {
        for peer in &mut dribbling {
            peer.send(&[b'a' + round]);
        }
        second.hears_nothing_for(Duration::from_secs(1));
        for peer in &mut dribbling {
            peer.expect(&[b'a' + round]);
        }
    }
    load.finish().expect_well();
}
