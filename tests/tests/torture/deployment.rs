//! Tests of examples in docs/DEPLOY.md: HAProxy in front of two servers, and a container without other files.

use std::{
    fs::{self, Permissions},
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tests::{
    deployment::{command, find, text},
    net::Peer,
    programs::{EchoServer, Launch, Load, Output, Program, binaries},
    requirements::{self, skip_without},
    wait::wait_until,
};

/// `HAProxy` process with the configuration of the page and addresses of the test; a drop kills it.
struct Proxy {
    address: SocketAddr,
    child: Child,
    /// Standard output, to which `HAProxy` writes its log.
    log: Output,
    _directory: TempDir,
}

impl Proxy {
    fn in_front_of(servers: [SocketAddr; 2]) -> Self {
        let mut config = text("haproxy.cfg");
        let [one, other] = servers.map(|address| address.to_string());
        for (shown, replacement) in [
            // The standard input of `HAProxy` is a listening socket.
            ("bind [::]:65432 v4v6", "bind fd@0"),
            // Must fit the descriptor limit of the host.
            ("maxconn 20000", "maxconn 400"),
            ("192.0.2.11:65433", &one[..]),
            ("192.0.2.12:65433", &other[..]),
            ("check inter 5s", "check inter 200ms"),
        ] {
            assert!(config.contains(shown), "{shown} is missing in the page");
            config = config.replace(shown, replacement);
        }
        let directory = tempdir().expect("a temporary directory");
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, config).expect("the file can be written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the address of the listener");
        let mut child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::piped())
            .spawn()
            .expect("haproxy can be run");
        let log = Output::collect(child.stdout.take().expect("standard output is a pipe"));
        Self { address, child, log, _directory: directory }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server that requires a PROXY header.
fn start_server(port: u16) -> EchoServer {
    let listen = format!("tcp://127.0.0.1:{port}?proxy=required");
    Launch::new(&["--listen", &listen, "--log-messages=off"]).without_port().start()
}

/// The log names the client instead of the proxy, the health checks of the proxy succeed, and a restart of
/// one server after the other under load loses no byte.
#[test]
#[ignore = "make torture"]
fn a_rolling_restart_of_two_servers_behind_haproxy_loses_nothing() {
    if skip_without(&[requirements::haproxy()]) {
        return;
    }
    let mut servers = [0, 0].map(start_server);
    let proxy = Proxy::in_front_of([servers[0].address(), servers[1].address()]);

    let mut peer = Peer::connect_from([127, 0, 0, 2].into(), proxy.address);
    peer.exchange(b"who am I?\n");
    let named = format!("New client connected: {} (through 127.0.0.1:", peer.address());
    wait_until("a server names the client", || {
        servers.iter().any(|server| server.log().text().contains(&named))
    });
    peer.send(b"exit\n");
    peer.expect_to_end(b"Goodbye!\n");
    for server in &servers {
        server.wait_for_log(r"Client 127\.0\.0\.1:\d+ requested to exit$");
        assert!(!server.log().text().contains("unexpectedly"), "{}", server.log().text());
    }
    assert!(!proxy.log.text().contains("is DOWN"), "{}", proxy.log.text());

    let args = "--processes 2 --connections 10 --duration 6s --expect-restart";
    let load = Load::start(proxy.address, args);
    for server in &mut servers {
        let port = server.address().port();
        wait_until("the server has connections of the load test", || connected(server) > 4);
        let old = std::mem::replace(server, EchoServer::start(&[]));
        let (status, log) = old.terminate();
        assert!(status.success(), "{log}");
        *server = start_server(port);
    }
    let report = load.finish();
    report.expect_success();
    assert!(report.messages() > 1_000, "{report:?}");
}

/// Returns the number of open connections by the log. Closed health checks do not count.
fn connected(server: &EchoServer) -> usize {
    let log = server.log().text();
    log.matches("New client connected").count() - log.matches(" closed\n").count()
}

/// The image has two files. The test runs the command and the health check of the Containerfile, as its user,
/// in a root directory without other files.
#[test]
#[ignore = "make torture"]
fn the_programs_of_the_container_need_no_other_file() {
    if skip_without(&[
        requirements::static_target(),
        requirements::tool("chroot", &["/", "true"], "run the tests as root"),
    ]) {
        return;
    }
    let file = text("Containerfile");
    let root = tempdir().expect("a temporary directory");
    let programs = binaries::build_static();
    for name in ["echo-server", "echo-client"] {
        fs::copy(programs.join(name), root.path().join(name)).expect("the program can be copied");
    }
    // The user of the image needs access; a temporary directory is private to its owner.
    fs::set_permissions(root.path(), Permissions::from_mode(0o555))
        .expect("the directory is our own");
    let user = format!("--userspec={}", find(&file, "^USER (.*)$"));
    let inside = |words: &[String]| {
        let mut command = Command::new("chroot");
        command.arg(&user).arg(root.path()).args(words);
        Program::spawn(command)
    };

    // Replaces the port by any free one.
    let args = command(&file, "^CMD (.*)$").into_iter().map(|arg| arg.replace(":65432", ":0"));
    let entry = command(&file, "^ENTRYPOINT (.*)$");
    let server = inside(&entry.into_iter().chain(args).collect::<Vec<_>>());
    let started = server.stderr.wait_for_line("Echo server started on");
    let port = find(&started, r"on 0\.0\.0\.0:(\d+)$");
    let check = command(&file, r"(?s)^HEALTHCHECK [^\[]*?CMD (\[.*?\])$");
    let check = check.into_iter().map(|word| word.replace("65432", port));
    let checked = inside(&check.collect::<Vec<_>>()).finish();
    assert_eq!(checked.code(), 0, "{checked:?}");
    server.signal(signal(find(&file, "^STOPSIGNAL (.*)$")));
    let ended = server.finish();
    assert_eq!(ended.code(), 0, "{ended:?}");
}

fn signal(name: &str) -> Signal {
    match name {
        "SIGTERM" => Signal::TERM,
        "SIGINT" => Signal::INT,
        _ => panic!("{name} does not drain"),
    }
}
