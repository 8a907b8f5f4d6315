//! Tests with processes that are stopped, killed or unprivileged, and with a wall clock that jumps.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
    time::Duration,
};

use rustix::process::{Signal, geteuid};
use tests::{
    net::{Peer, assert_same_bytes, mock_server},
    payload::{Random, numbered_lines},
    programs::{EchoServer, Launch, Load, Program, binaries},
    requirements::{self, skip_without},
    system::{process::raise_descriptor_limit, procfs::are_sleeping, tcp},
    wait::{DEADLINE, wait_until},
};

const TEN_SECONDS: Duration = Duration::from_secs(10);

/// Connection that never receives anything: a read with a time limit waits for that time.
fn silence() -> Peer {
    Peer::connect(mock_server::serve(
        |mut stream| while !mock_server::receive(&mut stream).is_empty() {},
    ))
}

/// A stop of 10 s causes no timeouts: the server then serves the clients whose bytes arrived during the stop,
/// and sends the rest to those that read during the stop.
#[test]
#[ignore = "make torture"]
fn a_server_that_was_stopped_for_ten_seconds_keeps_its_clients() {
    let limits = ["--idle-timeout", "5s", "--write-timeout", "5s", "--log-messages", "off"];
    let server = EchoServer::start(&limits);
    let mut writers: Vec<Peer> = (0..500).map(|_| server.connect()).collect();
    let mut readers: Vec<Peer> = (0..5).map(|_| server.connect()).collect();
    let payload = Random::new(31).bytes(20_000_000);
    for peer in &mut writers {
        peer.exchange(b"before\n");
    }
    // More than the socket buffers hold: the server has data left for each reader when it is stopped.
    let senders: Vec<_> =
        readers.iter().map(|peer| peer.send_in_background(payload.clone())).collect();
    let stalls = |peer: &Peer| tcp::socket(server.address(), peer.address()).unread > 0;
    wait_until("the server has data left for each reader", || {
        are_sleeping(server.pid(), "worker-") && readers.iter().all(stalls)
    });
    server.pause();
    for peer in &mut writers {
        peer.send(b"meanwhile\n");
    }
    for peer in &mut readers {
        peer.expect(&payload[..200_000]);
    }
    silence().expect_silence_for(TEN_SECONDS);
    server.resume();
    for peer in &mut writers {
        peer.expect(b"meanwhile\n");
    }
    for (peer, sender) in readers.iter_mut().zip(senders) {
        peer.expect(&payload[200_000..]);
        sender.join().unwrap().unwrap();
    }
    let log = server.log().text();
    assert!(!log.contains("timed out"), "{log}");
}

/// A client is stopped during a transfer. This does not affect a thousand others, and the client receives the
/// rest when it continues.
#[test]
#[ignore = "make torture"]
fn a_client_that_was_stopped_during_a_transfer_receives_the_rest() {
    raise_descriptor_limit();
    let server = EchoServer::start_quiet();
    let lines = numbered_lines("line number", 3_000_000);
    let mut client = Program::client(server.address(), &["--timeout", "5m"]);
    client.feed_all(lines.clone().into_bytes());
    let _ = client.stdout.wait_for_line("^line number 1000$");
    client.signal(Signal::STOP);

    let mut others: Vec<Peer> = (0..1_000).map(|_| server.connect()).collect();
    let stopped = thread::spawn(|| silence().expect_silence_for(TEN_SECONDS));
    while !stopped.is_finished() {
        for (number, peer) in others.iter_mut().enumerate() {
            peer.exchange(format!("from {number}\n").as_bytes());
        }
    }
    stopped.join().unwrap();
    assert!(client.stdout.text().len() < lines.len(), "the client had finished before the stop");
    client.signal(Signal::CONT);
    let ended = client.finish_with_open_stdin();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert_same_bytes(&ended.stdout, lines.as_bytes());
    let log = server.log().text();
    assert!(!log.contains("timed out"), "{log}");
}

/// A load client reads the replies that arrived during a stop before it checks its timeouts.
#[test]
#[ignore = "make torture"]
fn a_load_client_that_was_stopped_reports_no_timeout() {
    let server = EchoServer::start_quiet();
    let load = "--connections 200 --rate 2000 --timeout 1s --duration 6s";
    let load = Load::start(server.address(), load);
    let _ = server.log().wait_for_lines("New client connected", 200);
    let processes = load.processes();
    for process in &processes {
        process.signal(Signal::STOP);
    }
    silence().expect_silence_for(Duration::from_secs(3));
    for process in &processes {
        process.signal(Signal::CONT);
    }
    load.finish().expect_success();
}

