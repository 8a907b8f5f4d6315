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
use rustix::{
    event::{PollFd, PollFlags},
    io::Errno,
};
use socket2::{SockAddr, Socket, Type};

use crate::net::{
    error::{Error, Unreachable},
    poll::{Deadline, Interrupt, wait},
    stream::Link,
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
                // The only thing that can be wrong with a path before anybody looks for it.
                Err(_) => Err(self.unreachable(Unreachable::LongPath)),
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
    /// [`Error::Connect`] with what each address said, [`Error::Interrupted`].
    pub fn connect_to<'i>(
        &self,
        addresses: &[SockAddr],
        deadline: Deadline,
        interrupt: Option<&'i Interrupt>,
    ) -> Result<(Link<'i>, SockAddr), Error> {
        let mut reasons = Vec::new();
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
                Err(error) => reasons.push((self.show(address), self.reason(error))),
            }
        }
        Err(self.unreachable(Unreachable::all(reasons)))
    }

    /// One of the endpoint's addresses as people read it.
    #[must_use]
    pub fn show(&self, address: &SockAddr) -> String {
        address.as_socket().map_or_else(|| self.to_string(), |address| address.to_string())
    }

    /// Why the endpoint cannot be reached, where the system says this.
    #[must_use]
    pub fn reason(&self, error: io::Error) -> Unreachable {
        let is_file = matches!(self.endpoint, Endpoint::Unix(_));
        match error.kind() {
            io::ErrorKind::ConnectionRefused if is_file => Unreachable::NoListener,
            io::ErrorKind::NotFound if is_file => Unreachable::NoFile,
            io::ErrorKind::PermissionDenied if is_file => Unreachable::Denied,
            io::ErrorKind::ConnectionRefused => Unreachable::Refused,
            // A backlog that had no room, up to the deadline, is no answer either.
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Unreachable::NoAnswer(self.timeout)
            }
            _ => Unreachable::Io(error),
        }
    }

    /// The error of a server that cannot be reached for this reason.
    #[must_use]
    pub fn unreachable(&self, reason: Unreachable) -> Error {
        Error::Connect { target: self.to_string(), reason }
    }
}

/// How long to wait before a Unix socket is asked again that has no room in its backlog.
const BUSY: Duration = Duration::from_millis(10);

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
    loop {
        match socket.connect(address) {
            Err(error) if is(&error, Errno::INPROGRESS) => {
                return established(socket, deadline, interrupt);
            }
            // A Unix socket whose backlog is full: nothing tells when there is room.
            Err(error) if is(&error, Errno::AGAIN) && !deadline.is_past() => {
                if interrupted_within(BUSY, interrupt)? {
                    return Ok(None);
                }
            }
            other => return other.map(|()| Some(socket.into())),
        }
    }
}

/// Waits for a connection that is under way: how it went is known when the socket becomes writable.
fn established(
    socket: Socket,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> io::Result<Option<OwnedFd>> {
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

fn interrupted_within(time: Duration, interrupt: Option<&Interrupt>) -> io::Result<bool> {
    let mut fds: Vec<_> =
        interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)).into_iter().collect();
    wait(&mut fds, Deadline::after(time))?;
    Ok(fds.iter().any(|interrupt| !interrupt.revents().is_empty()))
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

#[cfg(test)]
mod tests;
