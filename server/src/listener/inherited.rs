//! Inherited sockets, which a service manager has bound: to start the server when the first client connects,
//! or to keep the socket open during a restart (`sd_listen_fds(3)`).

use std::{
    ffi::OsStr,
    io,
    net::{TcpListener, UdpSocket},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt as _,
        unix::{ffi::OsStrExt as _, net::UnixListener},
    },
};

use common::endpoint::Endpoint;
use socket2::Socket;

use crate::admission::host_port;

/// A listening socket that another process has bound.
#[derive(Debug)]
pub struct InheritedSocket {
    endpoint: Endpoint,
    pub(crate) socket: Socket,
}

impl InheritedSocket {
    /// Takes a TCP listener.
    ///
    /// # Errors
    ///
    /// If the socket does not listen, or the system cannot tell its address.
    pub fn tcp(listener: TcpListener) -> io::Result<Self> {
        let endpoint = Endpoint::Tcp(host_port(listener.local_addr()?));
        Self::new(endpoint, listener.into())
    }

    /// Takes a Unix socket, in the file system or in the abstract namespace. Its file is not removed when the server
    /// ends.
    ///
    /// # Errors
    ///
    /// If the socket does not listen, or has no name.
    pub fn unix(listener: UnixListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let endpoint = match (address.as_pathname(), address.as_abstract_name()) {
            (Some(path), _) => Endpoint::Unix(path.to_owned()),
            (None, Some(name)) => Endpoint::Abstract(OsStr::from_bytes(name).to_owned()),
            (None, None) => return Err(io::Error::other("it has no name")),
        };
        Self::new(endpoint, listener.into())
    }

    /// Takes a UDP socket. A single worker serves it.
    ///
    /// # Errors
    ///
    /// If the system cannot tell its address.
    pub fn udp(socket: UdpSocket) -> io::Result<Self> {
        let endpoint = Endpoint::Udp(host_port(socket.local_addr()?));
        Ok(Self { endpoint, socket: socket.into() })
    }

    fn new(endpoint: Endpoint, socket: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(socket);
        if socket.is_listener()? {
            Ok(Self { endpoint, socket })
        } else {
            Err(io::Error::other("it does not listen; a connection cannot be inherited"))
        }
    }

    /// Returns the endpoint of the socket. A [`Listener`](crate::Listener) with the same endpoint uses it.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn an_inherited_socket_has_the_endpoint_where_it_listens() {
        let tcp = InheritedSocket::tcp(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        assert!(matches!(tcp.endpoint(), Endpoint::Tcp(at) if at.host == "127.0.0.1"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("echo.sock");
        let unix = InheritedSocket::unix(UnixListener::bind(&path).unwrap()).unwrap();
        assert_eq!(unix.endpoint(), &Endpoint::Unix(path));
        let name = format!("echo-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let unix = InheritedSocket::unix(listener).unwrap();
        assert_eq!(unix.endpoint(), &Endpoint::Abstract(name.into()));
        let udp = InheritedSocket::udp(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        assert!(matches!(udp.endpoint(), Endpoint::Udp(at) if at.host == "127.0.0.1"));
    }

    #[test]
    fn refuses_a_socket_that_does_not_listen() {
        let connection = OwnedFd::from(UnixStream::pair().unwrap().0);
        let refused = InheritedSocket::unix(connection.into()).unwrap_err();
        assert_eq!(refused.to_string(), "it has no name");
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let refused = InheritedSocket::tcp(socket.into()).unwrap_err();
        assert!(refused.to_string().starts_with("it does not listen"), "{refused}");
    }
}
