//! Tests of the reload: on SIGHUP, the running server reads its settings again.

use std::{fs, os::unix::net::UnixStream, path::PathBuf};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tests::{
    net::Peer,
    programs::{EchoServer, Launch, Load},
    wait::wait_until,
};

/// Server with a configuration file that a test can replace.
struct Configured {
    server: EchoServer,
    dir: TempDir,
}

impl Configured {
    fn start(settings: &str) -> Self {
        let dir = tempdir().expect("a temporary directory");
        let file = dir.path().join("echo.toml");
        fs::write(&file, settings).expect("the file can be written");
        let file = file.to_str().expect("the path is UTF-8");
        let server = Launch::new(&["--config", file]).without_port().start();
        Self { server, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn reload(&self, settings: &str) {
        fs::write(self.path("echo.toml"), settings).expect("the file can be written");
        self.server.signal(Signal::HUP);
    }
}

#[test]
fn a_reload_under_load_loses_nothing() {
    let configured = Configured::start("listen = ['tcp://127.0.0.1:0']\nlog-messages = false");
    let server = &configured.server;
    let load =
        Load::start(server.address(), "--processes 2 --connections 20 --warmup 0s --duration 3s");
    server.wait_for_log("New client connected");
    for round in 0..20 {
        let socket = configured.path(&format!("echo-{round}.sock"));
        let options = if round % 2 == 0 { "?protocol=raw&idle-timeout=1h" } else { "" };
        configured.reload(&format!(
            "listen = ['tcp://127.0.0.1:0{options}', 'unix://{}']
             log-messages = false
             max-connections = {}
             drain-timeout = '{round}s'",
            socket.display(),
            100 + round,
        ));
        server.wait_for_log(&format!(r"Echo server started on unix://.*/echo-{round}\.sock$"));
        // The server logs the new limit after the acceptor has applied the reload.
        server.wait_for_log(&format!("Changed max-connections: .* -> {}", 100 + round));
        drop(UnixStream::connect(&socket).expect("the new socket listens"));
    }
    let report = load.finish();
    report.expect_success();
    assert!(
        !configured.path("echo-0.sock").exists(),
        "the file of the removed listener still exists"
    );
}

#[test]
fn applies_changed_settings_and_warns_about_those_that_need_a_restart() {
    let configured = Configured::start("listen = ['tcp://127.0.0.1:0']");
    let server = &configured.server;
    let mut peer = server.connect();
    peer.exchange(b"before\n");
    server.wait_for_log("Received from .*: 'before'");

    configured.reload(
        "listen = ['tcp://127.0.0.1:0?max-connections=1']
         log-messages = false
         workers = 7
         log-format = 'json'",
    );
    server.wait_for_log("WARNING - 'workers' differs from its value at the start");
    server.wait_for_log("WARNING - 'log-format' differs from its value at the start");
    server.wait_for_log("INFO - Changed log-messages: true -> false \\(.*echo.toml:2\\)$");
    server.wait_for_log("INFO - Configuration reloaded$");
    let refusal = String::from_utf8(Peer::connect(server.address()).read_to_end()).expect("text");
    assert!(refusal.contains("1 connection on this listener"), "{refusal}");
    peer.exchange(b"after\n");

    configured.reload("listen = ['tcp://127.0.0.1:0']\nlog-level = 'error'\n");
    server.wait_for_log("INFO - Changed log-level: \"info\" -> \"error\"");
    // The server logs the next reload after the level has changed.
    configured.reload("nonsense");
    server.wait_for_log("ERROR - Configuration not reloaded");
    assert!(!server.log().text().contains("Changed workers"), "{}", server.log().text());
    drop(peer);
    let mut peer = server.connect();
    peer.exchange(b"not logged\n");
    drop(peer);
    let (status, log) = configured.server.terminate();
    assert!(status.success(), "{log}");
    assert!(!log.contains("after") && !log.contains("not logged"), "{log}");
}

#[test]
fn an_invalid_configuration_changes_nothing() {
    let configured = Configured::start("listen = ['tcp://127.0.0.1:0']");
    let server = &configured.server;
    let mut peer = server.connect();
    peer.exchange(b"before\n");
    configured.reload("listen = ['tcp://127.0.0.1:0']\nlog-messages = false\nprot = 7\n");
    server.wait_for_log(r"ERROR - .*echo\.toml:3: unknown key 'prot'; did you mean 'port'\?$");
    server.wait_for_log("ERROR - Configuration not reloaded; the previous one stays in force$");
    peer.exchange(b"as before\n");
    server.wait_for_log("Received from .*: 'as before'");
    server.connect().exchange(b"and here\n");

    fs::remove_file(configured.path("echo.toml")).expect("the file exists");
    server.signal(Signal::HUP);
    server.wait_for_log(r"ERROR - --config: cannot read the configuration file '.*': no such file");
    peer.exchange(b"still here\n");
}

#[test]
fn an_address_that_cannot_be_bound_does_not_affect_other_listeners() {
    let other = EchoServer::start(&[]);
    let configured = Configured::start("listen = ['tcp://127.0.0.1:0']");
    let server = &configured.server;
    configured.reload(&format!("listen = ['tcp://127.0.0.1:0', 'tcp://{}']", other.address()));
    let refusal = format!(
        "ERROR - Configuration not reloaded: cannot listen on {}: .* --reuse-port; nothing has changed$",
        other.address()
    );
    server.wait_for_log(&refusal);
    server.connect().exchange(b"here\n");
    other.connect().exchange(b"there\n");
}

#[test]
fn a_removed_listener_keeps_its_connections_and_a_changed_one_loses_nothing() {
    let configured =
        Configured::start("listen = ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0?rate=off']");
    let server = &configured.server;
    let [tcp, udp] = server.addresses() else { panic!("the file names two listeners") };
    let stream =
        Load::at_url(&format!("tcp://{tcp}"), "--connections 20 --warmup 0s --duration 3s");
    let datagrams = Load::at_url(udp, "--connections 4 --warmup 0s --duration 3s");
    server.wait_for_log("Received from .*");
    // The load test opens no further connections.
    wait_until("all connections are open", || {
        server.log().text().matches("New client connected").count() >= 20
    });
    for round in 1..=5 {
        configured.reload(&format!(
            "listen = ['unix://{}', 'udp://127.0.0.1:0?rate={}']",
            configured.path(&format!("echo-{round}.sock")).display(),
            1_000_000 + round
        ));
        server.wait_for_log(&format!(r"Echo server started on unix://.*/echo-{round}\.sock$"));
        let _ = server.log().wait_for_lines("Configuration reloaded$", round);
    }
    assert!(std::net::TcpStream::connect(tcp).is_err(), "the removed listener still accepts");
    stream.finish().expect_success();
    datagrams.finish().expect_success();
}

/// An editor or a copy that is interrupted leaves an empty file for a moment.
#[test]
fn an_empty_file_does_not_close_the_listeners() {
    let directory = tempdir().expect("a temporary directory");
    let socket = directory.path().join("echo.sock");
    let listen = format!("listen = ['tcp://127.0.0.1:0', 'unix://{}']", socket.display());
    let configured = Configured::start(&listen);
    let server = &configured.server;
    for empty in ["", "log-messages = false\n"] {
        configured.reload(empty);
    }
    server.wait_for_log("ERROR - Configuration not reloaded: it sets no listener any more");
    server.connect().exchange(b"still here\n");
    drop(UnixStream::connect(&socket).expect("the socket still listens"));
    configured.reload(&format!("{listen}\nmax-connections = 9"));
    server.wait_for_log("INFO - Configuration reloaded$");
}

#[test]
fn a_reload_during_a_drain_changes_nothing() {
    let configured = Configured::start("listen = ['tcp://127.0.0.1:0']\ndrain-timeout = '1h'");
    let server = &configured.server;
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::TERM);
    server.wait_for_log("Shutting down server");
    configured.reload("listen = ['tcp://127.0.0.1:0']\nmax-connections = 9");
    server.wait_for_log("ERROR - Configuration not reloaded: the server is shutting down");
    drop(peer);
    let log = server.log().text();
    assert!(!log.contains("Changed max-connections"), "{log}");
}

#[test]
fn a_listener_that_gets_tls_has_its_new_name_in_the_log() {
    let configured = Configured::start("listen = ['tcp://127.0.0.1:0']");
    let server = &configured.server;
    let mut open = server.connect();
    open.exchange(b"hello\n");
    configured.reload("listen = ['tls://127.0.0.1:0']\ntls-self-signed = true\n");
    server.wait_for_log(r"New connections to tls://127\.0\.0\.1:\d+ use the changed settings$");
    server.wait_for_log("Configuration reloaded$");
    open.exchange(b"without TLS until its end\n");
    let mut new = server.connect();
    new.send(b"hello\n");
    assert_eq!(new.read_to_end(), [21, 3, 3, 0, 2, 2, 10], "an alert");
    configured.reload("listen = ['tcp://127.0.0.1:0']");
    server.wait_for_log(r"New connections to 127\.0\.0\.1:\d+ use the changed settings$");
}
