//! TCP handshakes in progress: the SYN was received, the last ACK was not. Only the kernel knows them, and reports
//! them by netlink (`sock_diag(7)`).

use std::io;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SOCK_DIAG, recv, send,
    socket_with,
};

/// `SOCK_DIAG_BY_FAMILY`: the type of a request, and of each socket in the reply.
const BY_FAMILY: u16 = 20;

/// `NLM_F_REQUEST | NLM_F_DUMP`: all sockets that match.
const REQUEST_DUMP: u16 = 0x301;

/// `TCP_SYN_RECV` and `TCP_NEW_SYN_RECV`, as bits.
const IN_HANDSHAKE: u32 = 1 << 3 | 1 << 12;

const IPPROTO_TCP: u8 = 6;

/// Size of `nlmsghdr`, with which each message begins.
const HEADER_LEN: usize = 16;

/// Size of a request: the header and `inet_diag_req_v2`.
const REQUEST_LEN: usize = HEADER_LEN + 56;

/// Offset of the local port in a request and in the reply.
const REPLY_PORT_AT: usize = HEADER_LEN + 4;

/// Maximum size of a part of a reply (`netlink(7)`).
const REPLY_LEN: usize = 32 * 1024;

/// The local ports of the handshakes in progress.
#[derive(Debug, Default)]
pub(in crate::listener) struct Handshakes(Vec<u16>);

impl Handshakes {
    /// Asks the kernel. It visits all connections of the system, which takes about a millisecond.
    ///
    /// # Errors
    ///
    /// If the system forbids netlink sockets, or lacks the module `inet_diag`.
    pub(in crate::listener) fn in_progress(with_ipv6: bool) -> io::Result<Self> {
        let mut handshakes = Self::default();
        handshakes.query(AddressFamily::INET)?;
        if with_ipv6 {
            handshakes.query(AddressFamily::INET6)?;
        }
        Ok(handshakes)
    }

    pub(in crate::listener) fn contains(&self, port: u16) -> bool {
        self.0.contains(&port)
    }

    fn query(&mut self, family: AddressFamily) -> io::Result<()> {
        let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
        let socket = socket_with(AddressFamily::NETLINK, kind, flags, Some(SOCK_DIAG))?;
        send(&socket, &request(family), SendFlags::empty())?;
        let mut reply = vec![0; REPLY_LEN];
        loop {
            // The kernel has prepared the next part before `send` or `recv` returns.
            let (len, _) = recv(&socket, &mut reply[..], RecvFlags::DONTWAIT)?;
            if self.add(&reply[..len]) {
                return Ok(());
            }
        }
    }

    /// Adds the ports in a part of a reply. Returns whether it is the last part.
    fn add(&mut self, mut reply: &[u8]) -> bool {
        while let Some((len, kind)) = header(reply) {
            if kind != BY_FAMILY {
                return true;
            }
            let port = reply.get(REPLY_PORT_AT..).and_then(|rest| rest.first_chunk());
            self.0.extend(port.map(|port| u16::from_be_bytes(*port)));
            reply = reply.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        false
    }
}

/// Returns the length and the type of the first message.
fn header(messages: &[u8]) -> Option<(usize, u16)> {
    let len = usize::try_from(u32::from_ne_bytes(*messages.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*messages.get(4..)?.first_chunk()?);
    (len >= HEADER_LEN).then_some((len, kind))
}

/// Returns a request for the sockets in a handshake.
fn request(family: AddressFamily) -> [u8; REQUEST_LEN] {
    let mut request = [0; REQUEST_LEN];
    let mut put = |at: usize, bytes: &[u8]| request[at..at + bytes.len()].copy_from_slice(bytes);
    // struct nlmsghdr
    put(0, &u32::try_from(REQUEST_LEN).unwrap_or_default().to_ne_bytes());
    put(4, &BY_FAMILY.to_ne_bytes());
    put(6, &REQUEST_DUMP.to_ne_bytes());
    // struct inet_diag_req_v2: family, protocol, states
    put(HEADER_LEN, &[u8::try_from(family.as_raw()).unwrap_or_default(), IPPROTO_TCP]);
    put(HEADER_LEN + 4, &IN_HANDSHAKE.to_ne_bytes());
    request
}
