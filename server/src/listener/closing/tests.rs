//! Tests with real sockets: the kernel is what is tested.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    os::{fd::AsFd, unix::net::UnixStream},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockAddr, SockFilter, SockRef, Socket, Type};

use super::{Handshakes, accept_handshakes, refuse::refuse_handshakes};
use crate::listener::{
    listening_socket::{ListeningSocket, UnixListeningSocket},
    socket_file::SocketFile,
};

/// A filter that accepts nothing.
const DROP_ALL: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];

fn listen(address: &str) -> (ListeningSocket, SocketAddr) {
    let listener = TcpListener::bind(address).expect("a port is free");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("it is bound");
    (ListeningSocket::Tcp(mio::net::TcpListener::from_std(listener)), address)
}

/// Begins a handshake, which the client continues in the background.
fn begin_connect(address: SocketAddr, filter: Option<&[SockFilter]>) -> Socket {
    let client = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    client.set_nonblocking(true).expect("a socket");
    if let Some(filter) = filter {
        client.attach_filter(filter).expect("the kernel supports socket filters");
    }
    if let Err(error) = client.connect(&address.into()) {
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::INPROGRESS.raw_os_error()));
    }
    client
}

fn is_ready(socket: &impl AsFd, events: PollFlags, timeout: Option<&Timespec>) -> bool {
    let mut polled = [PollFd::new(socket, events)];
    poll(&mut polled, timeout).expect("a socket can be polled") > 0
}

fn accept(listener: &mut ListeningSocket) -> io::Result<impl AsFd> {
    listener.accept().map(|(stream, _)| stream)
}

/// Waits until the backlog has a connection. A client may see the end of its handshake before the system does.
fn wait_for_client(listener: &ListeningSocket) {
    while !listener.is_readable() {
        std::thread::yield_now();
    }
}

/// Accepts a connection that is still to come.
fn wait_and_accept(listener: &mut ListeningSocket) -> impl AsFd + use<> {
    wait_for_client(listener);
    listener.accept().expect("a connection is in the backlog").0
}

#[test]
fn a_closing_tcp_listener_keeps_its_backlog_and_ignores_new_clients() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut listener, address) = listen(address);
        let early = begin_connect(address, None);
        assert!(is_ready(&early, PollFlags::OUT, None));
        wait_for_client(&listener);
        refuse_handshakes(&listener).expect("the kernel supports socket filters");
        let late = begin_connect(address, None);
        drop(accept(&mut listener).expect("the early client is in the backlog"));
        let empty = accept(&mut listener).err().expect("nobody else is");
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        assert!(!is_ready(&late, PollFlags::OUT, Some(&Timespec::default())));
        // The client sends its SYN again.
        let ListeningSocket::Tcp(open) = &listener else { panic!("it is a TCP listener") };
        accept_handshakes(open);
        drop(wait_and_accept(&mut listener));
        assert!(is_ready(&late, PollFlags::OUT, None));
    }
}

#[test]
fn a_handshake_in_progress_is_known_and_can_end_with_a_closing_listener() {
    for (address, with_ipv6) in [("127.0.0.1:0", false), ("[::1]:0", true)] {
        let (mut listener, address) = listen(address);
        let has_handshake = || {
            let handshakes = Handshakes::in_progress(with_ipv6);
            handshakes.expect("the kernel has sock_diag").contains(address.port())
        };
        assert!(!has_handshake());
        // The client does not see the answer to its SYN.
        let client = begin_connect(address, Some(&DROP_ALL));
        while !has_handshake() {
            std::thread::yield_now();
        }
        refuse_handshakes(&listener).expect("the kernel supports socket filters");
        client.detach_filter().expect("it has a filter");
        let accepted = wait_and_accept(&mut listener);
        assert!(is_ready(&client, PollFlags::OUT, None));
        assert!(!has_handshake());
        // A connection does not keep the filter that it inherits.
        accept_handshakes(&accepted);
        SockRef::from(&accepted).detach_filter().expect_err("it has no filter");
    }
}

#[test]
fn a_closing_unix_listener_keeps_its_backlog_and_refuses_new_clients() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let (socket, file) = SocketFile::listen(&path, 0o600).expect("it can be bound");
    socket.set_nonblocking(true).expect("a socket");
    let listener = mio::net::UnixListener::from_std(socket.into());
    let name = "unix".into();
    let unix = UnixListeningSocket { file: Some(file), listener, name, accepted: 0 };
    let mut listener = ListeningSocket::Unix(unix);
    let early = UnixStream::connect(&path).expect("it listens");
    refuse_handshakes(&listener).expect("a listening socket");
    let late = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    let refused = late.connect(&SockAddr::unix(&path).expect("a short path")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    drop(accept(&mut listener).expect("the early client is in the backlog"));
    let empty = accept(&mut listener).err().expect("nobody else is");
    assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    drop(early);
}
