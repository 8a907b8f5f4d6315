//! Probe: finds out whether a UDP echo server answers, before a load starts.
//!
//! Only an echo shows that datagrams are delivered. The probe repeats its datagram until one returns,
//! because any may be lost.

use std::{io, time::Duration};

use rustix::event::{PollFd, PollFlags};
use socket2::{SockAddr, Socket};

use crate::{
    load::{
        ipc::worker_config::Server,
        worker::{
            io::socket::{connect, receive, transmit},
            payload::streams::Streams,
        },
    },
    net::{
        Error,
        poll::{Deadline, Interrupt, poll},
        target::Target,
        unreachable::Unreachable,
    },
};

/// Interval at which the datagram is sent again.
const RESEND_INTERVAL: Duration = Duration::from_millis(250);

/// Probe of a UDP server.
#[derive(Debug)]
pub(crate) struct Probe<'p> {
    /// Seed of the datagram.
    pub(crate) seed: u64,
    /// Size of the datagram.
    pub(crate) size: u32,
    /// Deadline of an answer.
    pub(crate) deadline: Deadline,
    /// Interrupt that Ctrl+C raises.
    pub(crate) interrupt: &'p Interrupt,
}

/// Server that has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its address.
    pub(crate) address: SockAddr,
    /// Size of the receive buffer of a socket, as granted by the system.
    pub(crate) receive_buffer: usize,
}

impl Probe<'_> {
    /// Finds the first address that answers.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] with the reason of each address, [`Error::Interrupted`].
    pub(crate) fn run(&self, addresses: &[SockAddr], target: &Target) -> Result<Answer, Error> {
        let mut reasons = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            // An address that never answers leaves time for the others.
            let share = self.deadline.share(addresses.len() - index);
            match self.probe(address, share) {
                Ok(Some(receive_buffer)) => {
                    return Ok(Answer { address: address.clone(), receive_buffer });
                }
                Ok(None) => return Err(Error::Interrupted),
                Err(error) => reasons.push((target.show(address), target.reason(error))),
            }
        }
        Err(target.unreachable(Unreachable::combine(reasons)))
    }

    /// Takes an address without an answer, because the server may drop it on purpose.
    ///
    /// # Errors
    ///
    /// The system has no socket, or no route to the address.
    pub(crate) fn assume(address: &SockAddr, target: &Target) -> Result<Answer, Error> {
        let open = || {
            let server = address.as_socket().ok_or(io::ErrorKind::Unsupported)?;
            granted_receive_buffer(&connect(&Server::Udp(server), None)?)
        };
        let granted = open().map_err(|error| {
            let reasons = vec![(target.show(address), target.reason(error))];
            target.unreachable(Unreachable::combine(reasons))
        })?;
        Ok(Answer { address: address.clone(), receive_buffer: granted })
    }

    /// Sends datagrams to one address until one returns; returns `None` if it was interrupted.
    fn probe(&self, address: &SockAddr, deadline: Deadline) -> io::Result<Option<usize>> {
        let address = address.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let socket = connect(&Server::Udp(address), None)?;
        let mut datagram = vec![0; self.size as usize];
        Streams::new(self.seed, self.size..=self.size).write_datagram(0, 0, &mut datagram);
        loop {
            transmit(&socket, &datagram)?;
            let left = deadline.left().unwrap_or(RESEND_INTERVAL);
            let mut fds =
                [PollFd::new(&socket, PollFlags::IN), PollFd::new(self.interrupt, PollFlags::IN)];
            poll(&mut fds, Deadline::after(left.min(RESEND_INTERVAL)))?;
            if !fds[1].revents().is_empty() {
                return Ok(None);
            }
            match receive(&socket, &mut datagram) {
                // Any answer shows that a server is there. The load checks the bytes.
                Ok(_) => return granted_receive_buffer(&socket).map(Some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

/// Returns the granted size of the receive buffer. Linux doubles the requested size for its own use
/// (socket(7)).
fn granted_receive_buffer(socket: &Socket) -> io::Result<usize> {
    Ok(socket.recv_buffer_size()? / 2)
}
