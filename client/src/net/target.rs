//! Server to connect to: from an endpoint to addresses, and from addresses to a stream.
//!
//! Owns name resolution and the attempts at each address, within one time limit. Must not know what the
//! connection is for.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::mpsc,
    thread,
    time::Duration,
};

use common::{
    endpoint::{Endpoint, HostPort, split_zone},
    escape::Escaped,
};
use socket2::SockAddr;

use super::{
    connect::connect,
    error::Error,
    poll::{Deadline, Interrupt},
    stream::Stream,
    unreachable::Unreachable,
};

/// Server to connect to, and the time limit for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Endpoint of the server. Invariant: its port is not zero.
    pub(crate) endpoint: Endpoint,
    /// Limit for the connection, and for each reply.
    pub(crate) timeout: Duration,
}

impl fmt::Display for Target {
    /// Writes `HOST:PORT` for TCP, as the original does, and the URL otherwise. A path may come from elsewhere, and
    /// must not control the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.endpoint {
            Endpoint::Tcp(tcp) => tcp.to_string(),
            endpoint => endpoint.to_string(),
        };
        Escaped(text.as_bytes()).fmt(f)
    }
}

impl Target {
    /// Resolves the endpoint and connects a stream to the first address that answers. Not for UDP.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`]
    pub(crate) fn connect(&self) -> Result<Stream<'static>, Error> {
        let deadline = Deadline::after(self.timeout);
        let addresses = self.resolve(deadline)?;
        self.connect_to(&addresses, deadline, None).map(|(stream, _)| stream)
    }

    /// Returns the addresses of the endpoint, at least one: those of a host, or a path.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`]: the name is unknown or not resolved in time, or the path is too long.
    pub(crate) fn resolve(&self, deadline: Deadline) -> Result<Vec<SockAddr>, Error> {
        match &self.endpoint {
            Endpoint::Tcp(host) | Endpoint::Udp(host) => {
                Ok(self.look_up(host, deadline)?.into_iter().map(SockAddr::from).collect())
            }
            Endpoint::Unix(_) | Endpoint::Abstract(_) => {
                let address = SockAddr::unix(self.endpoint.socket_name().unwrap_or_default());
                address.map(|it| vec![it]).map_err(|_| self.unreachable(Unreachable::LongPath))
            }
        }
    }

    fn look_up(&self, name: &HostPort, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = name.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, name.port)]);
        }
        // The system's resolver has no deadline, so it runs in a thread that is left alone after ours.
        let (result, resolved) = mpsc::channel();
        let host = (name.host.clone(), name.port);
        thread::spawn(move || result.send(host.to_socket_addrs().map(Vec::from_iter)));
        let addresses = match deadline.left() {
            Some(left) => resolved.recv_timeout(left).ok(),
            None => resolved.recv().ok(),
        };
        match addresses {
            Some(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Some(_) => Err(self.unreachable(match split_zone(&name.host) {
                Some((_, Some(zone))) => Unreachable::UnknownInterface(zone.to_owned()),
                _ => Unreachable::UnknownHost,
            })),
            None => Err(self.unreachable(Unreachable::NoAnswer(self.timeout))),
        }
    }

    /// Connects to the first address that answers; returns it too.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] with the reason of each address, [`Error::Interrupted`].
    pub(crate) fn connect_to<'i>(
        &self,
        addresses: &[SockAddr],
        deadline: Deadline,
        interrupt: Option<&'i Interrupt>,
    ) -> Result<(Stream<'i>, SockAddr), Error> {
        let mut reasons = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            // An address that never answers leaves time for the others.
            let share = deadline.share(addresses.len() - index);
            match connect(address, share, interrupt) {
                Ok(Some(socket)) => {
                    let stream = Stream::new(socket, self.timeout).interrupted_by(interrupt);
                    return Ok((stream, address.clone()));
                }
                Ok(None) => return Err(Error::Interrupted),
                Err(error) => reasons.push((self.show(address), self.reason(error))),
            }
        }
        Err(self.unreachable(Unreachable::combine(reasons)))
    }

    /// Returns the text of one of the endpoint's addresses.
    pub(crate) fn show(&self, address: &SockAddr) -> String {
        match (&self.endpoint, address.as_socket()) {
            // The system knows the number of the network interface, and the user its name.
            (Endpoint::Tcp(at) | Endpoint::Udp(at), _) if at.host.contains('%') => at.to_string(),
            (_, Some(address)) => address.to_string(),
            (_, None) => self.to_string(),
        }
    }

    /// Returns the reason for which the endpoint cannot be reached, from the system's error.
    pub(crate) fn reason(&self, error: io::Error) -> Unreachable {
        let is_file = matches!(self.endpoint, Endpoint::Unix(_));
        let is_abstract = matches!(self.endpoint, Endpoint::Abstract(_));
        match error.kind() {
            io::ErrorKind::ConnectionRefused if is_file || is_abstract => Unreachable::NoListener,
            io::ErrorKind::NotFound if is_file => Unreachable::NoFile,
            io::ErrorKind::PermissionDenied if is_file => Unreachable::Denied,
            io::ErrorKind::ConnectionRefused => Unreachable::Refused,
            // WouldBlock: the backlog of a Unix socket was full until the deadline.
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Unreachable::NoAnswer(self.timeout)
            }
            _ => Unreachable::Io(error),
        }
    }

    /// Returns the error for a server that cannot be reached for this reason.
    pub(crate) fn unreachable(&self, reason: Unreachable) -> Error {
        Error::Connect { target: self.to_string(), reason }
    }
}

#[cfg(test)]
mod tests;
