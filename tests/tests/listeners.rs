//! One server, many listeners.

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
use tests::{peer::Peer, program::Program, server::EchoServer};

fn exchange(mut stream: impl Read + Write, text: &[u8], reply: &[u8]) {
    stream.write_all(text).expect("the server takes what is sent");
    let mut back = vec![0; reply.len()];
    stream.read_exact(&mut back).expect("the server replies");
    assert_eq!(String::from_utf8_lossy(&back), String::from_utf8_lossy(reply));
}

fn unix_url(path: &Path) -> String {
    format!("unix://{}", path.display())
}

/// What a server says that cannot listen there.
fn refusal(args: &[&str]) -> (i32, String) {
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
    let [v4, v6, unix] = server.addresses() else { panic!("three were asked for") };
    assert_eq!(*unix, unix_url(&path));
    exchange(TcpStream::connect(v4).expect("it listens"), b"exit\n", b"exit\n");
    exchange(TcpStream::connect(v6).expect("it listens"), b"exit\n", b"Goodbye!\n");
    exchange(
        UnixStream::connect(&path).expect("it listens"),
        b"\0\0\0\x04exit",
        b"\0\0\0\x08Goodbye!",
    );
    server.wait_for_log(r"New client connected: \[::1\]:\d+$");
    server.wait_for_log(r"New client connected: unix:///.*/echo\.sock#1$");
}

#[test]
fn a_listener_for_every_address_takes_ipv4_as_well_unless_told_not_to() {
    let both = EchoServer::start_with(&["--listen", "tcp://[::]:0"]);
    let port = both.address().port();
    let mut peer = Peer::connect(([127, 0, 0, 1], port).into());
    peer.exchange(b"IPv4\n");
    both.wait_for_log(&format!(r"Received from {}: 'IPv4'$", peer.address()));
    exchange(TcpStream::connect(("::1", port)).expect("it listens"), b"IPv6\n", b"IPv6\n");

    let only = EchoServer::start_with(&["--listen", "tcp://[::]:0?v6only=yes"]);
    let port = only.address().port();
    exchange(TcpStream::connect(("::1", port)).expect("it listens"), b"IPv6\n", b"IPv6\n");
    let refused = TcpStream::connect(("127.0.0.1", port)).expect_err("it is for IPv6 only");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_listeners_limit_is_its_own() {
    let server = EchoServer::start_with(&[
        "--listen",
        "tcp://127.0.0.1:0?max-connections=1",
        "--listen",
        "tcp://127.0.0.1:0",
    ]);
    let [small, other] = server.addresses() else { panic!("two were asked for") };
    let (small, other) = (small.parse().expect("TCP"), other.parse().expect("TCP"));
    let mut first = Peer::connect(small);
    first.exchange(b"first\n");
    let told = String::from_utf8(Peer::connect(small).rest()).expect("a refusal is text");
    assert_eq!(
        told,
        "Server is full: it serves 1 connection on this listener at most. Try again later.\r\n"
    );
    Peer::connect(other).exchange(b"there is room\n");
    first.exchange(b"still here\n");
}

#[test]
fn a_unix_socket_is_for_its_owner_and_goes_with_the_server() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    for (mode, query) in [(0o600, ""), (0o660, "?mode=660")] {
        let url = format!("{}{query}", unix_url(&path));
        let server = EchoServer::start_with(&["--listen", &url]);
        let file = fs::metadata(&path).expect("the socket is there");
        assert_eq!(file.permissions().mode() & 0o777, mode);
        let stream = UnixStream::connect(&path).expect("it listens");
        exchange(&stream, b"hello\nexit\n", b"hello\nGoodbye!\n");
        drop(stream);
        let (status, log) = server.terminate();
        assert!(status.success(), "{log}");
        assert!(!path.exists());
    }
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let url = unix_url(&path);
    let mut killed = EchoServer::start_with(&["--listen", &url]);
    killed.signal(Signal::KILL);
    let _ = killed.wait();
    assert!(path.exists(), "nobody was there to remove it");

    let server = EchoServer::start_with(&["--listen", &url]);
    let (status, said) = refusal(&["--listen", &url]);
    assert_eq!(status, 1);
    assert!(said.contains("another program listens there"), "{said}");
    exchange(UnixStream::connect(&path).expect("it listens"), b"still here\n", b"still here\n");
    drop(server);

    fs::write(dir.path().join("file"), "precious").expect("the file can be written");
    let (_, said) = refusal(&["--listen", &unix_url(&dir.path().join("file"))]);
    assert!(
        said.ends_with("the file there is not a socket; remove it, or choose another path"),
        "{said}"
    );
    let (_, said) = refusal(&["--listen", &unix_url(&dir.path().join("no/echo.sock"))]);
    assert!(said.contains("its directory is missing"), "{said}");
}

#[test]
fn who_cannot_listen_everywhere_listens_nowhere() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let other = EchoServer::start(&[]);
    let taken = format!("tcp://{}", other.address());
    let (status, said) = refusal(&["--listen", &unix_url(&path), "--listen", &taken]);
    assert_eq!(status, 1);
    assert!(said.starts_with(&format!("Error: cannot listen on {}", other.address())), "{said}");
    assert!(!path.exists(), "what was there already is taken back");
}

#[test]
fn a_socket_goes_with_the_server_whoever_may_use_it_by_then() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let server = EchoServer::start_with(&["--listen", &unix_url(&path)]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).expect("it is ours");
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(!path.exists());
}

#[test]
fn whoever_locks_the_directory_keeps_no_server_from_starting_or_leaving() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let foreign = fs::File::open(dir.path()).expect("it is ours");
    flock(&foreign, FlockOperation::LockShared).expect("nobody has locked it");
    let server = EchoServer::start_with(&["--listen", &unix_url(&path)]);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}

#[test]
fn of_servers_that_start_at_once_one_has_the_socket() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let url = unix_url(&path);
    for _ in 0..5 {
        // One that was left behind is there for all of them to find.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("the socket can be bound"));
        let start = || Program::start(tests::binaries::echo_server(), &["--listen", &url]);
        let servers: Vec<Program> = (0..4).map(|_| start()).collect();
        let (mut serving, mut refused) = (0, 0);
        for server in &servers {
            let line = server.stderr.wait_for_line("Waiting for client connections|Error: ");
            *(if line.starts_with("Error: ") { &mut refused } else { &mut serving }) += 1;
        }
        assert_eq!((serving, refused), (1, 3));
        exchange(UnixStream::connect(&path).expect("one listens"), b"hello\n", b"hello\n");
        drop(servers);
        fs::remove_file(&path).expect("who was killed has left it");
    }
}

/// The acceptor takes from each in turn, and looks for the others while one always has somebody.
#[test]
fn a_listener_that_always_has_somebody_starves_no_other() {
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
    let [flooded, quiet] = server.addresses() else { panic!("two were asked for") };
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
            // Served or refused: it is looked at.
            let mut peer = Peer::connect(quiet);
            peer.send_regardless(b"exit\n");
            let _ = peer.rest();
        }
        done.store(true, Relaxed);
    });
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}
