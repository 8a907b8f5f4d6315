//! Usage of ports, and dropped datagrams.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
};

use super::proc_net::{ProcSocket, sockets};

/// Returns, by local address, how many ports have a connection to this server, or had one within the last
/// minute.
pub(crate) fn tcp_ports_in_use(server: SocketAddr) -> HashMap<IpAddr, u64> {
    let sockets = sockets("tcp", server.is_ipv4());
    count_ports(sockets.into_iter().filter(|socket| socket.remote == server))
}

/// Returns, by local address, how many ports have a UDP socket, to any server: an address gives each port
/// to one socket only.
pub(crate) fn udp_ports_in_use(server: SocketAddr) -> HashMap<IpAddr, u64> {
    count_ports(sockets("udp", server.is_ipv4()).into_iter())
}

fn count_ports(sockets: impl Iterator<Item = ProcSocket>) -> HashMap<IpAddr, u64> {
    let mut ports = HashMap::new();
    sockets.for_each(|socket| *ports.entry(socket.local.ip()).or_default() += 1);
    ports
}

/// Returns how many datagrams the system has dropped because these sockets had a full receive buffer, or
/// because the datagrams were damaged; joined datagrams (GRO) count once. `None` if the system does not tell.
/// Inode numbers identify the sockets.
pub(crate) fn datagrams_dropped(inodes: &BTreeSet<u64>, is_ipv4: bool) -> Option<u64> {
    let all = sockets("udp", is_ipv4);
    let ours: Vec<_> = all.iter().filter(|socket| inodes.contains(&socket.inode)).collect();
    if ours.len() < inodes.len() {
        return None;
    }
    ours.iter().map(|socket| socket.drops).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use rustix::fs::fstat;
    use socket2::SockRef;

    #[test]
    fn counts_the_connections_to_a_server() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        assert!(tcp_ports_in_use(server).is_empty());
        let _connections =
            [TcpStream::connect(server).unwrap(), TcpStream::connect(server).unwrap()];
        assert_eq!(tcp_ports_in_use(server), [(server.ip(), 2)].into());
    }

    #[test]
    fn counts_the_datagrams_that_a_socket_has_dropped() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let inodes = [&server, &client].map(|socket| fstat(socket).unwrap().st_ino);
        let dropped = |index: usize| datagrams_dropped(&[inodes[index]].into(), true);
        assert_eq!((dropped(0), dropped(1)), (Some(0), Some(0)));
        SockRef::from(&server).set_recv_buffer_size(4096).unwrap();
        for _ in 0..100 {
            client.send(&[0; 1000]).unwrap();
        }
        assert!(dropped(0) > Some(50), "{:?}", dropped(0));
        assert_eq!(dropped(1), Some(0));
        assert_eq!(datagrams_dropped(&[0].into(), true), None);
        let address = server.local_addr().unwrap();
        assert!(udp_ports_in_use(address)[&address.ip()] >= 2);
    }
}
