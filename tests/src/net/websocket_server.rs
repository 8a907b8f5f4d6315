//! A WebSocket echo server, with one fault if the test needs it. It has its own framer, which shares nothing with the
//! programs.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use common::websocket;

use super::mock_server;

/// Behaviour of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebSocketFault {
    /// Echoes each message in one frame, also an exit.
    None,
    /// Echoes each message in fragments of one byte, with a ping before each, and requires the pongs.
    PingedFragments,
    /// Changes the first byte of the third message.
    WrongByte,
    /// Returns each message in two messages.
    Split,
    /// Returns two messages as one.
    Joined,
    /// Adds a byte to each message.
    Longer,
    /// Returns a text as a binary message, and a binary message as text.
    OtherType,
    /// Masks its frames.
    Masked,
    /// Ends the stream without a close frame after the second message.
    NoCloseFrame,
    /// Closes with this code and the reason `enough` in place of the second echo.
    Closes(u16),
    /// Answers the handshake with these lines, and ends.
    Handshake(&'static str),
    /// Never answers a close frame, nor ends.
    IgnoresClose,
    /// Sends a message without a question after the handshake.
    Greets,
    /// Sends a ping after each echo.
    PingsAfterEcho,
    /// Closes with code 1003 at a binary message.
    TextOnly,
    /// Sends messages and requires each to return, then closes.
    Asks,
    /// Sends a text that is not UTF-8 after the handshake, and requires the close frame for it.
    InvalidText,
    /// Sends [`FLOOD`] bytes of pings after the handshake and never reads. The connection stays open.
    PingFlood,
}

/// Number of bytes of the pings of a [`WebSocketFault::PingFlood`].
pub const FLOOD: usize = 48_000_000;

/// Running server. It serves for as long as the test process runs.
#[derive(Clone, Copy, Debug)]
pub struct WebSocketServer {
    address: SocketAddr,
}

impl WebSocketServer {
    /// Starts a server with this fault.
    #[must_use]
    pub fn start(fault: WebSocketFault) -> Self {
        Self::start_with_pongs(fault).0
    }

    /// Like [`WebSocketServer::start`]; also returns the payloads of the pongs that it receives, and that of the last ping of a
    /// flood as soon as it is sent.
    #[must_use]
    pub fn start_with_pongs(fault: WebSocketFault) -> (Self, Receiver<Vec<u8>>) {
        let (pongs, received) = mpsc::channel();
        let address = mock_server::serve(move |stream| {
            // A client may end its connection at any time.
            let _ = Session::serve(stream, fault, pongs.clone());
        });
        (Self { address }, received)
    }

    /// Returns the URL: `ws://127.0.0.1:40000`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

/// Connection of a client.
struct Session {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    fault: WebSocketFault,
    /// Number of messages received.
    messages: usize,
    /// Opcode and fragments of a message that is not complete.
    partial: (u8, Vec<u8>),
    /// The message that is to be joined with the next one.
    held: Option<Vec<u8>>,
    pongs: Sender<Vec<u8>>,
}

impl Session {
    fn serve(stream: TcpStream, fault: WebSocketFault, pongs: Sender<Vec<u8>>) -> io::Result<()> {
        let reader = BufReader::new(stream.try_clone()?);
        let partial = (0, Vec::new());
        let mut session =
            Self { reader, writer: stream, fault, messages: 0, partial, held: None, pongs };
        if !session.handshake()? {
            return Ok(());
        }
        match fault {
            WebSocketFault::Asks => return session.ask(),
            WebSocketFault::InvalidText => {
                session.send(0x81, b"caf\xe9")?;
                assert_eq!(session.receive_message()?, (8, 1007_u16.to_be_bytes().to_vec()));
                return Ok(());
            }
            WebSocketFault::PingFlood => return session.flood(),
            _ => {}
        }
        loop {
            let (opcode, message) = session.receive_message()?;
            match opcode {
                8 if fault == WebSocketFault::IgnoresClose => {}
                8 => return session.send(0x88, &message),
                9 => session.send(0x8a, &message)?,
                // The test may not ask for pongs.
                10 => drop(session.pongs.send(message)),
                opcode if !session.echo(opcode, message)? => return Ok(()),
                _ => {}
            }
        }
    }

    /// Returns false if the connection is over.
    fn handshake(&mut self) -> io::Result<bool> {
        let mut key = String::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            if let Some(value) = line.strip_prefix("Sec-WebSocket-Key: ") {
                value.trim_end().clone_into(&mut key);
            }
            if line.trim_end().is_empty() {
                break;
            }
        }
        if let WebSocketFault::Handshake(answer) = self.fault {
            self.writer.write_all(answer.as_bytes())?;
            return Ok(false);
        }
        let accept = websocket::accept(key);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        let mut answer = answer.into_bytes();
        if self.fault == WebSocketFault::Greets {
            // In one segment: the client has the message before it sends its own.
            answer.extend_from_slice(b"\x81\x07welcome");
        }
        self.writer.write_all(&answer)?;
        Ok(true)
    }

