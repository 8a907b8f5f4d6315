//! Binding: from a configured listener to its listening sockets.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use common::{endpoint::Endpoint, reason::reason};
use log::warn;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::{
    addresses::Address,
    bind_error::BindError,
    bind_udp::{adopt_udp, bind_udp},
    inherited::InheritedSocket,
    listening_socket::{
        BoundListener, ListeningSocket, Policy, StreamListener, UnixListeningSocket,
    },
    socket_file::SocketFile,
};
use crate::{
    admission::{ConnectionPolicy, host_port},
    config::{Config, Listener, limits},
    metrics::{ListenerMetrics, Registry},
};

/// Binds listeners to their addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binder<'a> {
    reuse_port: bool,
    workers: usize,
    /// The counters of all listeners.
    registry: &'a Registry,
}

/// The port and the policy that all sockets of one listener have in common.
#[derive(Clone, Debug)]
pub(crate) struct Sibling {
    /// The port of all sockets of a listener with port 0.
    port: u16,
    /// The policy with the counts for limits.
    policy: Policy,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(config: &Config, registry: &'a Registry) -> Self {
        Self { reuse_port: config.reuse_port, workers: config.workers.get(), registry }
    }

    /// Shares no port with another process, also if the configuration allows it.
    #[cfg(feature = "admin")]
    pub(crate) fn exclusive(self) -> Self {
        Self { reuse_port: false, ..self }
    }

    /// Binds a listener to some of its addresses; returns the result for each. Clients can connect or send from now
    /// on. Sockets of one listener share its limits, and the port if that is zero: the port is free at all of the
    /// addresses, or the last result says that it is in use.
    pub(crate) fn bind(
        self,
        listener: &Listener,
        addresses: &[Address],
        sibling: Option<&Sibling>,
    ) -> Vec<Result<BoundListener, BindError>> {
        for _ in 1..limits::PORT_ATTEMPTS {
            let bound = self.try_bind(listener, addresses, sibling);
            let chose_port = sibling.is_none() && listener.endpoint.port() == Some(0);
            let collides =
                |result: &Result<_, BindError>| result.as_ref().is_err_and(BindError::is_in_use);
            if !chose_port || !bound.iter().any(collides) {
                return bound;
            }
        }
        self.try_bind(listener, addresses, sibling)
    }

    fn try_bind(
        self,
        listener: &Listener,
        addresses: &[Address],
        sibling: Option<&Sibling>,
    ) -> Vec<Result<BoundListener, BindError>> {
        let mut first = sibling.cloned();
        let is_one_of_several = sibling.is_some() || addresses.len() > 1;
        let mut bind = |address: &Address| {
            let mut listener = listener.clone();
            // The others have the IPv4 addresses.
            listener.options.v6only |= is_one_of_several;
            let bound = self.bind_one(&listener, address.clone(), first.as_ref())?;
            first.get_or_insert_with(|| Sibling::of(&bound));
            Ok(bound)
        };
        addresses.iter().map(&mut bind).collect()
    }

    fn bind_one(
        self,
        listener: &Listener,
        address: Address,
        sibling: Option<&Sibling>,
    ) -> Result<BoundListener, BindError> {
        let address = address.with_port(sibling.map_or(0, |first| first.port));
        let policy = sibling.map(|first| &first.policy);
        let (endpoint, socket) = match address {
            Address::Tcp(addr) => {
                let bound = bind_tcp(addr, listener.options.v6only, self.reuse_port);
                let (addr, socket) =
                    bound.map_err(|cause| BindError::Listen { addr: host_port(addr), cause })?;
                (Endpoint::Tcp(host_port(addr)), socket)
            }
            Address::Udp(addr) => {
                let Self { reuse_port, workers, registry } = self;
                let options = &listener.options;
                let bound = bind_udp(addr, options, reuse_port, workers, policy, registry);
                let failed = |cause| BindError::Receive { addr: host_port(addr), cause };
                return bound.map(BoundListener::Udp).map_err(failed);
            }
            Address::Unix(path) => {
                let socket = bind_unix(&listener.endpoint, &path, listener.options.mode);
                (
                    listener.endpoint.clone(),
                    socket.map_err(|cause| BindError::Path { path, cause })?,
                )
            }
            Address::Abstract(_) => {
                let endpoint = listener.endpoint.clone();
                let socket = bind_abstract(&endpoint)
                    .map_err(|cause| BindError::Abstract { endpoint: endpoint.clone(), cause })?;
                (endpoint, socket)
            }
        };
        Ok(BoundListener::Stream(self.stream_listener(listener, endpoint, socket, policy)))
    }

