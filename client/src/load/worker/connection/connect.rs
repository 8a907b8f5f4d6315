//! Connecting, and connecting again after the server has ended the connection.

use std::io::{self, ErrorKind as Io};

use rustix::io::Errno;

use super::state::{Connection, State};
use crate::{
    load::{
        ipc::worker_config::Server,
        stats::error_kind::ErrorKind,
        worker::io::{context::Context, socket::connect, wire::Wire},
    },
    login::{self, Dialogue},
};

/// Maximum number of reads of the answers to a login in one call. It has room for the longest ones.
const MAX_READS: usize = 64;

impl<W: Wire> Connection<W> {
    pub(super) fn start_connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let socket = connect(&context.config.server, self.source)?;
        context.register(&socket, self.token)?;
        self.state = State::Connecting(W::new(context, socket)?);
        (self.connected_at, self.secured_at, self.upgraded_at) = (None, None, None);
        self.login = None;
        self.last_activity = context.now();
        self.has_pending_end = false;
        Ok(())
    }

    /// Opens the connection, if it is connecting, the socket is ready and the handshake complete.
    pub(super) fn complete_connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.check_connected(context)?;
        let Some(connected_at) = self.connected_at else { return Ok(()) };
        let State::Connecting(wire) = &mut self.state else { return Ok(()) };
        if self.secured_at.is_none() {
            if !wire.complete_handshake()? {
                return Ok(());
            }
            let now = context.now();
            self.secured_at = Some(now);
            if let Some(is_resumed) = wire.is_resumed() {
                context.stats.handshake.record(now.saturating_sub(connected_at));
                context.stats.resumed += u64::from(is_resumed);
            }
        }
        if self.upgraded_at.is_none() {
            if !wire.complete_upgrade()? {
                return Ok(());
            }
            let now = context.now();
            self.upgraded_at = Some(now);
            if let (true, Some(secured_at)) = (W::IS_WEBSOCKET, self.secured_at) {
                context.stats.upgrade.record(now.saturating_sub(secured_at));
            }
            let channel = wire.channel();
            self.login = context.login.as_ref().map(|it| Dialogue::new(it, channel).into());
        }
        if !self.complete_login(context)? {
            return Ok(());
        }
        context.stats.connects += 1;
        if let State::Connecting(wire) = self.take_state() {
            self.state = State::Open(wire);
        }
        self.lines_at_connect = self.expectation.returned_lines();
        Ok(())
    }

    /// Continues the login, if there is one; returns `true` if it is complete.
    fn complete_login(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let State::Connecting(wire) = &mut self.state else { return Ok(true) };
        let Some(login) = &mut self.login else { return Ok(true) };
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
            match wire.receive(&mut context.received) {
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

    /// Finds out whether the socket is connected.
    fn check_connected(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let State::Connecting(wire) = &self.state else { return Ok(()) };
        if self.connected_at.is_some() {
            return Ok(());
        }
        let socket = wire.socket();
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
        context.stats.connect.record(now.saturating_sub(self.last_activity));
        self.connected_at = Some(now);
        Ok(())
    }

    /// Connects again after the server has drained and ended the connection. The messages in flight are
    /// sent again.
    pub(super) fn reconnect_after_drain(&mut self, context: &mut Context<'_>) {
        self.count_close(context);
        context.stats.drains += 1;
        context.stats.bytes_resent += self.expectation.outstanding_bytes();
        context.stats.resent += self.expectation.requeue(&context.streams);
        self.state = State::Disconnected;
        // A server that ends every connection immediately gets no more attempts than one that is not
        // reachable.
        if self.drained_at.is_none() {
            self.drained_at = Some(context.now());
            self.try_reconnect(context);
        }
    }

    pub(super) fn try_reconnect(&mut self, context: &mut Context<'_>) {
        if self.start_connect(context).is_err() {
            self.state = State::Disconnected;
        }
    }

    /// Handles a failed connect: it is retried if the server may be restarting, or if the backlog of its
    /// Unix socket is full.
    pub(super) fn retry_later(
        &mut self,
        context: &mut Context<'_>,
        error: &io::Error,
    ) -> Result<(), ErrorKind> {
        let kind = context.record_failure(error);
        let is_final = login::Error::inside(error).is_some_and(login::Error::is_final);
        if is_final || !context.config.expect_restart && error.kind() != Io::WouldBlock {
            return Err(match kind {
                None if error.kind() == Io::UnexpectedEof => ErrorKind::Tls,
                kind => kind.unwrap_or(ErrorKind::Connect),
            });
        }
        self.drained_at.get_or_insert(context.now());
        self.state = State::Disconnected;
        Ok(())
    }
}
