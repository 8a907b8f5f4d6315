//! Tests of servers with several listeners, and of Unix sockets.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::Signal,
};
use tempfile::tempdir;
use tests::{
    net::Peer,
    programs::{EchoServer, Program},
};

fn exchange(mut stream: impl Read + Write, text: &[u8], reply: &[u8]) {
    stream.write_all(text).expect("the server reads");
    let mut back = vec![0; reply.len()];
    stream.read_exact(&mut back).expect("the server replies");
    assert_eq!(String::from_utf8_lossy(&back), String::from_utf8_lossy(reply));
}

fn unix_url(path: &Path) -> String {
    format!("unix://{}", path.display())
}

/// Runs a server that cannot listen; returns its status and its error line.
fn fail_to_start(args: &[&str]) -> (i32, String) {
    let ended = Program::run_server(args);
    (ended.code(), ended.error_line().to_owned())
}

#[test]
fn each_listener_has_its_own_address_and_protocol() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let server = EchoServer::start_with(&[
        "--protocol",
        "raw",
        "--listen",
        "tcp://127.0.0.1:0",
        "--listen",
        "tcp://[::1]:0?protocol=text",
        "--listen",
        &format!("{}?protocol=length", unix_url(&path)),
    ]);
    let [v4, v6, unix] = server.addresses() else { panic!("the server has three listeners") };
    assert_eq!(*unix, unix_url(&path));
    exchange(TcpStream::connect(v4).expect("the socket listens"), b"exit\n", b"exit\n");
    exchange(TcpStream::connect(v6).expect("the socket listens"), b"exit\n", b"Goodbye!\n");
    exchange(
        UnixStream::connect(&path).expect("the socket listens"),
        b"\0\0\0\x04exit",
        b"\0\0\0\x08Goodbye!",
    );
    server.wait_for_log(r"New client connected: \[::1\]:\d+$");
    server.wait_for_log(r"New client connected: unix:///.*/echo\.sock#1$");
}

#[test]
fn a_listener_on_the_ipv6_wildcard_accepts_ipv4_unless_v6only_is_set() {
    let both = EchoServer::start_with(&["--listen", "tcp://[::]:0"]);
    let port = both.address().port();
    let mut peer = Peer::connect(([127, 0, 0, 1], port).into());
    peer.exchange(b"IPv4\n");
    both.wait_for_log(&format!(r"Received from {}: 'IPv4'$", peer.address()));
    exchange(TcpStream::connect(("::1", port)).expect("the socket listens"), b"IPv6\n", b"IPv6\n");

    let only = EchoServer::start_with(&["--listen", "tcp://[::]:0?v6only=yes"]);
    let port = only.address().port();
    exchange(TcpStream::connect(("::1", port)).expect("the socket listens"), b"IPv6\n", b"IPv6\n");
    let refused =
        TcpStream::connect(("127.0.0.1", port)).expect_err("the listener accepts IPv6 only");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn each_listener_has_its_own_connection_limit() {
    let server = EchoServer::start_with(&[
        "--listen",
        "tcp://127.0.0.1:0?max-connections=1",
        "--listen",
        "tcp://127.0.0.1:0",
    ]);
    let [small, other] = server.addresses() else { panic!("the server has two listeners") };
    let (small, other) = (small.parse().expect("TCP"), other.parse().expect("TCP"));
    let mut first = Peer::connect(small);
    first.exchange(b"first\n");
    let refusal = String::from_utf8(Peer::connect(small).read_to_end()).expect("a refusal is text");
    assert_eq!(
        refusal,
        "Server is full: it serves 1 connection on this listener at most. Try again later.\r\n"
    );
    Peer::connect(other).exchange(b"there is room\n");
    first.exchange(b"still here\n");
}

#[test]
fn a_unix_socket_is_private_to_its_owner_and_removed_at_the_shutdown() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    for (mode, query) in [(0o600, ""), (0o660, "?mode=660")] {
        let url = format!("{}{query}", unix_url(&path));
        let server = EchoServer::start_with(&["--listen", &url]);
        let file = fs::metadata(&path).expect("the socket exists");
        assert_eq!(file.permissions().mode() & 0o777, mode);
        let stream = UnixStream::connect(&path).expect("the socket listens");
        exchange(&stream, b"hello\nexit\n", b"hello\nGoodbye!\n");
        drop(stream);
        let (status, log) = server.terminate();
        assert!(status.success(), "{log}");
        assert!(!path.exists());
    }
}

