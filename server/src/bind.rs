//! From a listener as it is asked for to a socket that listens.

use std::{
    io, iter,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{
    endpoint::{Endpoint, HostPort},
    reason::reason,
};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use thiserror::Error;

use crate::{
    config::Listener,
    datagram::{DatagramListener, DatagramSocket, Rules, UdpSocket},
    inherited::Inherited,
    limits,
    listening::{Bound, ListenSocket, Listening, LocalSocket},
    socket_file::SocketFile,
    terms::Terms,
};

/// Why a server cannot listen. Each says all there is to say: they have no `source` to print as well.
#[derive(Debug, Error)]
pub enum BindError {
    /// The host is no address, and no name that has one.
    #[error("the host '{host}' does not resolve: {}", reason(cause))]
    Resolve {
        /// As given.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// The system does not let us listen there.
    #[error("cannot listen on {addr}: {}", advice(cause))]
    Listen {
        /// The last address that was tried.
        addr: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The system does not let us receive datagrams there.
    #[error("cannot listen on udp://{addr}: {}", advice(cause))]
    Receive {
        /// The last address that was tried.
        addr: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The system does not let us have a socket there.
    #[error("cannot listen on {}: {}", path.display(), path_advice(cause))]
    Path {
        /// As given.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The system has no room for another server.
    #[error("cannot set up the server: {}", reason(.0))]
    System(io::Error),
}

impl BindError {
    /// Whether somebody else has the address.
    pub(crate) fn is_in_use(&self) -> bool {
        match self {
            Self::Listen { cause, .. } | Self::Receive { cause, .. } | Self::Path { cause, .. } => {
                cause.kind() == io::ErrorKind::AddrInUse
            }
            Self::Resolve { .. } | Self::System(_) => false,
        }
    }
}

/// Makes the socket of a listener, or for UDP one for each of so many workers. From here on clients can
/// connect, or send, and wait.
pub(crate) fn bind(
    listener: &Listener,
    reuse_port: bool,
    workers: usize,
) -> Result<Bound, BindError> {
    let (endpoint, socket) = match &listener.endpoint {
        Endpoint::Tcp(at) => {
            let listen = |addr| listen_on(addr, listener.v6only, reuse_port);
            let error = |addr, cause| BindError::Listen { addr, cause };
            let (addr, socket) = first_address(at, listen, error)?;
            (Endpoint::Tcp(addr.into()), socket)
        }
        Endpoint::Unix(path) => {
            let socket = unix(&listener.endpoint, path, listener.mode);
            let socket = socket.map_err(|cause| BindError::Path { path: path.clone(), cause })?;
            (listener.endpoint.clone(), socket)
        }
        Endpoint::Udp(at) => {
            return datagrams(at, listener, reuse_port, workers).map(Bound::Datagram);
        }
    };
    Ok(Bound::Stream(Listening { endpoint, terms: Arc::new(Terms::new(listener)), socket }))
}

/// Takes over a socket that listens already.
///
/// # Errors
///
/// If the system does not let us use it as we need to.
pub(crate) fn adopt(listener: &Listener, inherited: Inherited) -> io::Result<Bound> {
    let endpoint = listener.endpoint.clone();
    let socket = match &endpoint {
        Endpoint::Tcp(_) => remote(inherited.socket)?,
        Endpoint::Unix(_) => local(&endpoint, inherited.socket, None)?,
        Endpoint::Udp(at) => {
            let rules = Arc::new(Rules::new(endpoint.to_string(), at.port, listener.rate));
            // There is the one; the first worker will have it.
            let sockets = vec![Box::new(UdpSocket::new(inherited.socket)?) as Box<_>];
            return Ok(Bound::Datagram(DatagramListener { endpoint, rules, sockets }));
        }
    };
    Ok(Bound::Stream(Listening { endpoint, terms: Arc::new(Terms::new(listener)), socket }))
}

fn unix(endpoint: &Endpoint, path: &Path, mode: u32) -> io::Result<ListenSocket> {
    let (socket, file) = SocketFile::listen(path, mode)?;
    local(endpoint, socket, Some(file))
}

fn local(
    endpoint: &Endpoint,
    socket: Socket,
    file: Option<SocketFile>,
) -> io::Result<ListenSocket> {
    socket.set_nonblocking(true)?;
    let listener = mio::net::UnixListener::from_std(socket.into());
    let name = endpoint.to_string().into();
    Ok(ListenSocket::Unix(LocalSocket { listener, name, accepted: 0, _file: file }))
}

/// The first of the host's addresses on which `listen` succeeds: what it returns.
fn first_address<T>(
    at: &HostPort,
    listen: impl Fn(SocketAddr) -> io::Result<T>,
    failed: impl Fn(SocketAddr, io::Error) -> BindError,
) -> Result<T, BindError> {
    let resolve = |cause| BindError::Resolve { host: at.host.clone(), cause };
    let mut error = resolve(io::Error::other("it has no address"));
    for addr in (&at.host[..], at.port).to_socket_addrs().map_err(resolve)? {
        match listen(addr) {
            Ok(listening) => return Ok(listening),
            Err(cause) => error = failed(addr, cause),
        }
    }
    Err(error)
}

fn listen_on(
    addr: SocketAddr,
    v6only: bool,
    reuse_port: bool,
) -> io::Result<(SocketAddr, ListenSocket)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server may bind although connections of the old one are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() {
        // Systems differ in what they do if they are not told.
        socket.set_only_v6(v6only)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(limits::BACKLOG)?;
    let addr = socket.local_addr()?.as_socket().unwrap_or(addr);
    Ok((addr, remote(socket)?))
}

fn remote(socket: Socket) -> io::Result<ListenSocket> {
    socket.set_nonblocking(true)?;
    // What is set on a listener holds for what it accepts (Linux, BSD): no call per connection.
    socket.set_tcp_nodelay(true)?;
    // Urgent data is data like any other: it comes back in its place.
    socket.set_out_of_band_inline(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_IDLE)
        .with_interval(limits::KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    Ok(ListenSocket::Tcp(mio::net::TcpListener::from_std(socket.into())))
}

fn datagrams(
    at: &HostPort,
    listener: &Listener,
    reuse_port: bool,
    workers: usize,
) -> Result<DatagramListener, BindError> {
    let receive = |addr| receive_on(addr, listener.v6only, reuse_port, workers);
    let failed = |addr, cause| BindError::Receive { addr, cause };
    let (addr, sockets) = first_address(at, receive, failed)?;
    let endpoint = Endpoint::Udp(addr.into());
    let rules = Arc::new(Rules::new(endpoint.to_string(), addr.port(), listener.rate));
    Ok(DatagramListener { endpoint, rules, sockets })
}

/// So many sockets at one address. The kernel spreads those who send over them, each always to the same.
fn receive_on(
    addr: SocketAddr,
    v6only: bool,
    reuse_port: bool,
    workers: usize,
) -> io::Result<(SocketAddr, Vec<Box<dyn DatagramSocket>>)> {
    let first = udp(addr, v6only, reuse_port)?;
    // Only from now on may others be there: had it been said before, it would have joined another
    // server's, and taken a share of what is sent to that.
    first.set_reuse_port(true)?;
    let addr = first.local_addr()?.as_socket().unwrap_or(addr);
    let others = (1..workers).map(|_| udp(addr, v6only, true));
    let sockets = iter::once(Ok(first)).chain(others);
    let sockets = sockets.map(|socket| Ok(Box::new(UdpSocket::new(socket?)?) as Box<_>));
    Ok((addr, sockets.collect::<io::Result<_>>()?))
}

fn udp(addr: SocketAddr, v6only: bool, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(reuse_port)?;
    if addr.is_ipv6() {
        socket.set_only_v6(v6only)?;
    }
    socket.set_recv_buffer_size(limits::DATAGRAM_BUFFER)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// What the system said, and what to do about it.
fn advice(error: &io::Error) -> String {
    let advice = match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => {
            "another program listens there; stop it, choose another port, or start both with --reuse-port"
        }
        Some(Errno::ADDRNOTAVAIL) => "it is not an address of this machine; choose one that is",
        Some(Errno::ACCESS) => "ports below 1024 need privilege; choose a higher one",
        _ => return reason(error),
    };
    format!("{} ({advice})", reason(error))
}

/// The same for a socket in the file system.
fn path_advice(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it, or choose another path"
        }
        io::ErrorKind::AlreadyExists => {
            return "what is there is not a socket; remove it, or choose another path".to_owned();
        }
        io::ErrorKind::NotFound => "its directory is missing; make it first",
        io::ErrorKind::InvalidInput => {
            let most = limits::SOCKET_PATH;
            return format!("the path is too long for a socket; {most} bytes is the most");
        }
        _ => return reason(error),
    };
    format!("{} ({advice})", reason(error))
}
