//! Tests of the interface to a service manager such as systemd: passed sockets and notifications.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::PathBuf,
};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tests::{
    net::Peer,
    programs::{EchoServer, Launch},
    wait::DEADLINE,
};

/// Service manager with a notification socket.
struct Manager {
    socket: UnixDatagram,
    dir: TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = tempdir().expect("a temporary directory");
        let socket =
            UnixDatagram::bind(dir.path().join("notify")).expect("the socket can be bound");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout above zero");
        Self { socket, dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("notify")
    }

    /// Returns the next notification.
    fn receive(&self) -> String {
        let mut buffer = [0; 256];
        let len = self.socket.recv(&mut buffer).expect("a notification before the deadline");
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    }
}

fn exchange(server: &EchoServer) {
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
}

#[test]
fn listens_on_a_passed_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the address of the socket");
    // A client that connects before the start of the server waits for it.
    let mut early = Peer::connect(address);
    early.send(b"early\n");
    let server = Launch::new::<&str>(&[]).inheriting(listener).start();
    assert_eq!(server.addresses(), [address.to_string()]);
    early.expect(b"early\n");
    exchange(&server);
}

#[test]
fn serves_a_passed_udp_socket() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("the address of the socket");
    let server = Launch::new::<&str>(&[]).inheriting(socket).start();
    assert_eq!(server.addresses(), [format!("udp://{address}")]);
    let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    client.set_read_timeout(Some(DEADLINE)).expect("a timeout above zero");
    client.send_to(b"hello", address).expect("the datagram can be sent");
    let mut back = [0; 8];
    let (len, from) = client.recv_from(&mut back).expect("an echo");
    assert_eq!((&back[..len], from), (&b"hello"[..], address));
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}

#[test]
fn a_passed_socket_gets_the_options_of_its_listener_and_the_server_opens_the_others() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let listener = UnixListener::bind(&path).expect("the socket can be bound");
    let url = format!("unix://{}?max-connections=1", path.display());
    let args = ["--listen", "tcp://127.0.0.1:0", "--listen", &url];
    let server = Launch::new(&args).inheriting(listener).start();
    assert_eq!(server.addresses().len(), 2, "{:?}", server.addresses());
    exchange(&server);
    let first = UnixStream::connect(&path).expect("the socket listens");
    let mut refusal = String::new();
    let mut second = UnixStream::connect(&path).expect("the socket listens");
    std::io::Read::read_to_string(&mut second, &mut refusal).expect("text");
    assert!(
        refusal.starts_with("Server is full: it serves 1 connection on this listener"),
        "{refusal}"
    );
    drop((first, second));
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(path.exists(), "the server removed a socket file of the service manager");
}

#[test]
fn refuses_a_passed_socket_that_it_cannot_serve() {
    let socket = UnixDatagram::unbound().expect("a free descriptor");
    let connection = UnixStream::pair().expect("a free descriptor").0;
    for (passed, reason) in [
        (std::os::fd::OwnedFd::from(connection), "it has no name; with systemd, set Accept=no"),
        (socket.into(), "it is not a TCP, UDP or Unix stream socket"),
    ] {
        let mut command = std::process::Command::new("sh");
        command.arg("-c").arg(
            r#"exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" 2>&1 >/dev/null"#,
        );
        command.arg(tests::programs::binaries::echo_server()).stdin(passed);
        let ended = command.output().expect("a shell");
        assert_eq!(ended.status.code(), Some(1));
        let error = String::from_utf8_lossy(&ended.stdout);
        assert!(error.starts_with("Error: cannot use inherited socket 1: "), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn notifies_the_service_manager_of_start_reload_and_stop() {
    let manager = Manager::new();
    let file = manager.dir.path().join("echo.toml");
    fs::write(&file, "log-level = 'warning'").expect("the file can be written");
    let config = file.to_str().expect("the path is UTF-8");
    let server = Launch::new(&["--config", config, "--log-level", "info"])
        .env("NOTIFY_SOCKET", manager.path())
        .start();
    assert_eq!(manager.receive(), "READY=1\n");
    server.signal(Signal::HUP);
    let reloading = manager.receive();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.receive(), "READY=1\n");
    let _ = server.terminate();
    assert_eq!(manager.receive(), "STOPPING=1\n");
}

#[test]
fn sends_watchdog_notifications_while_all_threads_respond() {
    let manager = Manager::new();
    let server = Launch::new::<&str>(&[])
        .env("NOTIFY_SOCKET", manager.path())
        .env("WATCHDOG_USEC", "20000")
        .start();
    assert_eq!(manager.receive(), "READY=1\n");
    for _ in 0..5 {
        assert_eq!(manager.receive(), "WATCHDOG=1\n");
    }
    drop(server);
}

#[test]
fn ignores_sockets_that_were_passed_to_another_process() {
    let server = Launch::new::<&str>(&[]).env("LISTEN_PID", "1");
    // A wrong number is of no concern either.
    let server = server.env("LISTEN_FDS", "2147483647").start();
    exchange(&server);
}

#[test]
fn does_not_wait_for_a_service_manager_that_does_not_read() {
    let manager = Manager::new();
    let filler = UnixDatagram::unbound().expect("a free descriptor");
    filler.connect(manager.path()).expect("the notification socket is bound");
    filler.set_nonblocking(true).expect("a socket");
    while filler.send(b"fills the queue").is_ok() {}
    let server = Launch::new::<&str>(&[])
        .env("NOTIFY_SOCKET", manager.path())
        .env("WATCHDOG_USEC", "1000")
        .start();
    exchange(&server);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}

#[test]
fn a_reload_does_not_change_a_passed_socket() {
    let dir = tempdir().expect("a temporary directory");
    let (path, file) = (dir.path().join("echo.sock"), dir.path().join("echo.toml"));
    let listener = UnixListener::bind(&path).expect("the socket can be bound");
    let settings = |query: &str| format!("listen = ['unix://{}{query}']", path.display());
    fs::write(&file, settings("")).expect("the file can be written");
    let config = file.to_str().expect("the path is UTF-8");
    let server = Launch::new(&["--config", config]).inheriting(listener).start();
    for query in ["?mode=660&max-connections=1", ""] {
        fs::write(&file, settings(query)).expect("the file can be written");
        server.signal(Signal::HUP);
        let _ = server
            .log()
            .wait_for_lines("Configuration reloaded$", 1 + usize::from(query.is_empty()));
        let stream = UnixStream::connect(&path).expect("the socket listens");
        drop(stream);
    }
    let (status, log) = server.terminate();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}
