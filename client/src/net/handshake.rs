//! TLS handshake on a connected socket, with a deadline and an interrupt.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};

use super::{
    poll::{Deadline, Interrupt, poll},
    transport::Transport,
};
use crate::tls;

/// Failure of a handshake.
#[derive(Debug)]
pub(super) enum Failure {
    /// The deadline passed.
    Late,
    /// The interrupt was raised.
    Interrupted,
    /// The server is not the right one, or refused the handshake.
    Tls(tls::Error),
}

impl From<tls::Error> for Failure {
    fn from(error: tls::Error) -> Self {
        Self::Tls(error)
    }
}

/// Makes the handshake.
pub(super) fn handshake(
    socket: OwnedFd,
    client: &tls::Client,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> Result<Transport, Failure> {
    let transport = Transport::with_tls(socket, tls::Session::new(client)?);
    while !transport.advance_handshake()? {
        let write = if transport.wants_write() { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = vec![PollFd::new(&transport, PollFlags::IN | write)];
        fds.extend(interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
        poll(&mut fds, deadline).map_err(tls::Error::Io)?;
        if fds[1..].iter().any(|interrupt| !interrupt.revents().is_empty()) {
            return Err(Failure::Interrupted);
        }
        // Events that arrive together with the deadline still count.
        if fds[0].revents().is_empty() {
            return Err(Failure::Late);
        }
    }
    Ok(transport)
}
