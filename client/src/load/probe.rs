//! Whether there is an echo server for datagrams, before a load is started.
//!
//! Nothing tells whether a datagram can arrive but that one comes back. So one is sent, and sent again as
//! long as none does, for it may be lost.

use std::{io, time::Duration};

use rustix::event::{PollFd, PollFlags};
use socket2::{SockAddr, Socket};

use crate::{
    load::{
        ipc::wire::Server,
        worker::{
            payload::Streams,
            socket::{connect, receive, transmit},
        },
    },
    net::{
        error::Error,
        poll::{Deadline, Interrupt, poll},
        target::Target,
        unreachable::Unreachable,
    },
};

/// When to send again.
const AGAIN: Duration = Duration::from_millis(250);

/// How to ask.
#[derive(Debug)]
pub struct Probe<'p> {
    /// What the datagram is made from.
    pub seed: u64,
    /// How long it is.
    pub size: u32,
    /// When to give up.
    pub deadline: Deadline,
    /// Raised by Ctrl+C.
    pub interrupt: &'p Interrupt,
}

/// A server that has answered.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub address: SockAddr,
    /// Bytes that the receive buffer of a socket to it holds.
    pub receive_buffer: usize,
}

impl Probe<'_> {
    /// Finds the first of these addresses from which something comes back.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] with what each address said, [`Error::Interrupted`].
    pub fn first_of(&self, addresses: &[SockAddr], target: &Target) -> Result<Found, Error> {
        let mut reasons = Vec::new();
        for (at, address) in addresses.iter().enumerate() {
            // As with connections: an address that never answers leaves the others their share.
            let others = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            let share =
                self.deadline.left().map_or(Deadline::NEVER, |it| Deadline::after(it / others));
            match self.ask(address, share) {
                Ok(Some(receive_buffer)) => {
                    return Ok(Found { address: address.clone(), receive_buffer });
                }
                Ok(None) => return Err(Error::Interrupted),
                Err(error) => reasons.push((target.show(address), target.reason(error))),
            }
        }
        Err(target.unreachable(Unreachable::combine(reasons)))
    }

    /// Asks at one address until something comes back; `None` if it was interrupted.
    fn ask(&self, address: &SockAddr, deadline: Deadline) -> io::Result<Option<usize>> {
        let address = address.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let socket = connect(&Server::Udp(address), None)?;
        let mut datagram = vec![0; self.size as usize];
        Streams::new(self.seed, self.size..=self.size).datagram(0, 0, &mut datagram);
        loop {
            transmit(&socket, &datagram)?;
            let left = deadline.left().unwrap_or(AGAIN);
            let mut fds =
                [PollFd::new(&socket, PollFlags::IN), PollFd::new(self.interrupt, PollFlags::IN)];
            poll(&mut fds, Deadline::after(left.min(AGAIN)))?;
            if !fds[1].revents().is_empty() {
                return Ok(None);
            }
            match receive(&socket, &mut datagram) {
                // Whatever it says, somebody is there: the load checks what.
                Ok(_) => return held(&socket).map(Some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

/// Bytes that a socket's receive buffer holds, of those that it was asked to. Linux doubles what is asked
/// for, and counts what it needs for itself (socket(7)).
fn held(socket: &Socket) -> io::Result<usize> {
    Ok(socket.recv_buffer_size()? / 2)
}
