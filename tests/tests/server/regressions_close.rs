//! Regression tests of the close of listeners and connections. Each doc comment describes the defect that the test has found or would
//! find again.

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::tempdir;
use tests::{
    net::{Peer, mock_server::unused_address},
    programs::{EchoServer, Launch},
    wait::{DEADLINE, wait_until},
};

/// Number of threads that connect while listeners close.
const CLIENTS: usize = 6;

/// Number of times that the listeners close. A close that resets clients was noticed in one round of six over TCP, in
/// one of two over a Unix socket.
const ROUNDS: usize = 20;

/// Limit on a connect: a SYN that is dropped is sent again only after a second.
const CONNECT: Duration = Duration::from_millis(100);

/// A place to connect to.
#[derive(Clone, Debug)]
enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

impl Target {
    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, CONNECT)?;
                stream.set_read_timeout(Some(DEADLINE))?;
                Box::new(stream)
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(DEADLINE))?;
                Box::new(stream)
            }
        })
    }
}

/// Phase of a round, for the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No listener is open.
    Pause,
    Connect,
    End,
}

/// Clients that connect to one target.
struct Clients<'a> {
    target: &'a Target,
    phase: Mutex<Phase>,
    changed: Condvar,
    echoes: AtomicUsize,
}

impl Clients<'_> {
    fn set(&self, phase: Phase) {
        *self.phase.lock().expect("no client panics here") = phase;
        self.changed.notify_all();
    }

    /// Exchanges one message on each of many connections. A client may be refused, and a draining server may end the
    /// stream before it echoes; a reset is a failure.
    fn run(&self) {
        loop {
            let phase = self.phase.lock().expect("no client panics here");
            let phase = self.changed.wait_while(phase, |phase| *phase == Phase::Pause);
            if *phase.expect("no client panics here") == Phase::End {
                break;
            }
            let mut stream = match self.target.connect() {
                Ok(stream) => stream,
                Err(error) => {
                    assert!(is_refusal(&error), "{:?}: connect: {error}", self.target);
                    thread::yield_now();
                    continue;
                }
            };
            let mut received = Vec::new();
            let sent = stream.write_all(b"hello\nexit\n");
            let end = sent.and_then(|()| stream.read_to_end(&mut received));
            assert!(end.is_ok(), "{:?}: {end:?} after {received:?}", self.target);
            assert!(b"hello\nGoodbye!\n".starts_with(&received), "{received:?}");
            self.echoes.fetch_add(usize::from(!received.is_empty()), SeqCst);
        }
    }
}

fn is_refusal(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, NotFound, TimedOut};
    matches!(error.kind(), ConnectionRefused | NotFound | TimedOut)
}

/// Repeatedly opens a listener and closes it while clients connect.
fn under_connecting_clients<T>(target: &Target, open: impl Fn() -> T, close: impl Fn(T)) {
    let clients = Clients {
        target,
        phase: Mutex::new(Phase::Pause),
        changed: Condvar::new(),
        echoes: AtomicUsize::new(0),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| clients.run())).collect();
        for _ in 0..ROUNDS {
            let opened = open();
            clients.set(Phase::Connect);
            let enough = clients.echoes.load(SeqCst) + 20;
            wait_until("clients have echoes", || {
                clients.echoes.load(SeqCst) >= enough
                    || threads.iter().any(ScopedJoinHandle::is_finished)
            });
            close(opened);
            clients.set(Phase::Pause);
        }
        clients.set(Phase::End);
    });
}

/// The server was started again and again on a port: the kernel reset the connections that it completed between the
/// last accept and the close of the listener.
#[test]
fn a_shutdown_resets_no_client_that_connects() {
    let address = unused_address();
    let (host, port) = (address.ip().to_string(), address.port());
    under_connecting_clients(
        &Target::Tcp(address),
        || Launch::new(&["--log-messages", "off", "--host", &host]).port(port).start(),
        |server| assert_eq!(server.terminate().0.code(), Some(0)),
    );
}

