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

use super::{response::Response, target::Target};

/// Time at which the requests of a sample end.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::status) struct Deadline(Instant);

impl Deadline {
    pub(in crate::cli::status) fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Returns the time that is left.
    fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// Returns the body of the answer to a request for `path`, or why there is none.
pub(in crate::cli::status) fn get(
    target: &Target,
    path: &str,
    deadline: Deadline,
) -> Result<String, String> {
    let socket = connect(target, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "no connection within the time limit".to_owned()
        }
        _ => format!("cannot connect: {}", reason(&error)),
    })?;
    let response = exchange(&socket, &request(target, path), deadline);
    let body = response.map_err(|failure| match failure {
        Failure::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                "no complete answer within the time limit".to_owned()
            }
            _ => format!("the connection failed: {}", reason(&error)),
        },
        Failure::Response(why) => format!("{}: {why}", path.split('?').next().unwrap_or(path)),
    })?;
    Ok(body)
}

fn request(target: &Target, path: &str) -> String {
    let (host, version) = (target.host(), env!("CARGO_PKG_VERSION"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: echo-server-status/{version}\r\n\
         Accept: application/json\r\nConnection: close\r\n\r\n"
    )
}

/// The reason of a missing answer.
enum Failure {
    Io(io::Error),
    Response(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn exchange(socket: &Socket, request: &str, deadline: Deadline) -> Result<String, Failure> {
    let mut socket = socket;
    socket.set_write_timeout(Some(deadline.left()?))?;
    // A server that refuses the client answers, and reads nothing: its answer tells more than this error.
    let written = socket.write_all(request.as_bytes());
    let mut response = Response::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        socket.set_read_timeout(Some(deadline.left()?))?;
        let is_complete = match socket.read(&mut buffer) {
            Ok(0) => true,
            Ok(count) => response
                .receive(&buffer[..count])
                .map_err(|error| Failure::Response(error.to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
            Err(error) => return Err(written.err().unwrap_or(error).into()),
        };
        if is_complete {
            return response.body().map_err(|error| Failure::Response(error.to_string()));
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
        assert_eq!(error, "no complete answer within the time limit");
        let error = get(&target, "/status", Deadline::after(Duration::ZERO)).unwrap_err();
        assert_eq!(error, "no connection within the time limit");
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
            errors.push(get(&target, "/status", Deadline::after(SHORT)).unwrap_err());
        }
    }
}
