//! Round trips by datagrams (RFC 862, UDP based echo service).
//!
//! Owns the socket, and the choice between several addresses. The [sequence](super::sequence) classifies
//! what arrives.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    io,
    time::{Duration, Instant},
};

use socket2::{SockAddr, SockRef, Socket, Type};

use crate::{
    echo,
    net::{
        self,
        poll::{Deadline, Interrupt},
        stream::{Received, Stream},
        target::Target,
        unreachable::Unreachable,
    },
};

use super::{
    error::Error,
    sequence::{Reply, Sequence},
    transport::{OnUnexpected, Transport},
};

/// Size of the receive buffer: larger than any datagram, so that none is truncated.
const BUFFER: usize = 65_536;

/// Path to a server by datagrams, over a connected socket: it receives only the server's datagrams, and the
/// system reports an unreachable port.
pub(super) struct Datagrams<'p> {
    target: &'p Target,
    interrupt: &'p Interrupt,
    address: SockAddr,
    socket: Stream<'p>,
    /// Further addresses. Silence says nothing about an address, so the client moves to the next one only
    /// if an address refuses, and only until one has answered.
    alternatives: VecDeque<SockAddr>,
    sequence: Sequence,
    buffer: Vec<u8>,
}

impl<'p> Datagrams<'p> {
    /// Creates a path to the first address that the system has a route to.
    pub(super) fn new(
        target: &'p Target,
        addresses: Vec<SockAddr>,
        size: usize,
        interrupt: &'p Interrupt,
    ) -> Result<Self, Error> {
        let mut alternatives = VecDeque::from(addresses);
        let (address, socket) = connect_next(target, &mut alternatives, interrupt)?;
        // A random number of the run excludes replies to an earlier run that had the same port.
        let run = RandomState::new().hash_one(()) & u64::from(u32::MAX);
        let run = u32::try_from(run).unwrap_or_default();
        let (sequence, buffer) = (Sequence::new(run, size), vec![0; BUFFER]);
        Ok(Self { target, interrupt, address, socket, alternatives, sequence, buffer })
    }

    fn exchange(&mut self, seq: u64, on_unexpected: OnUnexpected<'_>) -> Result<Duration, Error> {
        let datagram = self.sequence.datagram(seq);
        // A pending error of the socket is about an earlier datagram.
        let _ = SockRef::from(&self.socket).take_error();
        let (start, deadline) = (Instant::now(), self.socket.deadline());
        self.sequence.mark_sent(seq, start);
        while self.socket.send(&datagram).map_err(Error::Undelivered)? == 0 {
            self.socket.wait(true, None, deadline)?;
        }
        loop {
            self.socket.wait(false, None, deadline)?;
            if self.receive(on_unexpected)? {
                return Ok(start.elapsed());
            }
            // Other datagrams do not extend the deadline.
            if deadline.is_past() {
                return Err(net::Error::NoReply(self.socket.timeout()).into());
            }
        }
    }

    /// Receives a datagram, if there is one; returns `true` if it is the awaited reply.
    fn receive(&mut self, on_unexpected: OnUnexpected<'_>) -> Result<bool, Error> {
        let len = match self.socket.receive(&mut self.buffer) {
            Ok(Received::Bytes(len)) => len,
            // Datagrams have no end: this one is empty.
            Ok(Received::End) => 0,
            Ok(Received::Nothing) => return Ok(false),
            Err(net::Error::Lost { error, .. }) => return Err(Error::Undelivered(error)),
            Err(error) => return Err(error.into()),
        };
        match self.sequence.receive(&self.buffer[..len], Instant::now()) {
            Reply::Awaited => Ok(true),
            Reply::Wrong(wrong) => Err(echo::Error::from(wrong).into()),
            Reply::Unexpected(unexpected) => on_unexpected(&unexpected).map(|()| false),
        }
    }

    /// Moves to the next address; returns `false` if there is none.
    fn try_next_address(&mut self) -> bool {
        let next = connect_next(self.target, &mut self.alternatives, self.interrupt);
        next.is_ok_and(|next| {
            (self.address, self.socket) = next;
            true
        })
    }
}

impl Transport for Datagrams<'_> {
    fn server(&self) -> String {
        self.target.show(&self.address)
    }

    fn round_trip(
        &mut self,
        seq: u64,
        _: usize,
        on_unexpected: OnUnexpected<'_>,
    ) -> Result<Duration, Error> {
        loop {
            let result = self.exchange(seq, on_unexpected);
            match &result {
                Ok(_) => self.alternatives.clear(),
                Err(_) => self.sequence.give_up(),
            }
            match result {
                Err(Error::Undelivered(_)) if self.try_next_address() => {}
                result => return result,
            }
        }
    }

    fn wait(&mut self, until: Deadline, on_unexpected: OnUnexpected<'_>) -> Result<(), Error> {
        while !until.is_past() {
            match self.socket.wait(false, None, until) {
                Err(net::Error::NoReply(_)) => break,
                other => other?,
            };
            match self.receive(on_unexpected) {
                // The error is about a datagram that has been given up.
                Ok(_) | Err(Error::Undelivered(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn close(self) {}
}

/// Connects a socket to the first address that the system has a route to. It sends nothing.
fn connect_next<'p>(
    target: &Target,
    addresses: &mut VecDeque<SockAddr>,
    interrupt: &'p Interrupt,
) -> Result<(SockAddr, Stream<'p>), net::Error> {
    let mut reasons = Vec::new();
    while let Some(address) = addresses.pop_front() {
        match connect(&address) {
            Ok(socket) => {
                let socket = Stream::new(socket, target.timeout).interrupted_by(Some(interrupt));
                return Ok((address, socket));
            }
            Err(error) => reasons.push((target.show(&address), Unreachable::Io(error))),
        }
    }
    Err(target.unreachable(Unreachable::combine(reasons)))
}

fn connect(address: &SockAddr) -> io::Result<Socket> {
    let socket = Socket::new(address.domain(), Type::DGRAM, None)?;
    socket.connect(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::LONG;
    use common::endpoint::{Endpoint, HostPort};
    use std::{net::UdpSocket, os::unix::net::UnixStream, thread};

    fn bind() -> (UdpSocket, SockAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().into();
        (socket, address)
    }

    fn target() -> Target {
        let endpoint = Endpoint::Udp(HostPort { host: "several".to_owned(), port: 7 });
        Target::new(endpoint, LONG)
    }

    #[test]
    fn skips_an_address_that_refuses_until_one_has_answered() {
        let (closed, unused) = bind();
        drop(closed);
        let (server, open) = bind();
        let answering = thread::spawn(move || {
            let mut buffer = [0; 100];
            let (len, peer) = server.recv_from(&mut buffer).unwrap();
            server.send_to(&buffer[..len], peer).unwrap();
        });
        let (interrupt, _never) = UnixStream::pair().unwrap();
        let (target, interrupt) = (target(), Interrupt::from(interrupt));
        let addresses = vec![unused.clone(), open.clone(), unused];
        let mut transport = Datagrams::new(&target, addresses, 20, &interrupt).unwrap();
        let mut nothing_unexpected = |unexpected: &_| panic!("{unexpected:?}");
        transport.round_trip(1, 20, &mut nothing_unexpected).unwrap();
        assert_eq!(transport.server(), target.show(&open));
        // The server's socket is closed: a refusal is now a lost round trip.
        answering.join().unwrap();
        let refused = transport.round_trip(2, 20, &mut nothing_unexpected).unwrap_err();
        assert!(matches!(refused, Error::Undelivered(_)), "{refused}");
        assert_eq!(transport.server(), target.show(&open));
    }
}
