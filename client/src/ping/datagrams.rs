//! Round trips by datagrams (RFC 862, UDP based echo service).
//!
//! Owns the socket, and which of several addresses it is for. Must not know what is made of a round
//! trip's time; what a datagram is that comes, the sequence says.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    io,
    time::{Duration, Instant},
};

use common::protocol::MAX_DATAGRAM;
use socket2::{SockAddr, SockRef, Socket, Type};

use crate::net::{
    error::{Error, Unreachable},
    poll::{Deadline, Interrupt},
    stream::{Link, Received},
    target::Target,
};
use crate::ping::{
    run::{OnAside, Route},
    sequence::{Came, HEAD, Sequence},
};

/// The fewest bytes of a round trip: those that name a datagram.
pub const MIN_SIZE: usize = HEAD;

/// The most bytes of a round trip.
pub const MAX_SIZE: usize = MAX_DATAGRAM as usize;

/// More than any datagram holds, so that none is cut where it is received.
const BUFFER: usize = 65_536;

/// The way to a server by datagrams, from a connected socket: only the server's are received, and the
/// system tells where nobody listens.
pub(super) struct Datagrams<'p> {
    target: &'p Target,
    interrupt: &'p Interrupt,
    address: SockAddr,
    link: Link<'p>,
    /// Further addresses. Silence says nothing about an address, so only one that refuses is passed over
    /// for the next, until one has answered.
    others: VecDeque<SockAddr>,
    sequence: Sequence,
    buffer: Vec<u8>,
}

impl<'p> Datagrams<'p> {
    /// To the first of these addresses that there is a way to.
    pub(super) fn new(
        target: &'p Target,
        addresses: Vec<SockAddr>,
        size: usize,
        interrupt: &'p Interrupt,
    ) -> Result<Self, Error> {
        let mut others = VecDeque::from(addresses);
        let (address, link) = connect_next(target, &mut others, interrupt)?;
        // Another number for each run: answers to an earlier one that had the same port are not ours.
        let run = RandomState::new().hash_one(()) & u64::from(u32::MAX);
        let run = u32::try_from(run).unwrap_or_default();
        let (sequence, buffer) = (Sequence::new(run, size), vec![0; BUFFER]);
        Ok(Self { target, interrupt, address, link, others, sequence, buffer })
    }

    fn exchange(&mut self, seq: u64, on_aside: OnAside<'_>) -> Result<Duration, Error> {
        let datagram = self.sequence.datagram(seq);
        // What the system still has to tell of an earlier one is not about this one.
        let _ = SockRef::from(&self.link).take_error();
        let (began, deadline) = (Instant::now(), self.link.deadline());
        self.sequence.send(seq, began);
        while self.link.send(&datagram).map_err(Error::Undelivered)? == 0 {
            self.link.wait(true, None, deadline)?;
        }
        loop {
            self.link.wait(false, None, deadline)?;
            if self.receive(on_aside)? {
                return Ok(began.elapsed());
            }
            // Others do not put it off, however many come.
            if deadline.is_past() {
                return Err(Error::NoReply(self.link.timeout()));
            }
        }
    }

    /// Takes a datagram, if there is one; says whether it is the awaited one.
    fn receive(&mut self, on_aside: OnAside<'_>) -> Result<bool, Error> {
        let len = match self.link.receive(&mut self.buffer) {
            Ok(Received::Bytes(len)) => len,
            // An empty one: datagrams have no end.
            Ok(Received::End) => 0,
            Ok(Received::Nothing) => return Ok(false),
            Err(Error::Lost(error)) => return Err(Error::Undelivered(error)),
            Err(error) => return Err(error),
        };
        match self.sequence.receive(&self.buffer[..len], Instant::now()) {
            Came::Awaited => Ok(true),
            Came::Wrong(wrong) => Err(wrong.into()),
            Came::Aside(aside) => on_aside(&aside).map(|()| false),
        }
    }

    /// Goes on to the next address; `false` if there is none.
    fn pass_over(&mut self) -> bool {
        let next = connect_next(self.target, &mut self.others, self.interrupt);
        next.is_ok_and(|next| {
            (self.address, self.link) = next;
            true
        })
    }
}

impl Route for Datagrams<'_> {
    fn server(&self) -> String {
        self.target.show(&self.address)
    }

    fn round_trip(&mut self, seq: u64, _: usize, on_aside: OnAside<'_>) -> Result<Duration, Error> {
        loop {
            let done = self.exchange(seq, on_aside);
            match &done {
                Ok(_) => self.others.clear(),
                Err(_) => self.sequence.give_up(),
            }
            match done {
                Err(Error::Undelivered(_)) if self.pass_over() => {}
                done => return done,
            }
        }
    }

    fn rest(&mut self, until: Deadline, on_aside: OnAside<'_>) -> Result<(), Error> {
        while !until.is_past() {
            match self.link.wait(false, None, until) {
                Err(Error::NoReply(_)) => break,
                other => other?,
            };
            match self.receive(on_aside) {
                // It is about one that has been given up.
                Ok(_) | Err(Error::Undelivered(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end(self) {}
}

/// A socket to the first address that there is a way to. Nobody is asked: nothing has been sent.
fn connect_next<'p>(
    target: &Target,
    addresses: &mut VecDeque<SockAddr>,
    interrupt: &'p Interrupt,
) -> Result<(SockAddr, Link<'p>), Error> {
    let mut reasons = Vec::new();
    while let Some(address) = addresses.pop_front() {
        match connect(&address) {
            Ok(socket) => {
                let link = Link::new(socket, target.timeout).interrupted_by(Some(interrupt));
                return Ok((address, link));
            }
            Err(error) => reasons.push((target.show(&address), Unreachable::Io(error))),
        }
    }
    Err(target.unreachable(Unreachable::all(reasons)))
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

    fn bound() -> (UdpSocket, SockAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().into();
        (socket, address)
    }

    fn target() -> Target {
        let endpoint = Endpoint::Udp(HostPort { host: "several".to_owned(), port: 7 });
        Target { endpoint, timeout: LONG }
    }

    #[test]
    fn an_address_that_refuses_is_passed_over_until_one_has_answered() {
        let (gone, nobody) = bound();
        drop(gone);
        let (server, there) = bound();
        let answering = thread::spawn(move || {
            let mut buffer = [0; 100];
            let (len, peer) = server.recv_from(&mut buffer).unwrap();
            server.send_to(&buffer[..len], peer).unwrap();
        });
        let (interrupt, _never) = UnixStream::pair().unwrap();
        let (target, interrupt) = (target(), Interrupt::from(interrupt));
        let addresses = vec![nobody.clone(), there.clone(), nobody];
        let mut route = Datagrams::new(&target, addresses, 20, &interrupt).unwrap();
        let mut no_aside = |aside: &_| panic!("{aside:?}");
        route.round_trip(1, 20, &mut no_aside).unwrap();
        assert_eq!(route.server(), target.show(&there));
        // Its socket is closed: what is refused now is a lost round trip.
        answering.join().unwrap();
        let refused = route.round_trip(2, 20, &mut no_aside).unwrap_err();
        assert!(matches!(refused, Error::Undelivered(_)), "{refused}");
        assert_eq!(route.server(), target.show(&there));
    }
}
