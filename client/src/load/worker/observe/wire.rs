//! Wire of an observed connection: a socket with its layers, of which every byte is counted.

use std::{
    io::{self, ErrorKind as Io, Read as _, Write as _},
    net::Shutdown,
    time::Duration,
};

use socket2::Socket;

use super::tap::{Tap, Tapped};
use crate::{
    load::worker::io::{
        context::Context,
        wire::{Wire, from_tls},
    },
    login::Channel,
    receipt::Ledger,
    tls::{self, Session},
    websocket::{Error, Format, Handshake, NORMAL, Opcode, Output},
};

/// Maximum number of reads of the answer to the handshake of WebSocket in one call.
const MAX_READS: usize = 64;

/// Socket with its layers. It returns the frames of a WebSocket as they are.
#[derive(Debug)]
pub(super) struct ObservedWire {
    socket: Socket,
    pub(super) tap: Tap,
    session: Option<Box<Session>>,
    handshake: Option<Box<Handshake>>,
    /// Frames that arrived with the answer of the handshake.
    early: Vec<u8>,
    output: Output,
    /// Opcode of the messages; `None` without WebSocket.
    opcode: Option<Opcode>,
    /// The handshake of TLS is complete.
    pub(super) is_secured: bool,
    /// Number of bytes without TLS that were received.
    plain_received: u64,
    /// Our direction of the socket is closed.
    is_shut_down: bool,
    ledger: Option<Box<Ledger>>,
}

impl ObservedWire {
    /// Returns the first byte of the frame of a message; `None` without WebSocket.
    pub(super) fn frame_start(&self) -> Option<u8> {
        Some(0x80 | self.opcode? as u8)
    }

    /// Returns the number of bytes without TLS that have arrived, and that no receive has returned as an echo yet.
    pub(super) fn head(&self) -> u64 {
        self.plain_received - self.early.len() as u64
    }

