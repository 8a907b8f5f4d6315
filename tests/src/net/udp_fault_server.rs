//! A UDP echo server inside the test process, with one fault of a network or of a server.
//!
//! Datagrams are counted per client, from 1. A fault depends on the number of a datagram and never on a clock, so
//! that a test can expect exact counts.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use socket2::SockRef;

use crate::wait::DEADLINE;

/// Difference from a server that returns every datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpFault {
    /// A correct echo.
    None,
    /// Every n-th datagram is not returned.
    Drop(u64),
    /// Every n-th datagram is returned twice.
    Duplicate(u64),
    /// Every n-th datagram is returned after the one that follows it.
    Reorder(u64),
    /// Every n-th datagram is returned with one bit inverted.
    Corrupt(u64),
    /// Every n-th datagram is returned without its last byte.
    Truncate(u64),
    /// Every n-th datagram is returned with another one before it that no client has sent.
    Inject(u64),
    /// The server closes its socket at the n-th datagram.
    Stop(u64),
}

/// UDP echo server with a [`UdpFault`]. It serves for as long as the test process runs.
#[derive(Debug)]
pub struct UdpFaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    last: Mutex<Option<(UdpSocket, Vec<u8>, SocketAddr)>>,
    changed: Condvar,
}

/// Size of the receive buffer: enough for the datagrams in flight of a load test.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

impl UdpFaultServer {
    /// Starts a server on a free port.
    #[must_use]
    pub fn start(fault: UdpFault) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER).expect("a size is a hint");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || serve(&socket, fault, &of_thread));
        Self { address, shared }
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("udp://{}", self.address)
    }

    /// Waits for the next datagram, calls `before`, then sends this many copies of the datagram to its client.
    pub fn flood(&self, copies: u32, before: impl FnOnce()) {
        let mut last = self.shared.last.lock().expect("no thread panics while it holds the lock");
        *last = None;
        let (last, timeout) = self
            .shared
            .changed
            .wait_timeout_while(last, DEADLINE, |last| last.is_none())
            .expect("no thread panics while it holds the lock");
        assert!(!timeout.timed_out(), "no datagram arrived");
        let (socket, bytes, from) = last.as_ref().expect("the wait ended with a datagram");
        before();
        for _ in 0..copies {
            socket.send_to(bytes, from).expect("a datagram that arrived can be sent back");
        }
    }
}

fn serve(socket: &UdpSocket, fault: UdpFault, shared: &Shared) -> io::Result<()> {
    let mut clients = HashMap::<SocketAddr, Client>::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer) {
            // An earlier client has closed its socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            received => received?,
        };
        for reply in clients.entry(from).or_default().reply(fault, &buffer[..len]) {
            let Some(reply) = reply else {
                *shared.last.lock().expect("no thread panics while it holds the lock") = None;
                return Ok(());
            };
            let _ = socket.send_to(&reply, from);
        }
        let last = (socket.try_clone()?, buffer[..len].to_vec(), from);
        *shared.last.lock().expect("no thread panics while it holds the lock") = Some(last);
        shared.changed.notify_all();
    }
}

/// State of one client.
#[derive(Debug, Default)]
struct Client {
    count: u64,
    held: Option<Vec<u8>>,
}

impl Client {
    /// Returns the replies to a datagram. `None` among them stops the server.
    fn reply(&mut self, fault: UdpFault, sent: &[u8]) -> Vec<Option<Vec<u8>>> {
        self.count += 1;
        let is_nth = |n: u64| self.count.is_multiple_of(n);
        let whole = Some(sent.to_vec());
        match fault {
            UdpFault::Drop(n) if is_nth(n) => Vec::new(),
            UdpFault::Duplicate(n) if is_nth(n) => vec![whole.clone(), whole],
            UdpFault::Reorder(n) if is_nth(n) => {
                self.held = whole;
                Vec::new()
            }
            UdpFault::Reorder(_) => {
                [Some(whole), self.held.take().map(Some)].into_iter().flatten().collect()
            }
            UdpFault::Corrupt(n) if is_nth(n) => {
                let mut corrupt = sent.to_vec();
                *corrupt.last_mut().expect("the datagram is not empty") ^= 1;
                vec![Some(corrupt)]
            }
            UdpFault::Truncate(n) if is_nth(n) => vec![Some(sent[..sent.len() - 1].to_vec())],
            UdpFault::Inject(n) if is_nth(n) => vec![Some(b"Hello, who are you?".to_vec()), whole],
            UdpFault::Stop(n) if n <= self.count => vec![None],
            _ => vec![whole],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the replies to the datagrams 1 to 5.
    fn replies(fault: UdpFault) -> Vec<Vec<u8>> {
        let mut client = Client::default();
        let all = (1..=5).flat_map(|number| client.reply(fault, &[number, 0]));
        all.map_while(|reply| reply).collect()
    }

    #[test]
    fn each_fault_does_what_its_name_says() {
        let heads = |fault| replies(fault).iter().map(|reply| reply[0]).collect::<Vec<_>>();
        assert_eq!(heads(UdpFault::None), [1, 2, 3, 4, 5]);
        assert_eq!(heads(UdpFault::Drop(2)), [1, 3, 5]);
        assert_eq!(heads(UdpFault::Duplicate(2)), [1, 2, 2, 3, 4, 4, 5]);
        assert_eq!(heads(UdpFault::Reorder(2)), [1, 3, 2, 5, 4]);
        assert_eq!(heads(UdpFault::Inject(5)), [1, 2, 3, 4, b'H', 5]);
        assert_eq!(heads(UdpFault::Stop(3)), [1, 2]);
        assert_eq!(replies(UdpFault::Corrupt(3))[2], [3, 1]);
        assert_eq!(replies(UdpFault::Truncate(3))[2], [3]);
    }
}
