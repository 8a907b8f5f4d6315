//! From an endpoint to a connection.
//!
//! Owns name resolution and the tries at each address, within one time limit. Must not know what
//! the connection is for.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    os::fd::OwnedFd,
    sync::mpsc,
    thread,
    time::Duration,
};

use common::endpoint::{Endpoint, HostPort};
use rustix::event::{PollFd, PollFlags};
use socket2::{SockAddr, Socket, Type};

use crate::{
    error::{Error, Unreachable},
    link::Link,
    wait::{Deadline, Interrupt, wait},
};

/// Where the server is, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where; a port is not zero.
    pub endpoint: Endpoint,
    /// How long connecting may take, and each reply.
    pub timeout: Duration,
}

impl fmt::Display for Target {
    /// `HOST:PORT`, as in the original, where it is TCP; the URL otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp(at) => at.fmt(f),
            endpoint => endpoint.fmt(f),
        }
    }
}

impl Target {
    /// Finds the endpoint's addresses and connects to the first that answers: a stream, so not for UDP.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`]
    pub fn connect(&self) -> Result<Link<'static>, Error> {
        let deadline = Deadline::after(self.timeout);
        let addresses = self.resolve(deadline)?;
        self.connect_to(&addresses, deadline, None).map(|(link, _)| link)
    }

    /// The endpoint's addresses, at least one: those of a host, or a path.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`]: the name is unknown, the answer did not come in time, the path is too long.
    pub fn resolve(&self, deadline: Deadline) -> Result<Vec<SockAddr>, Error> {
        match &self.endpoint {
            Endpoint::Tcp(at) | Endpoint::Udp(at) => {
                Ok(self.look_up(at, deadline)?.into_iter().map(SockAddr::from).collect())
            }
            Endpoint::Unix(path) => match SockAddr::unix(path) {
                Ok(address) => Ok(vec![address]),
                Err(error) => Err(self.unreachable(Unreachable::Io(error))),
            },
        }
    }

    fn look_up(&self, at: &HostPort, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = at.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, at.port)]);
        }
        // The system's resolver knows no deadline, so it gets a thread that nobody need wait for.
        let (answer, answered) = mpsc::channel();
        let name = (at.host.clone(), at.port);
        thread::spawn(move || answer.send(name.to_socket_addrs().map(Vec::from_iter)));
        let addresses = match deadline.left() {
            Some(left) => answered.recv_timeout(left).ok(),
            None => answered.recv().ok(),
        };
        match addresses {
            Some(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Some(_) => Err(self.unreachable(Unreachable::UnknownHost)),
            None => Err(self.unreachable(Unreachable::NoAnswer(self.timeout))),
        }
    }

    /// Connects to the first of these addresses that answers; also says which.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] with what the last address said, [`Error::Interrupted`].
    pub fn connect_to<'i>(
        &self,
        addresses: &[SockAddr],
        deadline: Deadline,
        interrupt: Option<&'i Interrupt>,
    ) -> Result<(Link<'i>, SockAddr), Error> {
        let mut reason = Unreachable::UnknownHost;
        for (at, address) in addresses.iter().enumerate() {
            // An address that never answers leaves the others their share of the time.
            let others = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            let share =
                deadline.left().map_or(Deadline::NEVER, |left| Deadline::after(left / others));
            match open(address, share, interrupt) {
                Ok(Some(socket)) => {
                    let link = Link::new(socket, self.timeout).interrupted_by(interrupt);
                    return Ok((link, address.clone()));
                }
                Ok(None) => return Err(Error::Interrupted),
                Err(error) => reason = self.reason(error),
            }
        }
        Err(self.unreachable(reason))
    }

    fn reason(&self, error: io::Error) -> Unreachable {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Unreachable::Refused,
            io::ErrorKind::TimedOut => Unreachable::NoAnswer(self.timeout),
            _ => Unreachable::Io(error),
        }
    }

    /// The error of a server that cannot be reached for this reason.
    #[must_use]
    pub fn unreachable(&self, reason: Unreachable) -> Error {
        Error::Connect { target: self.to_string(), reason }
    }
}

/// One connection to one address; `None` if it was interrupted.
fn open(
    address: &SockAddr,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> io::Result<Option<OwnedFd>> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if !address.is_unix() {
        // A message is small and complete: it shall not wait for the next.
        socket.set_tcp_nodelay(true)?;
    }
    // Not connected yet is no failure: how it went is known when the socket becomes writable.
    match socket.connect(address) {
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        other => return other.map(|()| Some(socket.into())),
    }
    let mut fds = vec![PollFd::new(&socket, PollFlags::OUT)];
    fds.extend(interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
    wait(&mut fds, deadline)?;
    let events: Vec<_> = fds.iter().map(PollFd::revents).collect();
    if events[1..].iter().any(|interrupt| !interrupt.is_empty()) {
        Ok(None)
    } else if events[0].is_empty() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        socket.take_error()?.map_or_else(|| Ok(Some(socket.into())), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn target(host: &str, port: u16) -> Target {
        let endpoint = Endpoint::Tcp(HostPort { host: host.to_owned(), port });
        Target { endpoint, timeout: Duration::from_secs(5) }
    }

    /// A port that was free a moment ago.
    fn silent_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn an_address_with_colons_is_shown_in_brackets() {
        assert_eq!(target("::1", 7).to_string(), "[::1]:7");
        assert_eq!(target("localhost", 7).to_string(), "localhost:7");
    }

    #[test]
    fn refused_and_unknown_are_told_apart() {
        let refused = target("127.0.0.1", silent_port()).connect().unwrap_err();
        assert!(
            matches!(refused, Error::Connect { reason: Unreachable::Refused, .. }),
            "{refused}"
        );
        // RFC 6761: no resolver ever finds a name in `.invalid`.
        let unknown = target("nobody.invalid", 7).connect().unwrap_err();
        assert!(unknown.to_string().ends_with("nobody.invalid:7 (unknown host)"), "{unknown}");
    }

    #[test]
    fn addresses_are_tried_in_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let not_there = SocketAddr::from(([127, 0, 0, 1], silent_port()));
        let several = [not_there.into(), there.into()];
        let (_, address) =
            target("several", 7).connect_to(&several, Deadline::NEVER, None).unwrap();
        assert_eq!(address.as_socket(), Some(there));
    }
}