    /// Sends what waits; returns `true` if nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        while !self.output.is_empty() {
            match self.send(None) {
                Ok(count) => self.output.mark_sent(count),
                Err(error) if error.kind() == Io::WouldBlock => return false,
                // The next receive returns the reason.
                Err(_) => self.output.discard(),
            }
        }
        let Some(session) = &mut self.session else { return true };
        session.flush(&mut Tapped { socket: &self.socket, tap: &mut self.tap });
        if session.has_sent_end() && !session.wants_write() {
            self.shut_down();
            return true;
        }
        !session.wants_write()
    }

    /// Encodes a message, which the next [`flush`](Self::flush) sends. Without WebSocket, it is `false`.
    pub(super) fn encode(&mut self, message: &[u8]) -> bool {
        let Some(opcode) = self.opcode else { return false };
        self.output.begin(opcode, message.len() as u64);
        self.output.extend(message);
        true
    }

    /// Answers a ping.
    pub(super) fn answer(&mut self, payload: Vec<u8>) {
        self.output.push_pong(payload);
    }

    /// Receives bytes below the layers, after their end; zero is the end.
    pub(super) fn receive_rest(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Tapped { socket: &self.socket, tap: &mut self.tap }.read(buffer)
    }

    /// Sends bytes below WebSocket: these, or those of the frames.
    fn send(&mut self, bytes: Option<&[u8]>) -> io::Result<usize> {
        let bytes = bytes.unwrap_or_else(|| self.output.bytes());
        let mut socket = Tapped { socket: &self.socket, tap: &mut self.tap };
        let sent = match &mut self.session {
            Some(session) => session.send(bytes, &mut socket),
            None => socket.write(bytes),
        };
        match sent {
            Ok(0) => Err(Io::WouldBlock.into()),
            sent => sent,
        }
    }

    fn shut_down(&mut self) {
        if !std::mem::replace(&mut self.is_shut_down, true) {
            // If the connection is lost, the next read returns the reason.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }
}

impl Wire for ObservedWire {
    fn new<S>(context: &Context<'_, S>, socket: Socket) -> io::Result<Self> {
        let session = match (&context.config.tls, &context.tls) {
            (None, _) => None,
            (Some(_), Some(client)) => Some(Box::new(Session::new(client).map_err(from_tls)?)),
            (Some(_), None) => return Err(Io::Unsupported.into()),
        };
        let websocket = context.config.websocket.as_ref();
        Ok(Self {
            tap: Tap::new(session.is_some()),
            socket,
            session,
            handshake: websocket.map(|options| Box::new(Handshake::new(options))),
            early: Vec::new(),
            output: Output::default(),
            opcode: websocket.map(|options| match options.format {
                Format::Texts => Opcode::Text,
                _ => Opcode::Binary,
            }),
            is_secured: false,
            plain_received: 0,
            is_shut_down: false,
            ledger: None,
        })
    }

    fn socket(&self) -> &Socket {
        &self.socket
    }

    fn ledger(&mut self) -> &mut Option<Box<Ledger>> {
        &mut self.ledger
    }

    fn complete_handshake(&mut self) -> io::Result<bool> {
        let Some(session) = &mut self.session else { return Ok(true) };
        let mut socket = Tapped { socket: &self.socket, tap: &mut self.tap };
        self.is_secured = session.advance(&mut socket).map_err(from_tls)?;
        Ok(self.is_secured)
    }

    fn complete_upgrade(&mut self) -> io::Result<bool> {
        let Some(mut handshake) = self.handshake.take() else { return Ok(true) };
        while !handshake.unsent().is_empty() {
            match self.send(Some(handshake.unsent())) {
                Ok(count) => handshake.mark_sent(count),
                Err(error) if error.kind() == Io::WouldBlock => break,
                // The server may have answered before it ended.
                Err(_) => handshake.mark_sent(handshake.unsent().len()),
            }
        }
        let mut buffer = [0; 4096];
        for _ in 0..MAX_READS {
            match self.receive(&mut buffer) {
                Ok(0) => return Err(handshake.end().into()),
                Ok(count) => {
                    if let Some(accepted) =
                        handshake.receive(&buffer[..count]).map_err(io::Error::from)?
                    {
                        self.early = accepted.rest;
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => {
                    self.handshake = Some(handshake);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.handshake = Some(handshake);
        Ok(false)
    }

    fn late(&self, is_secured: bool, limit: Duration) -> io::Error {
        match (is_secured, &self.session) {
            (false, Some(_)) => from_tls(tls::Error::Late(limit)),
            _ => Error::Late(limit).into(),
        }
    }

    fn is_resumed(&self) -> Option<bool> {
        self.session.as_ref().map(|session| session.is_resumed())
    }

    fn channel(&self) -> Channel {
        self.session.as_ref().map_or_else(Channel::default, |session| session.channel())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.early.is_empty() {
            let count = self.early.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.early[..count]);
            self.early.drain(..count);
            return Ok(count);
        }
        self.flush();
        let mut socket = Tapped { socket: &self.socket, tap: &mut self.tap };
        let received = match &mut self.session {
            None => socket.read(buffer),
            Some(session) => {
                session.fill(&mut socket);
                match session.receive(buffer) {
                    Ok(Some(count)) => Ok(count),
                    Ok(None) => Err(Io::WouldBlock.into()),
                    Err(error) => {
                        // The alert.
                        session.flush(&mut socket);
                        Err(from_tls(error))
                    }
                }
            }
        };
        if let Ok(count) = received {
            self.plain_received += count as u64;
        }
        received
    }

    fn may_have_more(&mut self) -> bool {
        true
    }

    fn transmit(&mut self, bytes: &[u8], _: impl FnOnce() -> u64) -> io::Result<usize> {
        self.send(Some(bytes))
    }

    fn half_close(&mut self) {
        match (self.opcode, &mut self.session) {
            // After the close frames, the server ends the connection.
            (Some(_), _) => self.output.close(Some(NORMAL)),
            (None, Some(session)) => session.send_end(),
            (None, None) => self.shut_down(),
        }
        self.flush();
    }
}
