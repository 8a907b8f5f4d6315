//! A proxy in front of a server, which damages one direction of each connection.

use std::{
    io::{Read, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
};

use super::mock_server;

/// The direction that a [proxy](lossy_proxy) damages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    Back,
}

/// What a [proxy](lossy_proxy) does to a direction. Positions count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It loses this number of bytes from this position on.
    Lose(usize, usize),
    /// It adds a byte before the one at this position.
    Add(usize),
    /// It inverts the least bit of the byte at this position.
    Change(usize),
    /// It loses the data message with this number, over a WebSocket whose messages have one frame each.
    LoseMessage(usize),
    /// It sends the data message with this number twice.
    RepeatMessage(usize),
    /// It inverts the least bit of the last byte of the data message with this number.
    ChangeMessage(usize),
}

/// Starts a proxy that damages one direction. Returns its address.
#[must_use]
pub fn lossy_proxy(server: SocketAddr, direction: Direction, damage: Damage) -> SocketAddr {
    mock_server::serve(move |client| {
        let Ok(upstream) = TcpStream::connect(server) else { return };
        let (Ok(requests), Ok(sink)) = (client.try_clone(), upstream.try_clone()) else { return };
        thread::spawn(move || {
            relay(requests, sink, (direction == Direction::ToServer).then_some(damage));
        });
        relay(upstream, client, (direction == Direction::Back).then_some(damage));
    })
}

fn relay(source: TcpStream, mut sink: TcpStream, damage: Option<Damage>) {
    let _ = match damage {
        Some(
            damage @ (Damage::LoseMessage(_) | Damage::RepeatMessage(_) | Damage::ChangeMessage(_)),
        ) => relay_messages(source, &mut sink, damage),
        damage => relay_bytes(source, &mut sink, damage),
    };
    let _ = sink.shutdown(Shutdown::Write);
}

/// Relays until the source ends. Returns `None` if an end has failed.
fn relay_bytes(mut source: impl Read, sink: &mut TcpStream, damage: Option<Damage>) -> Option<()> {
    let (mut buffer, mut position) = (vec![0; 64 * 1024], 0);
    loop {
        let len = source.read(&mut buffer).ok().filter(|&len| len > 0)?;
        let bytes = buffer[..len].iter().enumerate().flat_map(|(index, &byte)| {
            let at = position + index;
            match damage {
                Some(Damage::Lose(from, count)) if (from..from + count).contains(&at) => vec![],
                Some(Damage::Add(before)) if at == before => vec![b'+', byte],
                Some(Damage::Change(changed)) if at == changed => vec![byte ^ 1],
                _ => vec![byte],
            }
        });
        sink.write_all(&bytes.collect::<Vec<u8>>()).ok()?;
        position += len;
    }
}

/// Relays the head of HTTP, and then frames (RFC 6455, section 5.2), until the source ends. Returns `None` if an end has
/// failed.
fn relay_messages(mut source: impl Read, sink: &mut TcpStream, damage: Damage) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read(&mut source, 1)?);
    }
    sink.write_all(&head).ok()?;
    let mut number = 0;
    loop {
        let mut frame = read_frame(&mut source)?;
        let is_data = frame[0] & 0x0f < 8;
        let copies = match damage {
            Damage::LoseMessage(lost) if is_data && number == lost => 0,
            Damage::RepeatMessage(repeated) if is_data && number == repeated => 2,
            Damage::ChangeMessage(changed) if is_data && number == changed => {
                *frame.last_mut()? ^= 1;
                1
            }
            _ => 1,
        };
        for _ in 0..copies {
            sink.write_all(&frame).ok()?;
        }
        number += usize::from(is_data);
    }
}

fn read_frame(source: &mut impl Read) -> Option<Vec<u8>> {
    let mut frame = read(source, 2)?;
    let short = frame[1] & 0x7f;
    let extended = match short {
        126 => read(source, 2)?,
        127 => read(source, 8)?,
        _ => Vec::new(),
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let payload = if extended.is_empty() { u64::from(short) } else { number(&extended) };
    let mask = if frame[1] & 0x80 == 0 { 0 } else { 4 };
    frame.extend(extended);
    frame.extend(read(source, mask + usize::try_from(payload).ok()?)?);
    Some(frame)
}

fn read(source: &mut impl Read, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    source.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