    /// Receives a message or a control frame; returns its opcode and payload.
    fn receive_message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let mut start = [0; 2];
            self.reader.read_exact(&mut start)?;
            let [first, second] = start;
            assert_eq!(second & 0x80, 0x80, "every frame of a client is masked");
            let mut long = [0; 8];
            match second & 0x7f {
                126 => self.reader.read_exact(&mut long[6..])?,
                127 => self.reader.read_exact(&mut long)?,
                short => long[7] = short,
            }
            let mut key = [0; 4];
            self.reader.read_exact(&mut key)?;
            let len = usize::try_from(u64::from_be_bytes(long)).expect("a length of a test");
            let mut payload = vec![0; len];
            self.reader.read_exact(&mut payload)?;
            payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            let kind = first & 0xf;
            if kind >= 8 {
                return Ok((kind, payload));
            }
            if kind != 0 {
                self.partial.0 = kind;
            }
            self.partial.1.extend(payload);
            if first & 0x80 != 0 {
                return Ok(std::mem::take(&mut self.partial));
            }
        }
    }

    /// Echoes a message; returns false if the connection is over.
    fn echo(&mut self, opcode: u8, mut message: Vec<u8>) -> io::Result<bool> {
        self.messages += 1;
        let first = 0x80 | opcode;
        match self.fault {
            WebSocketFault::Longer => message.push(b'!'),
            WebSocketFault::OtherType => {
                // Text is 1, and binary 2.
                self.send(first ^ 3, &message)?;
                return Ok(true);
            }
            WebSocketFault::WrongByte if self.messages == 3 => message[0] ^= 1,
            WebSocketFault::TextOnly if opcode == 2 => {
                self.send(0x88, &1003_u16.to_be_bytes())?;
                let _ = self.receive_message();
                return Ok(false);
            }
            WebSocketFault::NoCloseFrame if self.messages == 2 => {
                self.send(first, &message)?;
                return Ok(false);
            }
            WebSocketFault::Closes(code) if self.messages == 2 => {
                self.send(0x88, &[&code.to_be_bytes()[..], b"enough"].concat())?;
                // The answer of the client; the end of the stream would not be one.
                let _ = self.receive_message();
                return Ok(false);
            }
            WebSocketFault::Split if message.len() > 1 => {
                let (head, tail) = message.split_at(message.len() / 2);
                self.send(first, head)?;
                self.send(first, tail)?;
                return Ok(true);
            }
            WebSocketFault::Joined => {
                let Some(held) = self.held.take() else {
                    self.held = Some(message);
                    return Ok(true);
                };
                message = [held, message].concat();
            }
            WebSocketFault::PingedFragments => return self.echo_in_fragments(opcode, &message),
            _ => {}
        }
        self.send(first, &message)?;
        if self.fault == WebSocketFault::PingsAfterEcho {
            self.send(0x89, b"are you there?")?;
        }
        Ok(true)
    }

    /// Asks the client for echoes: of both types, fragmented, and longer than the buffers of both sockets.
    fn ask(&mut self) -> io::Result<()> {
        self.send(0x01, b"he")?;
        self.send(0x89, b"are you there?")?;
        self.send(0x80, b"llo")?;
        assert_eq!(self.receive_message()?, (10, b"are you there?".to_vec()));
        assert_eq!(self.receive_message()?, (1, b"hello".to_vec()));
        for (opcode, message) in
            [(2, Vec::new()), (1, b"a\nexit\nb".to_vec()), (2, vec![b'\n'; 20_000_000])]
        {
            let (frame, mut writer) =
                (self.frame(0x80 | opcode, &message), self.writer.try_clone()?);
            let sending = thread::spawn(move || writer.write_all(&frame));
            assert!(self.receive_message()? == (opcode, message), "a message returned changed");
            sending.join().expect("the sender")?;
        }
        self.send(0x88, &1000_u16.to_be_bytes())?;
        assert_eq!(self.receive_message()?, (8, 1000_u16.to_be_bytes().to_vec()));
        Ok(())
    }

    fn flood(&mut self) -> io::Result<()> {
        let ping = [b'?'; 125];
        let pings = self.frame(0x89, &ping).repeat(1000);
        for _ in 0..FLOOD / pings.len() {
            self.writer.write_all(&pings)?;
        }
        // The test may have ended.
        let _ = self.pongs.send(ping.to_vec());
        loop {
            thread::park();
        }
    }

    fn echo_in_fragments(&mut self, opcode: u8, message: &[u8]) -> io::Result<bool> {
        for (index, byte) in message.iter().enumerate() {
            self.send(0x89, b"are you there?")?;
            self.send(if index == 0 { opcode } else { 0 }, &[*byte])?;
        }
        self.send(if message.is_empty() { 0x80 | opcode } else { 0x80 }, b"")?;
        for _ in message {
            let (kind, payload) = self.receive_message()?;
            assert_eq!((kind, &payload[..]), (10, &b"are you there?"[..]), "a ping has a pong");
        }
        Ok(true)
    }

    fn send(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        self.writer.write_all(&self.frame(first, payload))
    }

    fn frame(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = if self.fault == WebSocketFault::Masked { 0x80 } else { 0 };
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(mask | u8::try_from(len).expect("a short length")),
            len @ 126..65_536 => {
                frame.push(mask | 0x7e);
                frame.extend(&len.to_be_bytes()[6..]);
            }
            len => {
                frame.push(mask | 0x7f);
                frame.extend(len.to_be_bytes());
            }
        }
        if mask != 0 {
            frame.extend([0; 4]);
        }
        frame.extend(payload);
        frame
    }
}
