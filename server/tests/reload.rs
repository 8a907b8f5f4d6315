//! A server is told something else while it runs.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpStream, UdpSocket},
    num::NonZeroU32,
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use common::{
    endpoint::{Endpoint, HostPort},
    protocol::Protocol,
};
use server::{Config, Handle, Listener, ReloadError, RunError, Server, Stats};

struct Running {
    config: Config,
    at: HostPort,
    handle: Handle,
    thread: thread::JoinHandle<Result<Stats, RunError>>,
}

impl Running {
    /// On one port of 127.0.0.1.
    fn start() -> Self {
        let mut config = Config::default();
        config.listeners = vec![Listener::tcp("127.0.0.1", 0)];
        Self::start_with(config)
    }

    /// With one listener for TCP.
    fn start_with(config: Config) -> Self {
        let server = Server::bind(config.clone()).unwrap();
        let [Endpoint::Tcp(at)] = &server.endpoints()[..] else { panic!("one was asked for") };
        let (at, handle) = (at.clone(), server.handle());
        Self { config, at, handle, thread: thread::spawn(|| server.run()) }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect((&self.at.host[..], self.at.port)).unwrap()
    }

    fn end(self) -> Stats {
        self.handle.shutdown();
        self.thread.join().unwrap().unwrap()
    }
}

fn echo(mut stream: impl Read + Write, text: &[u8]) -> Vec<u8> {
    stream.write_all(text).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).unwrap();
    back
}

#[test]
fn listeners_come_and_go_and_nobody_is_disconnected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("echo.sock");
    let server = Running::start();
    let before = server.connect();
    assert_eq!(echo(&before, b"before"), b"before");

    let mut config = server.config.clone();
    config.listeners = vec![Listener::new(Endpoint::Unix(path.clone()))];
    server.handle.reload(&config).unwrap();
    let gone = TcpStream::connect((&server.at.host[..], server.at.port));
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(echo(UnixStream::connect(&path).unwrap(), b"here now"), b"here now");
    assert_eq!(echo(&before, b"still here"), b"still here");

    config.listeners = vec![Listener::new(Endpoint::Tcp(server.at.clone()))];
    server.handle.reload(&config).unwrap();
    assert!(!path.exists(), "its file goes with the listener");
    assert_eq!(echo(server.connect(), b"back again"), b"back again");
    drop(before);
    assert_eq!(server.end().connections, 3);
}

#[test]
fn new_terms_are_for_those_who_come_later() {
    let server = Running::start();
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
    assert_eq!(server.end().connections, 2);
}

#[test]
fn a_port_is_taken_over_from_a_listener_that_goes() {
    let server = Running::start();
    let before = server.connect();
    let mut config = server.config.clone();
    config.listeners = vec![Listener::tcp("0.0.0.0", server.at.port)];
    server.handle.reload(&config).unwrap();
    assert_eq!(echo(server.connect(), b"everywhere"), b"everywhere");
    assert_eq!(echo(&before, b"still here"), b"still here");
    drop(before);
    assert_eq!(server.end().connections, 2);
}

#[test]
fn what_cannot_be_listened_on_leaves_the_rest_as_it_is() {
    let server = Running::start();
    let other = Running::start();
    let mut config = server.config.clone();
    config.listeners = vec![Listener::new(Endpoint::Tcp(other.at.clone()))];
    config.listeners.push(Listener::tcp("127.0.0.1", 0));
    let error = server.handle.reload(&config).unwrap_err();
    assert!(matches!(error, ReloadError::Unchanged(_)), "{error}");
    assert_eq!(echo(server.connect(), b"here"), b"here");
    assert_eq!(echo(other.connect(), b"there"), b"there");
    // It is tried again each time.
    let at = other.at.clone();
    assert_eq!(other.end().connections, 1);
    server.handle.reload(&config).unwrap();
    assert_eq!(echo(TcpStream::connect((&at.host[..], at.port)).unwrap(), b"there"), b"there");
    assert_eq!(server.end().connections, 2);
}

#[test]
fn udp_comes_and_goes_on_the_port_that_tcp_has() {
    // An address that nobody else has, so that the same port is free for both.
    let mut config = Config::default();
    config.listeners = vec![Listener::tcp("127.77.0.1", 0)];
    let server = Running::start_with(config);
    let udp = Endpoint::Udp(server.at.clone());
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect((&server.at.host[..], server.at.port)).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let echo = |text: &[u8]| {
        peer.send(text).unwrap();
        let mut back = [0; 64];
        peer.recv(&mut back).map(|len| back[..len].to_vec())
    };

    let mut config = server.config.clone();
    config.listeners[0].endpoint = Endpoint::Tcp(server.at.clone());
    server.handle.reload(&config).unwrap();
    config.listeners.push(Listener::new(udp));
    server.handle.reload(&config).unwrap();
    assert_eq!(echo(b"here").unwrap(), b"here");

    // The same listener, at another rate: one that it has used up.
    config.listeners[1].options.rate = NonZeroU32::new(1);
    server.handle.reload(&config).unwrap();
    let refused = || server.handle.stats().datagrams_refused > 0;
    let is_refused = (0..1_000_000).any(|_| {
        peer.send(b"too often").unwrap();
        refused()
    });
    assert!(is_refused, "there is no limit");
    config.listeners[1].options.rate = None;
    server.handle.reload(&config).unwrap();

    config.listeners.pop();
    server.handle.reload(&config).unwrap();
    // Behind the answers that it still had to give.
    let error = loop {
        match echo(b"gone?") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    server.end();
}
