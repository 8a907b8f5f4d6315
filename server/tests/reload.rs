//! Reload: a running server receives another configuration.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    num::NonZeroU32,
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use common::{
    endpoint::{Endpoint, HostPort},
    protocol::Protocol,
};
use server::{Config, Handle, Listener, ListenerError, ReloadError, RunError, Server, Stats};

/// A server that runs in a thread.
struct RunningServer {
    config: Config,
    addr: HostPort,
    handle: Handle,
    thread: thread::JoinHandle<Result<Stats, RunError>>,
}

impl RunningServer {
    /// Starts a server with one TCP listener on a free port of 127.0.0.1.
    fn start() -> Self {
        let mut config = Config::default();
        config.listeners = vec![Listener::tcp("127.0.0.1", 0)];
        Self::start_with(config)
    }

    /// Starts a server whose only listener is a TCP listener.
    fn start_with(config: Config) -> Self {
        let server = Server::bind(config.clone()).unwrap();
        let [Endpoint::Tcp(addr)] = &server.endpoints()[..] else {
            panic!("the server has one TCP listener")
        };
        let (addr, handle) = (addr.clone(), server.handle());
        Self { config, addr, handle, thread: thread::spawn(|| server.run()) }
    }

    /// Starts a server on 127.0.0.1, at a port that no program uses at another address of this machine either.
    fn start_at_a_port_without_other_sockets() -> Self {
        loop {
            let probe = TcpListener::bind("0.0.0.0:0").unwrap();
            let port = probe.local_addr().unwrap().port();
            drop(probe);
            let mut config = Config::default();
            config.listeners = vec![Listener::tcp("127.0.0.1", port)];
            // Another program may have taken the port meanwhile.
            if Server::bind(config.clone()).is_ok() {
                return Self::start_with(config);
            }
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect((&self.addr.host[..], self.addr.port)).unwrap()
    }

    fn shut_down(self) -> Stats {
        self.handle.shutdown();
        self.thread.join().unwrap().unwrap()
    }
}

fn echo(mut stream: impl Read + Write, text: &[u8]) -> Vec<u8> {
    stream.write_all(text).unwrap();
    let mut reply = vec![0; text.len()];
    stream.read_exact(&mut reply).unwrap();
    reply
}

#[test]
fn a_reload_opens_and_closes_listeners_and_disconnects_no_client() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("echo.sock");
    let server = RunningServer::start();
    let before = server.connect();
    assert_eq!(echo(&before, b"before"), b"before");

    let mut config = server.config.clone();
    config.listeners = vec![Listener::new(Endpoint::Unix(path.clone()))];
    server.handle.reload(&config).unwrap();
    let refused = TcpStream::connect((&server.addr.host[..], server.addr.port));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(echo(UnixStream::connect(&path).unwrap(), b"new listener"), b"new listener");
    assert_eq!(echo(&before, b"still connected"), b"still connected");

    config.listeners = vec![Listener::new(Endpoint::Tcp(server.addr.clone()))];
    server.handle.reload(&config).unwrap();
    assert!(!path.exists(), "the file of a closed listener is removed");
    assert_eq!(echo(server.connect(), b"open again"), b"open again");
    drop(before);
    assert_eq!(server.shut_down().connections, 3);
}

#[test]
fn changed_options_apply_to_new_connections() {
    let server = RunningServer::start();
    let mut text = server.connect();
    assert_eq!(echo(&text, b"hello\n"), b"hello\n");

    let mut config = server.config.clone();
    config.listeners[0].options.protocol = Protocol::Raw;
    config.listeners[0].options.max_connections = Some(2);
    server.handle.reload(&config).unwrap();
    let raw = server.connect();
    assert_eq!(echo(&raw, b"exit\n"), b"exit\n");
    text.write_all(b"exit\n").unwrap();
    let mut reply = [0; 9];
    text.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"Goodbye!\n");

    drop((text, raw));
    assert_eq!(server.shut_down().connections, 2);
}

/// The new listener has the same address in its IPv6 form. All addresses, `0.0.0.0`, would need a port that no other
/// program uses at any address of this machine.
#[test]
fn a_new_listener_takes_over_the_port_of_a_closed_one() {
    let server = RunningServer::start();
    let before = server.connect();
    let mut config = server.config.clone();
    config.listeners = vec![Listener::tcp("::ffff:127.0.0.1", server.addr.port)];
    let reloaded = server.handle.reload(&config).unwrap();
    assert!(reloaded.failed.is_empty(), "{reloaded:?}");
    assert_eq!(echo(server.connect(), b"taken over"), b"taken over");
    assert_eq!(echo(&before, b"still connected"), b"still connected");
    drop(before);
    assert_eq!(server.shut_down().connections, 2);
}

#[test]
fn a_listener_that_cannot_be_bound_leaves_everything_unchanged() {
    let server = RunningServer::start();
    let other = RunningServer::start();
    let mut config = server.config.clone();
    config.listeners = vec![Listener::new(Endpoint::Tcp(other.addr.clone()))];
    config.listeners.push(Listener::tcp("127.0.0.1", 0));
    let error = server.handle.reload(&config).unwrap_err();
    assert!(matches!(error, ReloadError::Bind(_)), "{error}");
    assert_eq!(echo(server.connect(), b"first server"), b"first server");
    assert_eq!(echo(other.connect(), b"second server"), b"second server");
    // Each reload tries again.
    let addr = other.addr.clone();
    assert_eq!(other.shut_down().connections, 1);
    server.handle.reload(&config).unwrap();
    assert_eq!(
        echo(TcpStream::connect((&addr.host[..], addr.port)).unwrap(), b"taken over"),
        b"taken over"
    );
    assert_eq!(server.shut_down().connections, 2);
}