    /// Prepares an inherited socket, which listens already.
    ///
    /// # Errors
    ///
    /// If the system refuses an option that the server needs.
    pub(crate) fn adopt(
        self,
        listener: &Listener,
        inherited: InheritedSocket,
    ) -> io::Result<BoundListener> {
        let endpoint = listener.endpoint.clone();
        let socket = match &endpoint {
            Endpoint::Tcp(_) => tcp_socket(inherited.socket)?,
            Endpoint::Unix(_) | Endpoint::Abstract(_) => {
                unix_socket(&endpoint, inherited.socket, None)?
            }
            Endpoint::Udp(at) => {
                let port = at.port;
                let bound = adopt_udp(endpoint, port, &listener.options, inherited, self.registry);
                return bound.map(BoundListener::Udp);
            }
        };
        let listener = self.stream_listener(listener, endpoint, socket, None);
        Ok(BoundListener::Stream(StreamListener { is_inherited: true, ..listener }))
    }

    /// `sibling` is the policy of another socket of the listener.
    fn stream_listener(
        self,
        listener: &Listener,
        endpoint: Endpoint,
        socket: ListeningSocket,
        sibling: Option<&Policy>,
    ) -> StreamListener {
        let counters = self.counters(listener, &endpoint);
        let policy = match sibling {
            Some(Policy::Stream(sibling)) => sibling.changed_to(listener, counters),
            _ => ConnectionPolicy::new(listener, counters),
        };
        StreamListener { endpoint, policy: Arc::new(policy), socket, is_inherited: false }
    }

    /// Returns the counters of a listener at its bound endpoint.
    pub(crate) fn counters(self, listener: &Listener, bound: &Endpoint) -> Arc<ListenerMetrics> {
        let options = &listener.options;
        let counters = self.registry.listener(&options.address(bound), options.protocol_name());
        counters.set_tls(options.is_tls(), options.tls_expiry());
        counters
    }
}

impl Sibling {
    /// Returns the port and the policy of a bound socket, for the other sockets of its listener.
    pub(crate) fn of(bound: &BoundListener) -> Self {
        Self { port: bound.endpoint().port().unwrap_or_default(), policy: bound.policy() }
    }
}

/// Removes and logs the addresses that this machine does not have, unless nothing else is left: a name may have an
/// IPv6 address although IPv6 is disabled. `has_others`: the listener is open at another of its addresses.
///
/// # Errors
///
/// The first other error, or the last one if no address is left.
pub(crate) fn skip_missing_addresses<T>(
    results: Vec<Result<T, BindError>>,
    has_others: bool,
) -> Result<Vec<T>, BindError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(bound) => found.push(bound),
            Err(error) if error.missing_address().is_some() => missing.push(error),
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() && !has_others {
        return missing.pop().map_or(Ok(found), Err);
    }
    for (address, error) in missing.iter().filter_map(BindError::missing_address) {
        warn!(event = "not-listening", address:% = address;
            "Not listening on {address}: {}; the other addresses of its name are open", reason(error));
    }
    Ok(found)
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

fn bind_abstract(endpoint: &Endpoint) -> io::Result<ListeningSocket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(endpoint.socket_name().unwrap_or_default())?)?;
    socket.listen(limits::BACKLOG)?;
    unix_socket(endpoint, socket, None)
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
