use super::*;
use crate::testing::LONG;
use socket2::{Domain, Socket, Type};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
};

fn target(host: &str, port: u16) -> Target {
    let endpoint = Endpoint::Tcp(HostPort { host: host.to_owned(), port });
    Target::new(endpoint, Duration::from_secs(5))
}

/// Returns a port that was free a moment ago.
fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn shows_an_address_with_colons_in_brackets() {
    assert_eq!(target("::1", 7).to_string(), "[::1]:7");
    assert_eq!(target("localhost", 7).to_string(), "localhost:7");
}

#[test]
fn tells_a_refused_connection_from_an_unknown_host() {
    let refused = target("127.0.0.1", unused_port()).connect().unwrap_err();
    assert!(matches!(refused, Error::Connect { reason: Unreachable::Refused, .. }), "{refused}");
    // RFC 6761: no name in `.invalid` has an address.
    let unknown = target("host.invalid", 7).connect().unwrap_err();
    assert!(unknown.to_string().ends_with("host.invalid:7 (unknown host)"), "{unknown}");
}

#[test]
fn tries_the_addresses_in_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap();
    let closed = SocketAddr::from(([127, 0, 0, 1], unused_port()));
    let several = [closed.into(), open.into()];
    let connected = target("several", 7).connect_to(&several, Deadline::NEVER, None).unwrap();
    assert_eq!(connected.address.as_socket(), Some(open));
}

#[test]
fn gives_a_reason_for_each_of_several_addresses() {
    let refused = SocketAddr::from(([127, 0, 0, 1], unused_port()));
    // A broadcast address accepts no connection.
    let broadcast = SocketAddr::from(([255, 255, 255, 255], 7));
    let error = |addresses: &[SockAddr]| {
        let error = target("several", 7).connect_to(addresses, Deadline::NEVER, None);
        error.unwrap_err().to_string()
    };
    let text = "Could not connect to server at several:7";
    assert_eq!(
        error(&[refused.into(), refused.into()]),
        format!("{text}\nMake sure the server is running.")
    );
    assert_eq!(
        error(&[refused.into(), broadcast.into()]),
        format!(
            "{text} ({refused}: connection refused; 255.255.255.255:7: network is unreachable)"
        )
    );
}

fn unix(path: PathBuf) -> Target {
    Target::new(Endpoint::Unix(path), Duration::from_millis(50))
}

#[test]
fn connects_to_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let stream = unix(path.clone()).connect().unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    stream.send(b"hi").unwrap();
    stream.half_close();
    let mut received = String::new();
    accepted.read_to_string(&mut received).unwrap();
    assert_eq!(received, "hi");
}

#[test]
fn tells_what_is_wrong_with_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let error = |path: PathBuf| unix(path).connect().unwrap_err().to_string();
    let path = |name: &str| directory.path().join(name);
    drop(UnixListener::bind(path("stale")).unwrap());
    std::fs::write(path("file"), "").unwrap();
    for (name, reason) in [
        ("missing", "there is no such file"),
        ("stale", "no process listens on it"),
        ("file", "no process listens on it"),
        (&"long".repeat(30)[..], "107 bytes"),
    ] {
        let error = error(path(name));
        let at = format!("Could not connect to server at unix://{}", path(name).display());
        assert!(error.starts_with(&at) && error.contains(reason), "{error}");
    }
}

#[test]
fn says_what_to_do_about_a_socket_without_permission() {
    let denied = unix("/run/echo.sock".into()).reason(io::ErrorKind::PermissionDenied.into());
    let error = unix("/run/echo.sock".into()).unreachable(denied).to_string();
    assert!(error.contains(" (permission denied)\nConnecting needs write permission"), "{error}");
}

#[test]
fn waits_for_room_in_a_full_backlog() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let waiting = unix(path.clone()).connect().unwrap();
    let late = unix(path.clone()).connect().unwrap_err().to_string();
    assert!(late.contains("no answer within 50ms"), "{late}");
    // It waits: Ctrl+C ends it.
    let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
    ctrl_c.write_all(b"!").unwrap();
    let (target, interrupt) = (unix(path.clone()), Interrupt::from(interrupted));
    let address = SockAddr::unix(&path).unwrap();
    let ended = target.connect_to(&[address], Deadline::NEVER, Some(&interrupt));
    assert!(matches!(ended, Err(Error::Interrupted)), "{ended:?}");
    let patient = Target { timeout: LONG, ..unix(path) };
    let connected = thread::spawn(move || patient.connect().map(drop));
    drop(listener.accept().unwrap());
    connected.join().unwrap().unwrap();
    drop(waiting);
}