#[test]
fn a_udp_listener_opens_and_closes_on_the_port_of_a_tcp_listener() {
    // No other program uses this address, so the same port is free for both.
    let mut config = Config::default();
    config.listeners = vec![Listener::tcp("127.77.0.1", 0)];
    let server = RunningServer::start_with(config);
    let udp = Endpoint::Udp(server.addr.clone());
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect((&server.addr.host[..], server.addr.port)).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let echo = |text: &[u8]| {
        peer.send(text).unwrap();
        let mut reply = [0; 64];
        peer.recv(&mut reply).map(|len| reply[..len].to_vec())
    };

    let mut config = server.config.clone();
    config.listeners[0].endpoint = Endpoint::Tcp(server.addr.clone());
    server.handle.reload(&config).unwrap();
    config.listeners.push(Listener::new(udp));
    server.handle.reload(&config).unwrap();
    assert_eq!(echo(b"open").unwrap(), b"open");

    // A lower rate applies to the open listener: the peer exceeds it.
    config.listeners[1].options.rate = NonZeroU32::new(1);
    server.handle.reload(&config).unwrap();
    let refused = || server.handle.stats().datagrams_refused > 0;
    let is_refused = (0..1_000_000).any(|_| {
        peer.send(b"too often").unwrap();
        refused()
    });
    assert!(is_refused, "the rate is not limited");
    config.listeners[1].options.rate = None;
    server.handle.reload(&config).unwrap();

    config.listeners.pop();
    server.handle.reload(&config).unwrap();
    // Answers to earlier datagrams may precede the error.
    let error = loop {
        match echo(b"closed?") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    server.shut_down();
}

#[test]
fn a_listener_that_fails_after_the_others_changed_is_reported_and_tried_again() {
    let server = RunningServer::start_at_a_port_without_other_sockets();
    // The wildcard address needs the port of the listener that closes, and another socket has it as well.
    let port = server.addr.port;
    let blocking = TcpListener::bind(("127.0.0.2", port)).unwrap();
    let mut config = server.config.clone();
    config.listeners = vec![Listener::tcp("0.0.0.0", port)];
    let reloaded = server.handle.reload(&config).unwrap();
    assert!(matches!(&reloaded.failed[..], [ListenerError::Bind(_)]), "{reloaded:?}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "its listener is closed");
    drop(blocking);
    let reloaded = server.handle.reload(&config).unwrap();
    assert!(reloaded.failed.is_empty(), "{reloaded:?}");
    assert_eq!(echo(server.connect(), b"opened"), b"opened");
    assert_eq!(server.shut_down().connections, 1);
}

#[test]
fn a_reload_restores_the_missing_file_of_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let server = RunningServer::start();
    let mut config = server.config.clone();
    config.listeners.push(Listener::new(Endpoint::Unix(path.clone())));
    server.handle.reload(&config).unwrap();
    let before = UnixStream::connect(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    server.handle.reload(&config).unwrap();
    assert_eq!(echo(UnixStream::connect(&path).unwrap(), b"restored"), b"restored");
    assert_eq!(echo(&before, b"still connected"), b"still connected");
    drop(before);
    assert_eq!(server.shut_down().connections, 2);
    assert!(!path.exists());
}

#[test]
fn a_server_that_shuts_down_refuses_a_reload_and_opens_no_socket() {
    let server = RunningServer::start();
    let client = server.connect();
    let (handle, mut config) = (server.handle.clone(), server.config.clone());
    config
        .listeners
        .push(Listener::new(Endpoint::Udp(HostPort { host: "127.0.0.1".to_owned(), port: 0 })));
    handle.shutdown();
    assert!(matches!(handle.reload(&config), Err(ReloadError::ShuttingDown)));
    drop(client);
    server.shut_down();
    assert!(matches!(handle.reload(&config), Err(ReloadError::ShuttingDown)));
}

#[test]
fn an_ended_server_leaves_no_socket_bound_while_its_handle_lives() {
    let mut config = Config::default();
    config.listeners = vec![
        Listener::tcp("127.0.0.1", 0),
        Listener::new(Endpoint::Udp(HostPort { host: "127.0.0.1".to_owned(), port: 0 })),
    ];
    let server = Server::bind(config).unwrap();
    let (endpoints, handle) = (server.endpoints(), server.handle());
    let running = thread::spawn(|| server.run());
    handle.shutdown();
    running.join().unwrap().unwrap();
    for endpoint in endpoints {
        match endpoint {
            Endpoint::Tcp(at) => {
                drop(TcpListener::bind((&at.host[..], at.port)).unwrap());
            }
            Endpoint::Udp(at) => drop(UdpSocket::bind((&at.host[..], at.port)).unwrap()),
            Endpoint::Unix(_) | Endpoint::Abstract(_) => {
                unreachable!("no Unix socket is configured")
            }
        }
    }
    drop(handle);
}
