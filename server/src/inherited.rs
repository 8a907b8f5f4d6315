//! Sockets that somebody else has bound and listens on already: a service manager that starts the server
//! when the first client comes, or keeps the socket while it is restarted (`sd_listen_fds(3)`).

use std::{
    io,
    net::{TcpListener, UdpSocket},
    os::{fd::OwnedFd, unix::net::UnixListener},
};

use common::endpoint::Endpoint;
use socket2::Socket;

/// A socket that listens already.
#[derive(Debug)]
pub struct Inherited {
    endpoint: Endpoint,
    pub(crate) socket: Socket,
}

impl Inherited {
    /// A listener for TCP.
    ///
    /// # Errors
    ///
    /// If it does not listen, or the system does not say where.
    pub fn tcp(listener: TcpListener) -> io::Result<Self> {
        let endpoint = Endpoint::Tcp(listener.local_addr()?.into());
        Self::new(endpoint, listener.into())
    }

    /// A listener on a socket in the file system. Its file is not removed when the server ends.
    ///
    /// # Errors
    ///
    /// If it does not listen, or has no path.
    pub fn unix(listener: UnixListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let path = address.as_pathname().ok_or_else(|| io::Error::other("it has no path"))?;
        Self::new(Endpoint::Unix(path.to_owned()), listener.into())
    }

    /// A socket for UDP. One worker serves it, since there is only one.
    ///
    /// # Errors
    ///
    /// If the system does not say where it receives.
    pub fn udp(socket: UdpSocket) -> io::Result<Self> {
        let endpoint = Endpoint::Udp(socket.local_addr()?.into());
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

    /// Where it listens. A [`Listener`](crate::Listener) at the same endpoint has this socket.
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
    fn a_socket_is_known_by_where_it_listens() {
        let tcp = Inherited::tcp(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        assert!(matches!(tcp.endpoint(), Endpoint::Tcp(at) if at.host == "127.0.0.1"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("echo.sock");
        let unix = Inherited::unix(UnixListener::bind(&path).unwrap()).unwrap();
        assert_eq!(unix.endpoint(), &Endpoint::Unix(path));
        let udp = Inherited::udp(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        assert!(matches!(udp.endpoint(), Endpoint::Udp(at) if at.host == "127.0.0.1"));
    }

    #[test]
    fn a_connection_does_not_listen() {
        let connection = OwnedFd::from(UnixStream::pair().unwrap().0);
        let refused = Inherited::unix(connection.into()).unwrap_err();
        assert_eq!(refused.to_string(), "it has no path");
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let refused = Inherited::tcp(socket.into()).unwrap_err();
        assert!(refused.to_string().starts_with("it does not listen"), "{refused}");
    }
}
