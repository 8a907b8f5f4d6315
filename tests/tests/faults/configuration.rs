//! Faults of a URL, and their changes in a reload.

use std::{fs, path::PathBuf};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tests::{
    net::Peer,
    programs::{EchoServer, Launch, Program},
};

/// A server with a configuration file that a test replaces, and an admin listener.
struct Configured {
    server: EchoServer,
    dir: TempDir,
    reloads: usize,
}

impl Configured {
    fn start(listen: &str) -> Self {
        let dir = tempdir().expect("a temporary directory");
        let file = dir.path().join("echo.toml");
        fs::write(&file, settings(listen)).expect("the file can be written");
        let admin = format!("unix://{}", dir.path().join("admin.sock").display());
        let file = file.to_str().expect("the path is UTF-8");
        let args = ["--config", file, "--admin", &admin];
        let server = Launch::new(&args).without_port().start();
        Self { server, dir, reloads: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces the listeners, and waits until the server has them.
    fn reload(&mut self, listen: &str) {
        fs::write(self.path("echo.toml"), settings(listen)).expect("the file can be written");
        self.server.signal(Signal::HUP);
        self.reloads += 1;
        let _ = self.server.log().wait_for_lines("Configuration reloaded", self.reloads);
    }

    fn faults(&self, args: &[&str]) -> String {
        let admin = format!("unix://{}", self.path("admin.sock").display());
        let (command, rest) = args.split_first().expect("a command");
        let args = [&["faults", command, "--admin", &admin], rest].concat();
        let done = Program::run_server(&args);
        assert_eq!(done.code(), 0, "{done:?}");
        done.stdout_text().to_owned()
    }
}

fn settings(listen: &str) -> String {
    format!("listen = [{listen}]")
}

/// Sends a line of six bytes, and returns the echo of at most five, after which nothing else comes.
fn cut(peer: &mut Peer) {
    peer.send(b"hello\n");
    peer.expect(b"hello");
}

#[test]
fn faults_of_a_url_hold_from_the_first_connection() {
    let server = EchoServer::start_with(&["--listen", "tcp://127.0.0.1:0?close-after=5"]);
    let log = server.log().wait_for_line("injects faults on purpose");
    assert!(log.contains(": close-after=5B&fault-seed="), "{log}");
    let mut peer = server.connect();
    peer.send(b"hello\n");
    peer.expect_to_end(b"hello");
}

#[test]
fn a_reload_sets_and_clears_faults_also_of_open_connections() {
    let mut configured = Configured::start("'tcp://127.0.0.1:0'");
    let mut peer = configured.server.connect();
    peer.exchange(b"hello\n");
    configured.reload("'tcp://127.0.0.1:0?truncate=11'");
    configured.server.wait_for_log("injects faults on purpose: truncate=11B&fault-seed=");
    cut(&mut peer);
    let mut next = configured.server.connect();
    next.exchange(b"hello\n");
    cut(&mut next);
    configured.reload("'tcp://127.0.0.1:0'");
    configured.server.wait_for_log("Faults of .* cleared$");
    configured.server.connect().exchange(b"hello\n");
}

#[test]
fn a_reload_sets_and_clears_faults_of_datagrams() {
    let mut configured = Configured::start("'udp://127.0.0.1:0'");
    configured.reload("'udp://127.0.0.1:0?truncate=3&rate=off&fault-seed=7'");
    configured.server.wait_for_log("udp://.* injects faults on purpose: truncate=3B&fault-seed=7");
    assert!(configured.faults(&["list"]).contains("  7  truncate=3B\n"));
    configured.reload("'udp://127.0.0.1:0?rate=off'");
    configured.server.wait_for_log("Faults of udp://.* cleared$");
}

#[test]
fn a_reload_keeps_the_faults_of_the_admin_listener_unless_it_changes_those_of_the_url() {
    let mut configured = Configured::start("'tcp://127.0.0.1:0?delay=1ms'");
    configured.faults(&["set", "truncate=3", "--seed", "7"]);
    for other in ["'tcp://127.0.0.1:0?delay=1ms'", "'tcp://127.0.0.1:0?idle-timeout=1h&delay=1ms'"]
    {
        configured.reload(other);
        let list = configured.faults(&["list"]);
        assert!(list.contains("  7  truncate=3B\n"), "{other}: {list}");
    }
    configured.reload("'tcp://127.0.0.1:0?idle-timeout=1h&delay=2ms'");
    let list = configured.faults(&["list"]);
    assert!(list.contains("  delay=2ms\n"), "{list}");
}

#[test]
fn a_listener_that_a_reload_removes_frees_its_connections() {
    let mut configured =
        Configured::start("'tcp://127.0.0.1:0', 'tcp://127.0.0.1:0?protocol=raw&delay=1h'");
    let address = &configured.server.addresses()[1];
    let mut peer = Peer::connect(address.parse().expect("an address"));
    peer.send(b"hello\n");
    configured.server.wait_for_log("Fault injected for .*: delay at byte 0");
    configured.reload("'tcp://127.0.0.1:0'");
    peer.expect(b"hello\n");
    peer.exchange(b"more\n");
    let list = configured.faults(&["list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
}

#[test]
fn a_reload_with_contradicting_faults_changes_nothing() {
    let configured = Configured::start("'tcp://127.0.0.1:0?delay=1ms'");
    let wrong = settings("'tcp://127.0.0.1:0?drip=1B/1s&throttle=1kB/s'");
    fs::write(configured.path("echo.toml"), wrong).expect("the file can be written");
    configured.server.signal(Signal::HUP);
    configured.server.wait_for_log("'throttle=1kB/s' cannot be used with 'drip=1B/1s'");
    let list = configured.faults(&["list"]);
    assert!(list.contains("  delay=1ms\n"), "{list}");
}

#[test]
fn contradicting_faults_are_refused_before_the_server_starts() {
    let listen = "tcp://127.0.0.1:0?no-close-notify=on";
    let done = Program::run_server(&["config", "check", "--listen", listen]);
    assert_eq!(done.code(), 2, "{done:?}");
    let text = String::from_utf8_lossy(done.stderr.as_bytes()).into_owned();
    assert!(text.contains("'no-close-notify=on': it needs TLS"), "{text}");
}