#[test]
fn replaces_a_stale_socket_but_not_one_in_use() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let url = unix_url(&path);
    let mut killed = EchoServer::start_with(&["--listen", &url]);
    killed.signal(Signal::KILL);
    let _ = killed.wait();
    assert!(path.exists(), "a killed server removed its socket");

    let server = EchoServer::start_with(&["--listen", &url]);
    let (status, error) = fail_to_start(&["--listen", &url]);
    assert_eq!(status, 1);
    assert!(error.contains("another program listens there"), "{error}");
    exchange(
        UnixStream::connect(&path).expect("the socket listens"),
        b"still here\n",
        b"still here\n",
    );
    drop(server);

    fs::write(dir.path().join("file"), "precious").expect("the file can be written");
    let (_, error) = fail_to_start(&["--listen", &unix_url(&dir.path().join("file"))]);
    assert!(
        error.ends_with("the file there is not a socket; remove it, or choose another path"),
        "{error}"
    );
    let (_, error) = fail_to_start(&["--listen", &unix_url(&dir.path().join("no/echo.sock"))]);
    assert!(error.contains("its directory is missing"), "{error}");
}

#[test]
fn opens_no_listener_if_one_cannot_be_opened() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let other = EchoServer::start(&[]);
    let taken = format!("tcp://{}", other.address());
    let (status, error) = fail_to_start(&["--listen", &unix_url(&path), "--listen", &taken]);
    assert_eq!(status, 1);
    assert!(error.starts_with(&format!("Error: cannot listen on {}", other.address())), "{error}");
    assert!(!path.exists(), "the socket that had been opened still exists");
}

#[test]
fn removes_its_socket_although_its_permissions_have_changed() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let server = EchoServer::start_with(&["--listen", &unix_url(&path)]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).expect("the socket is our own");
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(!path.exists());
}

#[test]
fn a_foreign_lock_on_the_directory_prevents_neither_start_nor_shutdown() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let foreign = fs::File::open(dir.path()).expect("the directory is our own");
    flock(&foreign, FlockOperation::LockShared).expect("the directory is not locked");
    let server = EchoServer::start_with(&["--listen", &unix_url(&path)]);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}

#[test]
fn one_of_several_servers_that_start_together_gets_the_socket() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let url = unix_url(&path);
    for _ in 0..5 {
        // All of them find a stale socket.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("the socket can be bound"));
        let start =
            || Program::start(tests::programs::binaries::echo_server(), &["--listen", &url]);
        let servers: Vec<Program> = (0..4).map(|_| start()).collect();
        let (mut serving, mut refused) = (0, 0);
        for server in &servers {
            let line = server.stderr.wait_for_line("Waiting for client connections|Error: ");
            *(if line.starts_with("Error: ") { &mut refused } else { &mut serving }) += 1;
        }
        assert_eq!((serving, refused), (1, 3));
        exchange(UnixStream::connect(&path).expect("one server listens"), b"hello\n", b"hello\n");
        drop(servers);
        fs::remove_file(&path).expect("a killed server leaves its socket");
    }
}

/// The acceptor accepts from each listener in turn, also while one always has waiting clients.
#[test]
fn a_listener_that_always_has_waiting_clients_does_not_starve_the_others() {
    let server = EchoServer::start_with(&[
        "--log-messages",
        "off",
        "--max-connections",
        "2",
        "--listen",
        "tcp://127.0.0.1:0",
        "--listen",
        "tcp://127.0.0.1:0",
    ]);
    let [flooded, quiet] = server.addresses() else { panic!("the server has two listeners") };
    let (flooded, quiet): (SocketAddr, SocketAddr) =
        (flooded.parse().expect("TCP"), quiet.parse().expect("TCP"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    drop(TcpStream::connect(flooded));
                }
            });
        }
        for _ in 0..100 {
            // The server accepts the client, whether it then serves or refuses it.
            let mut peer = Peer::connect(quiet);
            peer.try_send(b"exit\n");
            let _ = peer.read_to_end();
        }
        done.store(true, Relaxed);
    });
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}
