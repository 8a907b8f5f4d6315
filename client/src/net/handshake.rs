//! Handshakes of the layers on a connected socket, with a deadline and an interrupt.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};

use super::{
    byte_transport::{ByteTransport, Received},
    error::Error,
    poll::{Deadline, Interrupt, poll},
    transport::Transport,
};
use crate::{
    login::{self, Dialogue, Mechanism},
    tls,
    websocket::{self, Handshake},
};

/// Failure of a handshake.
#[derive(Debug)]
pub(super) enum Failure {
    /// The deadline passed.
    Late,
    /// The interrupt was raised.
    Interrupted,
    /// The server is not the right one, or refused the handshake of TLS.
    Tls(tls::Error),
    /// The server refused the login, or is not the right one.
    Login(login::Error),
    /// The server refused the handshake of WebSocket.
    WebSocket(websocket::Error),
}

impl From<tls::Error> for Failure {
    fn from(error: tls::Error) -> Self {
        Self::Tls(error)
    }
}

impl From<login::Error> for Failure {
    fn from(error: login::Error) -> Self {
        Self::Login(error)
    }
}

impl From<websocket::Error> for Failure {
    fn from(error: websocket::Error) -> Self {
        Self::WebSocket(error)
    }
}

/// Makes the handshake of TLS.
pub(super) fn handshake(
    socket: OwnedFd,
    client: &tls::Client,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> Result<ByteTransport, Failure> {
    let transport = ByteTransport::with_tls(socket, tls::Session::new(client)?);
    while !transport.advance_handshake()? {
        wait(&transport, transport.wants_write(), deadline, interrupt)?;
    }
    Ok(transport)
}

/// Logs in; returns the mechanism.
pub(super) fn log_in(
    bytes: &ByteTransport,
    client: &login::Client,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> Result<Mechanism, Failure> {
    let (mut dialogue, mut buffer) = (Dialogue::new(client, bytes.channel()), [0; 4096]);
    loop {
        while !dialogue.unsent().is_empty() {
            match bytes.send(dialogue.unsent()) {
                Ok(0) => break,
                Ok(count) => dialogue.mark_sent(count),
                // The server may have answered before it ended.
                Err(_) => dialogue.mark_sent(dialogue.unsent().len()),
            }
        }
        let max = dialogue.max_read().min(buffer.len());
        match bytes.receive(&mut buffer[..max]) {
            Ok(Received::Bytes(count)) => {
                if let Some(mechanism) = dialogue.receive(&buffer[..count])? {
                    return Ok(mechanism);
                }
            }
            Ok(Received::Nothing) => {
                let write = bytes.wants_write() || !dialogue.unsent().is_empty();
                wait(bytes, write, deadline, interrupt)?;
                bytes.handle_events(PollFlags::OUT);
            }
            Err(Error::Tls(error)) => return Err(error.into()),
            Err(Error::Lost { error, has_answered: true }) => {
                return Err(login::Error::Io(error).into());
            }
            Ok(Received::End) | Err(_) => return Err(dialogue.end().into()),
        }
    }
}

/// Makes the handshake of WebSocket, after which a server may be to send a receipt; returns the transport, and the subprotocol that the server has selected.
pub(super) fn upgrade(
    bytes: ByteTransport,
    options: &websocket::Options,
    expects_receipt: bool,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> Result<(Transport, Option<String>), Failure> {
    let (mut handshake, mut buffer) = (Handshake::new(options), [0; 4096]);
    let accepted = loop {
        while !handshake.unsent().is_empty() {
            match bytes.send(handshake.unsent()) {
                Ok(0) => break,
                Ok(count) => handshake.mark_sent(count),
                // The server may have answered before it ended.
                Err(_) => handshake.mark_sent(handshake.unsent().len()),
            }
        }
        match bytes.receive(&mut buffer) {
            Ok(Received::Bytes(count)) => {
                if let Some(accepted) = handshake.receive(&buffer[..count])? {
                    break accepted;
                }
            }
            Ok(Received::Nothing) => {
                let write = bytes.wants_write() || !handshake.unsent().is_empty();
                wait(&bytes, write, deadline, interrupt)?;
                bytes.handle_events(PollFlags::OUT);
            }
            Err(Error::Tls(error)) => return Err(error.into()),
            Err(Error::Lost { error, has_answered: true }) => {
                return Err(websocket::Error::Io(error).into());
            }
            Ok(Received::End) | Err(_) => return Err(handshake.end().into()),
        }
    };
    let mut session = websocket::Session::new(options.format);
    if expects_receipt {
        session.keep_ledger();
    }
    session.feed(&accepted.rest);
    Ok((Transport::with_websocket(bytes, session), accepted.protocol))
}

/// Waits until the socket is readable, or writable if `write`.
fn wait(
    bytes: &ByteTransport,
    write: bool,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> Result<(), Failure> {
    let write = if write { PollFlags::OUT } else { PollFlags::empty() };
    let mut fds = vec![PollFd::new(bytes, PollFlags::IN | write)];
    fds.extend(interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
    poll(&mut fds, deadline).map_err(tls::Error::Io)?;
    if fds[1..].iter().any(|interrupt| !interrupt.revents().is_empty()) {
        return Err(Failure::Interrupted);
    }
    // Events that arrive together with the deadline still count.
    if fds[0].revents().is_empty() { Err(Failure::Late) } else { Ok(()) }
}
