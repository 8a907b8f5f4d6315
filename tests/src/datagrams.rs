//! An echo server for datagrams inside the test, which does with every so-manieth of them what networks
//! do, and some things that only a broken server does.
//!
//! Datagrams are counted by whom they come from, from 1. What is done on purpose is done by what comes,
//! never by a clock, so that every count of a test is exact.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use socket2::SockRef;

use crate::DEADLINE;

/// What becomes of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Each comes back.
    Perfect,
    /// Each n-th does not come back.
    Swallows(u64),
    /// Each n-th comes back twice.
    Repeats(u64),
    /// Each n-th comes back behind the one that follows it.
    HoldsBack(u64),
    /// Each n-th comes back with another bit.
    Damages(u64),
    /// Each n-th comes back without its last byte.
    Cuts(u64),
    /// With each n-th comes one that nobody has sent.
    Adds(u64),
    /// From the n-th on nobody listens.
    Leaves(u64),
}

/// A server at the other end of a [`Network`], for as long as the test runs.
#[derive(Debug)]
pub struct Datagrams {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    last: Mutex<Option<(UdpSocket, Vec<u8>, SocketAddr)>>,
    changed: Condvar,
}

/// Room for what a load has under way.
const BUFFER: usize = 4 * 1024 * 1024;

impl Datagrams {
    /// Listens on a free port.
    #[must_use]
    pub fn through(network: Network) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        SockRef::from(&socket).set_recv_buffer_size(BUFFER).expect("it may be asked for");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || serve(&socket, network, &of_thread));
        Self { address, shared }
    }

    /// Where it listens, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("udp://{}", self.address)
    }

    /// Sends the next datagram that comes, and so many copies of it. Does `before` in between.
    pub fn flood(&self, copies: u32, before: impl FnOnce()) {
        let mut last = self.shared.last.lock().expect("nobody panics while holding the lock");
        *last = None;
        let (last, timeout) = self
            .shared
            .changed
            .wait_timeout_while(last, DEADLINE, |last| last.is_none())
            .expect("nobody panics while holding the lock");
        assert!(!timeout.timed_out(), "no datagram came");
        let (socket, bytes, from) = last.as_ref().expect("it was waited for");
        before();
        for _ in 0..copies {
            socket.send_to(bytes, from).expect("what came can be sent back");
        }
    }
}

fn serve(socket: &UdpSocket, network: Network, shared: &Shared) -> io::Result<()> {
    let mut clients = HashMap::<SocketAddr, Client>::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer) {
            // A client that has gone is its own business.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            received => received?,
        };
        for reply in clients.entry(from).or_default().pass(network, &buffer[..len]) {
            let Some(reply) = reply else {
                *shared.last.lock().expect("nobody panics while holding the lock") = None;
                return Ok(());
            };
            let _ = socket.send_to(&reply, from);
        }
        let last = (socket.try_clone()?, buffer[..len].to_vec(), from);
        *shared.last.lock().expect("nobody panics while holding the lock") = Some(last);
        shared.changed.notify_all();
    }
}

/// One whom datagrams come from.
#[derive(Debug, Default)]
struct Client {
    count: u64,
    held: Option<Vec<u8>>,
}

impl Client {
    /// What comes back, now, for one that has come; nothing more ever if that is `None`.
    fn pass(&mut self, network: Network, sent: &[u8]) -> Vec<Option<Vec<u8>>> {
        self.count += 1;
        let is = |n: u64| self.count.is_multiple_of(n);
        let whole = Some(sent.to_vec());
        match network {
            Network::Swallows(n) if is(n) => Vec::new(),
            Network::Repeats(n) if is(n) => vec![whole.clone(), whole],
            Network::HoldsBack(n) if is(n) => {
                self.held = whole;
                Vec::new()
            }
            Network::HoldsBack(_) => {
                [Some(whole), self.held.take().map(Some)].into_iter().flatten().collect()
            }
            Network::Damages(n) if is(n) => {
                let mut damaged = sent.to_vec();
                *damaged.last_mut().expect("it is not empty") ^= 1;
                vec![Some(damaged)]
            }
            Network::Cuts(n) if is(n) => vec![Some(sent[..sent.len() - 1].to_vec())],
            Network::Adds(n) if is(n) => vec![Some(b"Hello, who are you?".to_vec()), whole],
            Network::Leaves(n) if n <= self.count => vec![None],
            _ => vec![whole],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes back for 1 2 3 4 5.
    fn passed(network: Network) -> Vec<Vec<u8>> {
        let mut client = Client::default();
        let all = (1..=5).flat_map(|number| client.pass(network, &[number, 0]));
        all.map_while(|reply| reply).collect()
    }

    #[test]
    fn each_network_does_what_its_name_says() {
        let heads = |network| passed(network).iter().map(|it| it[0]).collect::<Vec<_>>();
        assert_eq!(heads(Network::Perfect), [1, 2, 3, 4, 5]);
        assert_eq!(heads(Network::Swallows(2)), [1, 3, 5]);
        assert_eq!(heads(Network::Repeats(2)), [1, 2, 2, 3, 4, 4, 5]);
        assert_eq!(heads(Network::HoldsBack(2)), [1, 3, 2, 5, 4]);
        assert_eq!(heads(Network::Adds(5)), [1, 2, 3, 4, b'H', 5]);
        assert_eq!(heads(Network::Leaves(3)), [1, 2]);
        assert_eq!(passed(Network::Damages(3))[2], [3, 1]);
        assert_eq!(passed(Network::Cuts(3))[2], [3]);
    }
}
