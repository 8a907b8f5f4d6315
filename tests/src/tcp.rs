//! What the kernel says of a TCP socket: a line of `/proc/net/tcp`.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// The state of a socket that listens.
pub const LISTEN: u8 = 0x0a;

/// The state of a socket whose peer has sent a FIN, and that has not been closed.
pub const CLOSE_WAIT: u8 = 0x08;

/// The timer of a silent connection, as the kernel's `proc_net_tcp` has it.
const KEEPALIVE: &str = "02";

/// A socket with IPv4 addresses.
#[derive(Clone, Debug)]
pub struct Socket {
    /// Its own address.
    pub local: SocketAddr,
    /// Its peer's.
    pub remote: SocketAddr,
    /// [`LISTEN`], [`CLOSE_WAIT`], or another.
    pub state: u8,
    /// Bytes that it has received and nobody has read.
    pub unread: u64,
    /// When the kernel will ask a silent peer whether it is still there; `None` if it will not.
    pub keepalive: Option<Duration>,
    /// What a descriptor of it is a link to.
    pub inode: String,
}

/// The end at `local` of the connection between these addresses.
#[track_caller]
#[must_use]
pub fn socket(local: SocketAddr, remote: SocketAddr) -> Socket {
    // The table can have thousands of lines: only the one is taken apart.
    let columns = format!(" {} {} ", hex(local), hex(remote));
    let table = table();
    let line = table.lines().find(|line| line.contains(&columns));
    line.and_then(parse).unwrap_or_else(|| panic!("no connection of {local} with {remote}"))
}

/// All sockets with IPv4 addresses.
pub fn sockets() -> impl Iterator<Item = Socket> {
    table().lines().skip(1).filter_map(parse).collect::<Vec<_>>().into_iter()
}

fn table() -> String {
    fs::read_to_string("/proc/net/tcp").expect("Linux has a table of its sockets")
}

fn parse(line: &str) -> Option<Socket> {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, queues, timer, _, _, _, inode, ..] = columns[..] else {
        return None;
    };
    let (timer, due) = timer.split_once(':')?;
    // The kernel writes these in hundredths of a second, whatever it counts inside.
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

/// `0100007F:FF98` is 127.0.0.1:65432: the address in memory order, the port as a number.
fn address(hex: &str) -> Option<SocketAddr> {
    let (address, port) = hex.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    Some((address, u16::from_str_radix(port, 16).ok()?).into())
}

/// As [`address`] reads it.
fn hex(address: SocketAddr) -> String {
    let IpAddr::V4(ip) = address.ip() else { panic!("{address} is not in the table") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
}