/// As above. Each connection to a Unix socket is complete at once, so more of them were reset.
#[test]
fn a_shutdown_resets_no_client_of_a_unix_socket() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let url = format!("unix://{}", path.display());
    under_connecting_clients(
        &Target::Unix(path),
        || Launch::new(&["--log-messages", "off", "--listen", &url]).without_port().start(),
        |server| assert_eq!(server.terminate().0.code(), Some(0)),
    );
}

/// As above, for listeners that a reload removes.
#[test]
fn a_reload_that_removes_a_listener_resets_no_client() {
    let dir = tempdir().expect("a temporary directory");
    let (file, path) = (dir.path().join("echo.toml"), dir.path().join("echo.sock"));
    for target in [Target::Tcp(unused_address()), Target::Unix(path)] {
        let url = match &target {
            Target::Tcp(address) => format!("tcp://{address}"),
            Target::Unix(path) => format!("unix://{}", path.display()),
        };
        write_listeners(&file, &[]);
        let file_name = file.to_str().expect("the path is UTF-8");
        let server = Launch::new(&["--config", file_name]).without_port().start();
        let reload = |others: &[&str]| {
            write_listeners(&file, others);
            server.signal(Signal::HUP);
        };
        under_connecting_clients(
            &target,
            || {
                reload(&[&url]);
                wait_until("the listener is open", || target.connect().is_ok());
            },
            |()| {
                reload(&[]);
                wait_until("the listener is closed", || target.connect().is_err());
            },
        );
        assert_eq!(server.terminate().0.code(), Some(0));
    }
}

/// Writes a configuration with a listener that stays, and others.
fn write_listeners(file: &Path, others: &[&str]) {
    let listeners = [&["tcp://127.0.0.1:0"], others].concat();
    let settings = format!("listen = {listeners:?}\nlog-messages = false\n");
    fs::write(file, settings).expect("the file can be written");
}

/// Sends lines and half-closes, and reads nothing. When the server has seen the end, it has passed the whole echo to the
/// system.
fn half_close_without_reading(server: &EchoServer) -> (Peer, Vec<u8>) {
    let peer = server.connect();
    // More than the receive buffer of a peer that does not read.
    let bytes = [&[b'x'; 1023][..], b"\n"].concat().repeat(400);
    let sending = peer.send_and_half_close_in_background(bytes.clone());
    sending.join().expect("the sender does not panic").expect("the server reads");
    server.wait_for_log(&format!("Client {} disconnected unexpectedly", peer.address()));
    (peer, bytes)
}

/// The server closed the socket when it had passed the whole echo to the system. If TCP is out of memory, Linux discards
/// what it has not sent for a closed socket, and resets the connection: the end of the echo was lost.
#[test]
fn a_connection_closes_when_the_peer_has_acknowledged_its_echo() {
    let server = EchoServer::start(&["--workers", "1"]);
    let (mut peer, echo) = half_close_without_reading(&server);
    let closed = format!("Connection with {} closed", peer.address());
    // The worker logs in order.
    server.connect().exchange(b"later\n");
    server.wait_for_log("Echoed to .*: 'later'");
    assert!(!server.log().text().contains(&closed));
    peer.expect_to_end(&echo);
    server.wait_for_log(&closed);
}

/// Clients that no worker had taken at the end of a drain were reset without a line in the log.
#[test]
fn each_client_that_a_drain_cuts_off_has_a_line() {
    let args = ["--drain-timeout", "0s", "--workers", "1", "--log-level", "debug"];
    let server = EchoServer::start(&args);
    server.pause();
    // More than the dispatch queue holds; the kernel completes the connections without the server.
    let peers: Vec<Peer> = (0..1200).map(|_| server.connect()).collect();
    server.signal(Signal::TERM);
    server.resume();
    let (_, log) = server.wait_with_log();
    let named = peers.iter().filter(|peer| log.contains(&peer.address().to_string())).count();
    assert!(named > 0, "{log}");
    let mentions_backlog = log.contains("The clients in the backlog of 127.0.0.1:");
    assert!(named == peers.len() || mentions_backlog, "{named} clients are named: {log}");
}
