//! What the members of a room speak: with our server, with the floor, and with brokers.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

/// The room, the channel of Redis, and the subject of NATS.
const ROOM: &str = "bench";

/// Question of NATS to an idle client, between two messages.
pub(crate) const PING: &[u8] = b"PING\r\n";

/// The answer.
pub(crate) const PONG: &[u8] = b"PONG\r\n";

/// What the members of a room speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wire {
    /// The text of each message and nothing else
    #[default]
    Raw,
    /// A room of echo-server, in lines
    Lines,
    /// A room of echo-server, in frames
    Frames,
    /// Redis pub/sub
    Redis,
    /// NATS
    Nats,
}

/// The place of the text in a delivery. All deliveries have the same length.
pub(crate) struct Layout {
    /// The first bytes of every delivery.
    pub(crate) start: Vec<u8>,
    pub(crate) text_at: usize,
    /// What follows the text.
    pub(crate) end: &'static [u8],
    pub(crate) len: usize,
}

impl Wire {
    /// Makes a connection a member, and waits until it is one.
    pub(crate) fn join(self, stream: &TcpStream) -> anyhow::Result<()> {
        match self {
            // The loop accepts in the order of the connections: the last one sends, and then all are members.
            Self::Raw => Ok(()),
            // A client that sends nothing is served later; the server ignores an empty message.
            Self::Lines => ask(stream, b"\n", b"* You are "),
            Self::Frames => ask(stream, &frame(b""), ROOM.as_bytes()),
            Self::Redis => ask(stream, format!("SUBSCRIBE {ROOM}\r\n").as_bytes(), b":1\r\n"),
            Self::Nats => {
                let hello = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
                let question = format!("{hello}SUB {ROOM} 1\r\nPING\r\n");
                ask(stream, question.as_bytes(), PONG)
            }
        }
    }

    /// Prepares a member that sends. Returns the connection on which it sends, if that is another one than `stream`.
    pub(crate) fn prepare_sender(
        self,
        stream: &TcpStream,
        number: usize,
        connect: impl FnOnce() -> anyhow::Result<TcpStream>,
    ) -> anyhow::Result<Option<TcpStream>> {
        let name = name(number);
        let answer = format!("You are now {name}");
        match self {
            Self::Raw | Self::Nats => {}
            Self::Lines => ask(stream, format!("/name {name}\n").as_bytes(), answer.as_bytes())?,
            Self::Frames => {
                ask(stream, &frame(format!("/name {name}").as_bytes()), answer.as_bytes())?;
            }
            Self::Redis => {
                // A connection that subscribes cannot publish.
                let publisher = connect()?;
                (&publisher).write_all(b"CLIENT REPLY OFF\r\n")?;
                return Ok(Some(publisher));
            }
        }
        Ok(None)
    }

    /// Returns what a member sends for a message with this text.
    pub(crate) fn message(self, text: &[u8]) -> Vec<u8> {
        let len = text.len();
        match self {
            Self::Raw => text.to_vec(),
            Self::Lines => [text, b"\n"].concat(),
            Self::Frames => frame(text),
            Self::Redis => {
                let head =
                    format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{ROOM}\r\n${len}\r\n", ROOM.len());
                [head.as_bytes(), text, b"\r\n"].concat()
            }
            Self::Nats => [format!("PUB {ROOM} {len}\r\n").as_bytes(), text, b"\r\n"].concat(),
        }
    }

    /// Returns the form in which each member receives messages with a text of this length.
    pub(crate) fn layout(self, text: usize) -> Layout {
        let layout = |start: Vec<u8>, between, end: &'static [u8]| {
            let text_at = start.len() + between;
            let len = text_at + text + end.len();
            Layout { start, text_at, end, len }
        };
        let name_len = name(0).len();
        match self {
            Self::Raw => layout(Vec::new(), 0, b""),
            Self::Lines => layout(b"sender-".to_vec(), name_len + 2 - 7, b"\n"),
            Self::Frames => {
                let head = 1 + 8 + 1 + name_len;
                let mut start = frame(&vec![0; head + text]);
                start.truncate(4);
                start.push(b'm');
                layout(start, head - 1, b"")
            }
            Self::Redis => {
                let channel = ROOM.len();
                let start = format!("*3\r\n$7\r\nmessage\r\n${channel}\r\n{ROOM}\r\n${text}\r\n");
                layout(start.into(), 0, b"\r\n")
            }
            Self::Nats => layout(format!("MSG {ROOM} 1 {text}\r\n").into(), 0, b"\r\n"),
        }
    }
}

/// Returns the name of a sender. All have the same length.
fn name(number: usize) -> String {
    format!("sender-{number:02}")
}

fn frame(payload: &[u8]) -> Vec<u8> {
    common::frame::encode(payload).expect("a short payload")
}

fn ask(mut stream: &TcpStream, question: &[u8], answer: &[u8]) -> anyhow::Result<()> {
    stream.write_all(question)?;
    wait_for(stream, answer)
}

/// Reads until these bytes have arrived, and perhaps more.
pub(crate) fn wait_for(mut stream: &TcpStream, expected: &[u8]) -> anyhow::Result<()> {
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let len = stream.read(&mut buffer).context("the server does not answer")?;
        ensure!(len > 0, "the server has closed a connection");
        // The expected bytes may begin in what was received before.
        let from = received.len() - expected.len().min(received.len());
        received.extend_from_slice(&buffer[..len]);
        if received[from..].windows(expected.len()).any(|bytes| bytes == expected) {
            return Ok(());
        }
    }
}
