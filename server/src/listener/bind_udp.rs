//! Binding of UDP listeners: one socket per worker at one address.

use std::{io, iter, net::SocketAddr, sync::Arc};

use common::endpoint::Endpoint;
use socket2::{Domain, Protocol, Socket, Type};

use super::{inherited::InheritedSocket, listening_socket::Policy};
use crate::{
    admission::host_port,
    config::{ListenerOptions, limits},
    metrics::{Registry, UDP},
    udp::{DatagramSocket, UdpListener, UdpPolicy, UdpSocket},
};

/// Binds one socket per worker. The kernel distributes the senders over them, each sender always to the same
/// socket. `sibling` is the policy of another address of the listener.
pub(super) fn bind_udp(
    addr: SocketAddr,
    options: &ListenerOptions,
    reuse_port: bool,
    workers: usize,
    sibling: Option<&Policy>,
    registry: &Registry,
) -> io::Result<UdpListener> {
    let first = udp_socket(addr, options.v6only, reuse_port)?;
    // Set after the bind: a socket that sets it before would join the sockets of another server, and take a
    // share of the datagrams that are sent to that server.
    first.set_reuse_port(true)?;
    let addr = first.local_addr()?.as_socket().unwrap_or(addr);
    let others = (1..workers).map(|_| udp_socket(addr, options.v6only, true));
    let sockets = iter::once(Ok(first)).chain(others);
    let sockets = sockets.map(|socket| boxed(socket?)).collect::<io::Result<_>>()?;
    let endpoint = Endpoint::Udp(host_port(addr));
    let (name, port) = (endpoint.to_string(), addr.port());
    let counters = registry.listener(&name, UDP);
    let policy = match sibling {
        Some(Policy::Udp(sibling)) => sibling.at_address(name, port, counters),
        _ => UdpPolicy::new(name, port, options, counters),
    };
    Ok(UdpListener { endpoint, policy: Arc::new(policy), sockets })
}

/// Prepares an inherited socket. Only the first worker serves it.
pub(super) fn adopt_udp(
    endpoint: Endpoint,
    port: u16,
    options: &ListenerOptions,
    inherited: InheritedSocket,
    registry: &Registry,
) -> io::Result<UdpListener> {
    let name = endpoint.to_string();
    let counters = registry.listener(&name, UDP);
    let policy = Arc::new(UdpPolicy::new(name, port, options, counters));
    let socket: Box<dyn DatagramSocket> = Box::new(UdpSocket::inherited(inherited.socket)?);
    let sockets = vec![socket];
    Ok(UdpListener { endpoint, policy, sockets })
}

fn boxed(socket: Socket) -> io::Result<Box<dyn DatagramSocket>> {
    Ok(Box::new(UdpSocket::new(socket)?))
}

fn udp_socket(addr: SocketAddr, v6only: bool, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(reuse_port)?;
    if addr.is_ipv6() {
        socket.set_only_v6(v6only)?;
    }
    socket.set_recv_buffer_size(limits::DATAGRAM_BUFFER)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}
