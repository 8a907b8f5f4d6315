//! Echo of WebSocket messages, as in the examples of two libraries.

use std::io::{self, ErrorKind};

use clap::ValueEnum;
use common::websocket;
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Maximum length of the head of a handshake.
const MAX_HEAD: usize = 16 * 1024;

/// Implementation of WebSocket.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Library {
    Tungstenite,
    Fastwebsockets,
}

/// Echoes the messages of a connection.
pub(crate) async fn echo(stream: TcpStream, library: Library) -> anyhow::Result<()> {
    match library {
        Library::Tungstenite => with_tungstenite(stream).await,
        Library::Fastwebsockets => with_fastwebsockets(stream).await,
    }
}

async fn with_tungstenite(stream: TcpStream) -> anyhow::Result<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await.transpose()? {
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn with_fastwebsockets(mut stream: TcpStream) -> anyhow::Result<()> {
    accept(&mut stream).await?;
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// Answers the handshake. The library does so only on hyper.
async fn accept(stream: &mut TcpStream) -> io::Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.ends_with(b"\r\n\r\n") {
        let len = stream.read(&mut buffer).await?;
        if len == 0 || head.len() > MAX_HEAD {
            return Err(ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&buffer[..len]);
    }
    let head = String::from_utf8_lossy(&head);
    let key = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("Sec-WebSocket-Key").then_some(value));
    let key = key.ok_or(ErrorKind::InvalidData)?;
    let accept = websocket::accept(key);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await
}
