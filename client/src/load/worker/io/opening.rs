//! Connection that is being made: the socket connects, its layers make their handshakes, and the login is exchanged.

use std::{
    io::{self, ErrorKind as Io},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mio::Token;
use rustix::io::Errno;

use super::{context::Context, socket::connect, wire::Wire};
use crate::{
    load::ipc::worker_config::Server,
    login::{self, Dialogue},
};

/// Maximum number of reads of the answers to a login in one call. It has room for the longest last answer, which is read byte
/// by byte.
const MAX_READS: usize = 16 * 1024;

/// Connection that is being made.
#[derive(Debug)]
pub(crate) struct Opening<W> {
    wire: W,
    started_at: Duration,
    /// Time at which the socket was connected, before its handshakes.
    connected_at: Option<Duration>,
    /// Time at which the TLS handshake was complete, before that of WebSocket.
    secured_at: Option<Duration>,
    /// Time at which the handshakes were complete, before the login.
    upgraded_at: Option<Duration>,
    /// Login that is not complete.
    login: Option<Box<Dialogue>>,
}

impl<W: Wire> Opening<W> {
    /// Starts to connect from a local address; `None` leaves its choice to the system.
    ///
    /// # Errors
    ///
    /// The system has no descriptor or port left, or no route to the server. [`WouldBlock`](Io::WouldBlock) is temporary.
    pub(crate) fn start<S>(
        context: &Context<'_, S>,
        token: Token,
        source: Option<IpAddr>,
    ) -> io::Result<Self> {
        let socket = connect(&context.config.server, source)?;
        context.register(&socket, token)?;
        Ok(Self {
            wire: W::new(context, socket)?,
            started_at: context.now(),
            connected_at: None,
            secured_at: None,
            upgraded_at: None,
            login: None,
        })
    }

    /// Continues, if the socket is ready; returns `true` if the connection is made.
    ///
    /// # Errors
    ///
    /// The connection, a handshake or the login failed.
    pub(crate) fn advance<S>(&mut self, context: &mut Context<'_, S>) -> io::Result<bool> {
        self.check_connected(context)?;
        let Some(connected_at) = self.connected_at else { return Ok(false) };
        if self.secured_at.is_none() {
            if !self.wire.complete_handshake()? {
                return Ok(false);
            }
            let now = context.now();
            self.secured_at = Some(now);
            if let Some(is_resumed) = self.wire.is_resumed() {
                context.stats.handshake.record(now.saturating_sub(connected_at));
                context.stats.resumed += u64::from(is_resumed);
            }
        }
        if self.upgraded_at.is_none() {
            if !self.wire.complete_upgrade()? {
                return Ok(false);
            }
            let now = context.now();
            self.upgraded_at = Some(now);
            if let (true, Some(secured_at)) = (W::IS_WEBSOCKET, self.secured_at) {
                context.stats.upgrade.record(now.saturating_sub(secured_at));
            }
            let channel = self.wire.channel();
            self.login = context.login.as_ref().map(|it| Dialogue::new(it, channel).into());
        }
        let is_complete = self.complete_login(context)?;
        context.stats.connects += u64::from(is_complete);
        Ok(is_complete)
    }

    /// Returns the wire, of which the handshakes may not be complete.
    pub(crate) fn wire_mut(&mut self) -> &mut W {
        &mut self.wire
    }

    /// Returns the local address of a socket with addresses of IP.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.wire.socket().local_addr().ok()?.as_socket()
    }

    /// Returns `true` if the socket is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected_at.is_some()
    }

    /// Returns the wire of the connection that is made.
    pub(crate) fn into_wire(self) -> W {
        self.wire
    }

    /// Returns the error for a handshake or a login that is not complete within the limit; `None` if the socket is not
    /// connected.
    pub(crate) fn late_handshake(&self, limit: Duration) -> Option<io::Error> {
        self.connected_at?;
        if self.login.is_some() {
            return Some(login::Error::Late(limit).into());
        }
        Some(self.wire.late(self.secured_at.is_some(), limit))
    }

    /// Finds out whether the socket is connected.
    fn check_connected<S>(&mut self, context: &mut Context<'_, S>) -> io::Result<()> {
        if self.connected_at.is_some() {
            return Ok(());
        }
        let socket = self.wire.socket();
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => {}
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOTCONN) => return Ok(()),
            Err(error) => return Err(error),
        }
        if let Server::Tcp(_) = context.config.server {
            socket.set_tcp_nodelay(true)?;
        }
        let now = context.now();
        context.stats.connect.record(now.saturating_sub(self.started_at));
        self.connected_at = Some(now);
        Ok(())
    }

    /// Continues the login, if there is one; returns `true` if it is complete.
    fn complete_login<S>(&mut self, context: &mut Context<'_, S>) -> io::Result<bool> {
        let Some(login) = &mut self.login else { return Ok(true) };
        let wire = &mut self.wire;
        for _ in 0..MAX_READS {
            while !login.unsent().is_empty() {
                match wire.transmit(login.unsent(), || 0) {
                    Ok(count) => login.mark_sent(count),
                    Err(error) if error.kind() == Io::Interrupted => {}
                    Err(error) if error.kind() == Io::WouldBlock => break,
                    // The server may have answered before it ended.
                    Err(_) => login.mark_sent(login.unsent().len()),
                }
            }
            let max = login.max_read().min(context.received.len());
            match wire.receive(&mut context.received[..max]) {
                Ok(0) => return Err(login.end().into()),
                Ok(count) => {
                    let received = login.receive(&context.received[..count]);
                    if received.map_err(io::Error::from)?.is_some() {
                        self.login = None;
                        let since = self.upgraded_at.unwrap_or_default();
                        context.stats.login.record(context.now().saturating_sub(since));
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(false),
                Err(error) if error.kind() == Io::ConnectionReset => {
                    return Err(login.end().into());
                }
                Err(error) => return Err(error),
            }
        }
        // Only a server that sends records of TLS without bytes gets so far. The time limit ends it.
        Ok(false)
    }
}
