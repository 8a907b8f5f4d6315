//! The kernel's tables of TCP and UDP sockets, `/proc/net/tcp` and `/proc/net/udp`.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// State of a socket that listens.
pub const LISTEN: u8 = 0x0a;

/// State of an open socket.
pub const ESTABLISHED: u8 = 0x01;

/// State of an open socket whose peer has sent a FIN.
pub const CLOSE_WAIT: u8 = 0x08;

/// The keepalive timer in the table.
const KEEPALIVE: &str = "02";

/// Socket with IPv4 addresses.
#[derive(Clone, Debug)]
pub struct Socket {
    /// Local address.
    pub local: SocketAddr,
    /// Address of the peer.
    pub remote: SocketAddr,
    /// State, such as [`LISTEN`] or [`CLOSE_WAIT`].
    pub state: u8,
    /// Number of received bytes that the program has not read.
    pub unread: u64,
    /// Time until the kernel probes a silent peer; `None` without keepalive.
    pub keepalive: Option<Duration>,
    /// Inode, which links the socket to a descriptor.
    pub inode: String,
}

/// Returns the socket at `local` of the connection between these addresses.
#[track_caller]
#[must_use]
pub fn socket(local: SocketAddr, remote: SocketAddr) -> Socket {
    // The table can have thousands of lines: parse only one.
    let columns = format!(" {} {} ", hex(local), hex(remote));
    let table = table("tcp");
    let line = table.lines().find(|line| line.contains(&columns));
    line.and_then(parse).unwrap_or_else(|| panic!("no connection between {local} and {remote}"))
}

/// Returns all TCP sockets with IPv4 addresses.
pub fn sockets() -> impl Iterator<Item = Socket> {
    parse_all("tcp")
}

/// Returns all UDP sockets with IPv4 addresses. Their table has the same columns.
pub fn udp_sockets() -> impl Iterator<Item = Socket> {
    parse_all("udp")
}

fn parse_all(protocol: &str) -> impl Iterator<Item = Socket> + use<> {
    table(protocol).lines().skip(1).filter_map(parse).collect::<Vec<_>>().into_iter()
}

fn table(protocol: &str) -> String {
    fs::read_to_string(format!("/proc/net/{protocol}")).expect("Linux has this table")
}

fn parse(line: &str) -> Option<Socket> {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, queues, timer, _, _, _, inode, ..] = columns[..] else {
        return None;
    };
    let (timer, due) = timer.split_once(':')?;
    // The unit is a hundredth of a second.
    let due = Duration::from_millis(u64::from_str_radix(due, 16).ok()? * 10);
    Some(Socket {
        local: address(local)?,
        remote: address(remote)?,
        state: u8::from_str_radix(state, 16).ok()?,
        unread: u64::from_str_radix(queues.split_once(':')?.1, 16).ok()?,
        keepalive: (timer == KEEPALIVE).then_some(due),
        inode: inode.to_owned(),
    })
}

/// Parses an address: `0100007F:FF98` is 127.0.0.1:65432, with the IP address in memory order.
fn address(hex: &str) -> Option<SocketAddr> {
    let (address, port) = hex.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    Some((address, u16::from_str_radix(port, 16).ok()?).into())
}

/// Formats an address for [`address`].
fn hex(address: SocketAddr) -> String {
    let IpAddr::V4(ip) = address.ip() else { panic!("{address} is not an IPv4 address") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
}
