//! What a service manager such as systemd does for the server, and hears from it.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::PathBuf,
};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tests::{
    DEADLINE,
    peer::Peer,
    server::{EchoServer, Launch},
};

/// The end at which a service manager listens.
struct Manager {
    socket: UnixDatagram,
    dir: TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = tempdir().expect("room for a directory");
        let socket = UnixDatagram::bind(dir.path().join("notify")).expect("room for a socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("more than no time");
        Self { socket, dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("notify")
    }

    /// What it hears next.
    fn hears(&self) -> String {
        let mut said = [0; 256];
        let len = self.socket.recv(&mut said).expect("the server says something in time");
        String::from_utf8_lossy(&said[..len]).into_owned()
    }
}

fn exchange(server: &EchoServer) {
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
}

#[test]
fn a_passed_socket_is_the_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    // Who comes before the server is there waits for it.
    let mut early = Peer::connect(address);
    early.send(b"early\n");
    let server = Launch::new::<&str>(&[]).passing(listener).start();
    assert_eq!(server.addresses(), [address.to_string()]);
    early.expect(b"early\n");
    exchange(&server);
}

#[test]
fn a_passed_socket_for_datagrams_is_served() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    let server = Launch::new::<&str>(&[]).passing(socket).start();
    assert_eq!(server.addresses(), [format!("udp://{address}")]);
    let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    client.set_read_timeout(Some(DEADLINE)).expect("more than no time");
    client.send_to(b"hello", address).expect("room for a datagram");
    let mut back = [0; 8];
    let (len, from) = client.recv_from(&mut back).expect("an echo");
    assert_eq!((&back[..len], from), (&b"hello"[..], address));
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}

#[test]
fn a_passed_socket_has_the_terms_of_its_listener_and_others_are_made() {
    let dir = tempdir().expect("room for a directory");
    let path = dir.path().join("echo.sock");
    let listener = UnixListener::bind(&path).expect("room for a socket");
    let url = format!("unix://{}?max-connections=1", path.display());
    let args = ["--listen", "tcp://127.0.0.1:0", "--listen", &url];
    let server = Launch::new(&args).passing(listener).start();
    assert_eq!(server.addresses().len(), 2, "{:?}", server.addresses());
    exchange(&server);
    let _first = UnixStream::connect(&path).expect("it listens");
    let mut told = String::new();
    let mut second = UnixStream::connect(&path).expect("it listens");
    std::io::Read::read_to_string(&mut second, &mut told).expect("text");
    assert!(told.starts_with("Server is full: it serves 1 connection on this listener"), "{told}");
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(path.exists(), "whose socket it is will remove it");
}

#[test]
fn what_is_passed_and_cannot_be_served_is_refused() {
    let socket = UnixDatagram::unbound().expect("descriptors are left");
    let connection = UnixStream::pair().expect("descriptors are left").0;
    for (passed, why) in [
        (std::os::fd::OwnedFd::from(connection), "it has no path; with systemd, set Accept=no"),
        (socket.into(), "it is not a TCP, UDP or Unix stream socket"),
    ] {
        let mut command = std::process::Command::new("sh");
        command.arg("-c").arg(
            r#"exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" 2>&1 >/dev/null"#,
        );
        command.arg(tests::binaries::echo_server()).stdin(passed);
        let ended = command.output().expect("a shell");
        assert_eq!(ended.status.code(), Some(1));
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(said.starts_with("Error: cannot use inherited socket 1: "), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_service_manager_hears_what_becomes_of_the_server() {
    let manager = Manager::new();
    let file = manager.dir.path().join("echo.toml");
    fs::write(&file, "log-level = 'warning'").expect("room for a file");
    let config = file.to_str().expect("the directory has a name in UTF-8");
    let server = Launch::new(&["--config", config, "--log-level", "info"])
        .variable("NOTIFY_SOCKET", manager.path())
        .start();
    assert_eq!(manager.hears(), "READY=1\n");
    server.signal(Signal::HUP);
    let reloading = manager.hears();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.hears(), "READY=1\n");
    let _ = server.terminate();
    assert_eq!(manager.hears(), "STOPPING=1\n");
}

#[test]
fn signs_of_life_are_given_while_threads_go_round() {
    let manager = Manager::new();
    let server = Launch::new::<&str>(&[])
        .variable("NOTIFY_SOCKET", manager.path())
        .variable("WATCHDOG_USEC", "20000")
        .start();
    assert_eq!(manager.hears(), "READY=1\n");
    for _ in 0..5 {
        assert_eq!(manager.hears(), "WATCHDOG=1\n");
    }
    drop(server);
}

#[test]
fn sockets_that_were_passed_to_another_process_are_not_taken() {
    let server =
        Launch::new::<&str>(&[]).variable("LISTEN_PID", "1").variable("LISTEN_FDS", "1").start();
    exchange(&server);
}

#[test]
fn a_service_manager_that_does_not_listen_holds_nothing_up() {
    let manager = Manager::new();
    let deaf = UnixDatagram::unbound().expect("descriptors are left");
    deaf.connect(manager.path()).expect("it is bound");
    deaf.set_nonblocking(true).expect("a socket");
    while deaf.send(b"nobody reads this").is_ok() {}
    let server = Launch::new::<&str>(&[])
        .variable("NOTIFY_SOCKET", manager.path())
        .variable("WATCHDOG_USEC", "1000")
        .start();
    exchange(&server);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}

#[test]
fn a_reload_leaves_a_passed_socket_as_it_is() {
    let dir = tempdir().expect("room for a directory");
    let (path, file) = (dir.path().join("echo.sock"), dir.path().join("echo.toml"));
    let listener = UnixListener::bind(&path).expect("room for a socket");
    let settings = |query: &str| format!("listen = ['unix://{}{query}']", path.display());
    fs::write(&file, settings("")).expect("room for a file");
    let config = file.to_str().expect("the directory has a name in UTF-8");
    let server = Launch::new(&["--config", config]).passing(listener).start();
    for query in ["?mode=660&max-connections=1", ""] {
        fs::write(&file, settings(query)).expect("room for a file");
        server.signal(Signal::HUP);
        let _ = server
            .log()
            .wait_for_lines("Configuration reloaded$", 1 + usize::from(query.is_empty()));
        let stream = UnixStream::connect(&path).expect("it listens");
        drop(stream);
    }
    let (status, log) = server.terminate();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}
