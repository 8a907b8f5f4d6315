//! A request and its answer over a socket, until a deadline.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use common::{
    endpoint::{Endpoint, HostPort},
    reason::reason,
};
use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;

use super::{
    response::{Response, ResponseError, refusal_reason},
    target::Target,
};

/// Time at which the requests of a sample end.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Deadline(Instant);

impl Deadline {
    pub(in crate::cli) fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Returns the time that is left.
    fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// A request. One that only reads has no body.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Request<'a> {
    pub(in crate::cli) method: &'static str,
    /// The path with its query.
    pub(in crate::cli) path: &'a str,
    pub(in crate::cli) body: &'a str,
}

/// The reason of a missing answer.
#[derive(Debug, Error)]
pub(in crate::cli) enum Failure {
    #[error("no connection within the time limit")]
    ConnectTimeout,
    #[error("cannot connect: {}", reason(.0))]
    Connect(io::Error),
    #[error("no complete answer within the time limit")]
    Timeout,
    #[error("the connection failed: {}", reason(.0))]
    Io(io::Error),
    #[error("{0}: {1}")]
    Response(String, ResponseError),
}

impl Failure {
    /// Returns the reason of a server that answered with another status than 200.
    pub(in crate::cli) fn refusal(&self) -> Option<String> {
        match self {
            Self::Response(_, ResponseError::Refused(_, text)) => Some(refusal_reason(text)),
            _ => None,
        }
    }
}

/// Returns the body of the answer to a request for `path`, or why there is none.
pub(in crate::cli) fn get(
    target: &Target,
    path: &str,
    deadline: Deadline,
) -> Result<String, Failure> {
    send(target, Request { method: "GET", path, body: "" }, deadline)
}

/// Returns the body of the answer to a request, or why there is none.
pub(in crate::cli) fn send(
    target: &Target,
    request: Request<'_>,
    deadline: Deadline,
) -> Result<String, Failure> {
    let is_late = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
    };
    let socket = connect(target, deadline).map_err(|error| {
        if is_late(&error) { Failure::ConnectTimeout } else { Failure::Connect(error) }
    })?;
    let response = exchange(&socket, &text(target, request), deadline)
        .map_err(|error| if is_late(&error) { Failure::Timeout } else { Failure::Io(error) })?;
    let path = request.path.split('?').next().unwrap_or_default();
    response.and_then(Response::body).map_err(|error| Failure::Response(path.to_owned(), error))
}

fn text(target: &Target, Request { method, path, body }: Request<'_>) -> String {
    let (host, version) = (target.host(), env!("CARGO_PKG_VERSION"));
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: text/plain\r\nContent-Length: {length}\r\n"),
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: echo-server/{version}\r\n\
         Accept: application/json\r\nConnection: close\r\n{length}\r\n{body}"
    )
}

/// Sends a request, and receives the response up to its end.
fn exchange(
    socket: &Socket,
    request: &str,
    deadline: Deadline,
) -> io::Result<Result<Response, ResponseError>> {
    let mut socket = socket;
    socket.set_write_timeout(Some(deadline.left()?))?;
    // A server that refuses the client answers, and reads nothing: its answer tells more than this error.
    let written = socket.write_all(request.as_bytes());
    let mut response = Response::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        socket.set_read_timeout(Some(deadline.left()?))?;
        let is_complete = match socket.read(&mut buffer) {
            Ok(0) => Ok(true),
            Ok(count) => response.receive(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => return Err(written.err().unwrap_or(error)),
        };
        match is_complete {
            Ok(false) => {}
            Ok(true) => return Ok(Ok(response)),
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn connect(target: &Target, deadline: Deadline) -> io::Result<Socket> {
    match &target.0 {
        Endpoint::Tcp(at) => connect_tcp(at, deadline),
        socket => {
            let name = socket.socket_name().unwrap_or_default();
            let address = SockAddr::unix(name)?;
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            // It also limits the wait for a place in the backlog.
            socket.set_write_timeout(Some(deadline.left()?))?;
            while let Err(error) = socket.connect(&address) {
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            Ok(socket)
        }
    }
}

/// Connects to the first address of a host that accepts.
fn connect_tcp(at: &HostPort, deadline: Deadline) -> io::Result<Socket> {
    let mut failure = io::Error::other("the host has no address");
    for address in (&at.host[..], at.port).to_socket_addrs()? {
        match connect_address(address, deadline) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn connect_address(address: SocketAddr, deadline: Deadline) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.connect_timeout(&address.into(), deadline.left()?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener},
        os::unix::net::UnixListener,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    /// Nobody answers: the backlog of the listener has the connection.
    #[test]
    fn an_answer_that_does_not_come_is_given_up_at_the_deadline() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = Target::parse(&url).unwrap();
        let error = get(&target, "/status", Deadline::after(SHORT)).unwrap_err();
        assert_eq!(error.to_string(), "no complete answer within the time limit");
        let error = get(&target, "/status", Deadline::after(Duration::ZERO)).unwrap_err();
        assert_eq!(error.to_string(), "no connection within the time limit");
    }

    #[test]
    fn a_unix_socket_with_a_full_backlog_is_given_up_at_the_deadline() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        // The backlog of the standard library is longer than the test needs.
        rustix::net::listen(&listener, 0).unwrap();
        let target = Target::parse(&format!("unix://{}", path.display())).unwrap();
        let mut errors = Vec::new();
        while errors.last().is_none_or(|last| last != "no connection within the time limit") {
            assert!(errors.len() < 10, "{errors:?}");
            errors.push(get(&target, "/status", Deadline::after(SHORT)).unwrap_err().to_string());
        }
    }
}
