//! What docs/DEPLOY.md shows, run: a proxy in front, and a file system with nothing but the programs.

use std::{
    fs::{self, Permissions},
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tests::{
    binaries,
    deployment::{command, find, text},
    load::Load,
    needs::{self, lacks},
    output::Output,
    peer::Peer,
    procfs::look_until,
    program::Program,
    server::{EchoServer, Launch},
};

/// `HAProxy` with the configuration that the page shows, at addresses of ours; it is killed when this is
/// dropped.
struct Proxy {
    address: SocketAddr,
    child: Child,
    /// Its log is on standard output.
    said: Output,
    _directory: TempDir,
}

impl Proxy {
    fn before(servers: [SocketAddr; 2]) -> Self {
        let shown = text("haproxy.cfg");
        let [one, other] = servers.map(|address| address.to_string());
        let mut config = shown.clone();
        for (shown, ours) in [
            // Its standard input is a socket that listens already.
            ("bind [::]:65432 v4v6", "bind fd@0"),
            // What a limit on descriptors may be that is not ours to raise.
            ("maxconn 20000", "maxconn 400"),
            ("192.0.2.11:65433", &one[..]),
            ("192.0.2.12:65433", &other[..]),
            ("check inter 5s", "check inter 200ms"),
        ] {
            assert!(config.contains(shown), "no {shown}");
            config = config.replace(shown, ours);
        }
        let directory = tempdir().expect("room for a directory");
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, config).expect("room for a file");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has one");
        let mut child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was asked for");
        let said = Output::collect(child.stdout.take().expect("it is piped"));
        Self { address, child, said, _directory: directory }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn behind_a_proxy(port: u16) -> EchoServer {
    let listen = format!("tcp://127.0.0.1:{port}?proxy=required");
    Launch::new(&["--listen", &listen, "--log-messages=off"]).listening().start()
}

/// Behind a proxy the log names the client itself, a check is answered by a worker, and servers that are
/// restarted one after the other under load cost no byte.
#[test]
#[ignore = "make torture"]
fn haproxy_in_front_of_two_servers_that_are_restarted_loses_nothing() {
    if lacks(&[needs::program("haproxy", &["-v"])]) {
        return;
    }
    let mut servers = [0, 0].map(behind_a_proxy);
    let proxy = Proxy::before([servers[0].address(), servers[1].address()]);

    let mut peer = Peer::connect_from([127, 0, 0, 2].into(), proxy.address);
    peer.exchange(b"who am I?\n");
    let named = format!("New client connected: {} (through 127.0.0.1:", peer.address());
    look_until("a server names the client", || {
        servers.iter().any(|server| server.log().text().contains(&named))
    });
    peer.send(b"exit\n");
    peer.expect_rest(b"Goodbye!\n");
    for server in &servers {
        server.wait_for_log(r"Client 127\.0\.0\.1:\d+ requested to exit$");
        assert!(!server.log().text().contains("unexpectedly"), "{}", server.log().text());
    }
    assert!(!proxy.said.text().contains("is DOWN"), "{}", proxy.said.text());

    let args = "--processes 2 --connections 10 --duration 6s --expect-restart";
    let load = Load::start(proxy.address, args);
    for server in &mut servers {
        let port = server.address().port();
        look_until("some of the load's clients are its own", || connected(server) > 4);
        let old = std::mem::replace(server, EchoServer::start(&[]));
        let (status, log) = old.terminate();
        assert!(status.success(), "{log}");
        *server = behind_a_proxy(port);
    }
    let report = load.finish();
    report.expect_well();
    assert!(report.messages() > 1_000, "{report:?}");
}

/// How many clients it has, who stay: a check is gone again.
fn connected(server: &EchoServer) -> usize {
    let log = server.log().text();
    log.matches("New client connected").count() - log.matches(" closed\n").count()
}

/// The image has two files. Its command and its health check are run as they stand in the Containerfile, by its
/// user, where there is nothing else.
#[test]
#[ignore = "make torture"]
fn the_containers_programs_need_no_other_file() {
    if lacks(&[needs::static_target(), needs::program("chroot", &["/", "true"])]) {
        return;
    }
    let file = text("Containerfile");
    let root = tempdir().expect("room for a directory");
    let programs = binaries::linked_statically();
    for name in ["echo-server", "echo-client"] {
        fs::copy(programs.join(name), root.path().join(name)).expect("room for a program");
    }
    // Its user is to reach it; a temporary directory is its owner's only.
    fs::set_permissions(root.path(), Permissions::from_mode(0o555)).expect("it is ours");
    let user = format!("--userspec={}", find(&file, "^USER (.*)$"));
    let inside = |words: &[String]| {
        let mut command = Command::new("chroot");
        command.arg(&user).arg(root.path()).args(words);
        Program::spawn(command)
    };

    // On any free port.
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
