//! Binding: from a configured listener to a listening socket.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    path::Path,
    sync::Arc,
};

use common::endpoint::{Endpoint, HostPort};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::{
    bind_error::BindError,
    bind_udp::{adopt_udp, bind_udp},
    inherited::InheritedSocket,
    listening_socket::{BoundListener, ListeningSocket, StreamListener, UnixListeningSocket},
    socket_file::SocketFile,
};
use crate::{
    admission::ConnectionPolicy,
    config::{Listener, limits},
};

/// Creates the listening socket of a listener, or for UDP one socket per worker. Clients can connect or send
/// from now on.
pub(crate) fn bind(
    listener: &Listener,
    reuse_port: bool,
    workers: usize,
) -> Result<BoundListener, BindError> {
    let (endpoint, socket) = match &listener.endpoint {
        Endpoint::Tcp(at) => {
            let listen = |addr| bind_tcp(addr, listener.options.v6only, reuse_port);
            let error = |addr, cause| BindError::Listen { addr, cause };
            let (addr, socket) = bind_first_address(at, listen, error)?;
            (Endpoint::Tcp(addr.into()), socket)
        }
        Endpoint::Unix(path) => {
            let socket = bind_unix(&listener.endpoint, path, listener.options.mode);
            let socket = socket.map_err(|cause| BindError::Path { path: path.clone(), cause })?;
            (listener.endpoint.clone(), socket)
        }
        Endpoint::Udp(at) => {
            let bind = |addr| bind_udp(addr, &listener.options, reuse_port, workers);
            let error = |addr, cause| BindError::Receive { addr, cause };
            return bind_first_address(at, bind, error).map(BoundListener::Udp);
        }
    };
    Ok(stream_listener(listener, endpoint, socket))
}

/// Prepares an inherited socket, which listens already.
///
/// # Errors
///
/// If the system refuses an option that the server needs.
pub(crate) fn adopt(listener: &Listener, inherited: InheritedSocket) -> io::Result<BoundListener> {
    let endpoint = listener.endpoint.clone();
    let socket = match &endpoint {
        Endpoint::Tcp(_) => tcp_socket(inherited.socket)?,
        Endpoint::Unix(_) => unix_socket(&endpoint, inherited.socket, None)?,
        Endpoint::Udp(at) => {
            let listener = adopt_udp(endpoint.clone(), at.port, &listener.options, inherited);
            return listener.map(BoundListener::Udp);
        }
    };
    Ok(stream_listener(listener, endpoint, socket))
}

fn stream_listener(
    listener: &Listener,
    endpoint: Endpoint,
    socket: ListeningSocket,
) -> BoundListener {
    let policy = Arc::new(ConnectionPolicy::new(listener));
    BoundListener::Stream(StreamListener { endpoint, policy, socket })
}

/// Calls `bind` with the addresses of the host in turn, until it succeeds.
fn bind_first_address<T>(
    at: &HostPort,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
    failed: impl Fn(SocketAddr, io::Error) -> BindError,
) -> Result<T, BindError> {
    let resolve = |cause| BindError::Resolve { host: at.host.clone(), cause };
    let mut error = resolve(io::Error::other("it has no address"));
    for addr in (&at.host[..], at.port).to_socket_addrs().map_err(resolve)? {
        match bind(addr) {
            Ok(bound) => return Ok(bound),
            Err(cause) => error = failed(addr, cause),
        }
    }
    Err(error)
}

fn bind_tcp(
    addr: SocketAddr,
    v6only: bool,
    reuse_port: bool,
) -> io::Result<(SocketAddr, ListeningSocket)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server can bind although connections of its predecessor are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() {
        // The default differs between systems.
        socket.set_only_v6(v6only)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(limits::BACKLOG)?;
    let addr = socket.local_addr()?.as_socket().unwrap_or(addr);
    Ok((addr, tcp_socket(socket)?))
}

fn tcp_socket(socket: Socket) -> io::Result<ListeningSocket> {
    socket.set_nonblocking(true)?;
    // Accepted connections inherit the options of their listener (Linux, BSD): no call per connection.
    socket.set_tcp_nodelay(true)?;
    // Urgent data is echoed in its place, like any data.
    socket.set_out_of_band_inline(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_IDLE)
        .with_interval(limits::KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    Ok(ListeningSocket::Tcp(mio::net::TcpListener::from_std(socket.into())))
}

fn bind_unix(endpoint: &Endpoint, path: &Path, mode: u32) -> io::Result<ListeningSocket> {
    let (socket, file) = SocketFile::listen(path, mode)?;
    unix_socket(endpoint, socket, Some(file))
}

fn unix_socket(
    endpoint: &Endpoint,
    socket: Socket,
    file: Option<SocketFile>,
) -> io::Result<ListeningSocket> {
    socket.set_nonblocking(true)?;
    let listener = mio::net::UnixListener::from_std(socket.into());
    let name = endpoint.to_string().into();
    Ok(ListeningSocket::Unix(UnixListeningSocket { listener, name, accepted: 0, file }))
}