/// Under load, each new server binds the port of the killed one. The clients have received a correct prefix,
/// detect the loss, and continue with the next server.
#[test]
#[ignore = "make torture"]
fn a_new_server_replaces_one_that_is_killed_under_load() {
    const RESTARTS: usize = 10;
    const CLIENTS: usize = 20;
    let mut server = EchoServer::start_quiet();
    let address = server.address();
    let (echoes, is_finished) = (AtomicUsize::new(0), AtomicBool::new(false));
    let losses = AtomicUsize::new(0);
    thread::scope(|scope| {
        for seed in 0..CLIENTS as u64 {
            let (echoes, is_finished, losses) = (&echoes, &is_finished, &losses);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                while !is_finished.load(SeqCst) {
                    let Ok(mut stream) = TcpStream::connect(address) else { continue };
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    while exchange(&mut stream, &random.bytes(10_000)) {
                        echoes.fetch_add(1, SeqCst);
                        if is_finished.load(SeqCst) {
                            return;
                        }
                    }
                    losses.fetch_add(1, SeqCst);
                }
            });
        }
        // Ends the threads also after a failed assertion.
        let _end = SetOnDrop(&is_finished);
        for _ in 0..RESTARTS {
            let before = echoes.load(SeqCst);
            wait_until("clients are served", || echoes.load(SeqCst) > before + 10 * CLIENTS);
            server.signal(Signal::KILL);
            assert_eq!(server.wait().code(), None);
            server = Launch::new(&["--log-messages", "off"]).port(address.port()).start();
        }
        let before = echoes.load(SeqCst);
        wait_until("clients are served", || echoes.load(SeqCst) > before + 10 * CLIENTS);
    });
    assert!(losses.load(SeqCst) >= RESTARTS, "not every restart was detected");
    assert_eq!(server.terminate().0.code(), Some(0));
}

/// Sends the bytes and returns true if the complete echo arrives. Asserts that an incomplete echo is a correct
/// prefix.
fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    let mut echo = Vec::new();
    let received = stream
        .write_all(bytes)
        .and_then(|()| stream.take(bytes.len() as u64).read_to_end(&mut echo));
    assert_same_bytes(&echo, &bytes[..echo.len()]);
    received.is_ok() && echo.len() == bytes.len()
}

/// Guard that sets the flag on drop.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// The server closes no client when the wall clock jumps forward, and closes idle clients although it has
/// jumped back.
#[test]
#[ignore = "make torture"]
fn a_wall_clock_that_jumps_does_not_affect_timers() {
    if skip_without(&[requirements::tool(
        "faketime",
        &["now", "true"],
        "install the package faketime",
    )]) {
        return;
    }
    // The library that faketime preloads. It reads the offset from a file, which the test changes.
    let preload = Program::start("faketime".into(), &["now", "printenv", "LD_PRELOAD"]).finish();
    let preload = format!("LD_PRELOAD={}", preload.stdout_text().trim());
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("clock");
    let set = |offset: &str| fs::write(&clock, offset).unwrap();
    set("+0");
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", clock.display());
    let real_timers = "FAKETIME_DONT_FAKE_MONOTONIC=1";
    let env = ["env", &preload, &file, "FAKETIME_NO_CACHE=1", real_timers];
    let server = Launch::new(&["--workers", "1", "--idle-timeout", "5s"]).wrapped_by(&env).start();
    let mut peers: Vec<Peer> = (0..50).map(|_| server.connect()).collect();
    let year = |line: &str| line[..4].parse::<i32>().unwrap();
    let mut years = Vec::new();
    for (round, offset) in ["+0", "+1000d", "-1000d", "+2000d", "+0"].into_iter().enumerate() {
        set(offset);
        let message = format!("round {round}");
        for peer in &mut peers {
            peer.exchange(format!("{message}\n").as_bytes());
        }
        years.push(year(&server.log().wait_for_line(&format!("Echoed to .*: '{message}'"))));
    }
    assert!(years[1] > years[0] && years[2] < years[0], "the clock has not jumped: {years:?}");
    set("-1000d");
    let timed_out = server.log().wait_for_lines("timed out: idle for 5s", peers.len());
    assert!(timed_out.iter().all(|line| year(line) < years[0]), "{timed_out:#?}");
}

/// The line names the port and the remedy.
#[test]
#[ignore = "make torture"]
fn reports_a_privileged_port_in_one_line_and_exits_with_1() {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let is_privileged = first.is_ok_and(|first| first.trim() != "0");
    let privileged =
        is_privileged.then_some(()).ok_or("no port is privileged on this host".to_owned());
    let server = binaries::echo_server();
    let server = server.to_str().expect("the path is UTF-8");
    let unprivileged = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
    let is_root = geteuid().is_root();
    let needs = if is_root {
        requirements::tool(
            "setpriv",
            &[&unprivileged[..], &[server, "--version"]].concat(),
            "install the package util-linux",
        )
    } else {
        Ok(())
    };
    if skip_without(&[requirements::privilege(&privileged), needs]) {
        return;
    }
    let args = ["--port", "1"];
    let ended = if is_root {
        Program::start("setpriv".into(), &[&unprivileged[..], &[server], &args].concat()).finish()
    } else {
        Program::run_server(&args)
    };
    assert_eq!(ended.code(), 1, "{ended:?}");
    let line = ended.error_line();
    assert!(line.contains("127.0.0.1:1:") && line.contains("choose a port above 1023"), "{line}");
}
