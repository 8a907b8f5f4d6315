//! What servers send to each other through Redis.
//!
//! Each room has a channel, `PREFIX:room:NAME`, for the events of its members:
//!
//! ```text
//! "ECR" version kind | server u64 | stream u64 | count u64 | time u64 | length of name u16 | name | text
//! kind: 'm' message   'j' joined   'l' left   'r' renamed (text = new name)
//! ```
//!
//! The channel `PREFIX:servers` has the heartbeats. They name the last event of some rooms, so that the others notice that
//! they have lost the events before a silence:
//!
//! ```text
//! "ECR" version kind | server u64 | number u64 | latest stream u64 | (length of room u8 | room | stream u64 | count u64)*
//! kind: 'h' hello, which asks the other servers for the last event of each of their rooms   's' status
//! ```
//!
//! A server says hello when it begins to listen, and names the last event of each of its own rooms as well: it may have
//! missed the hello of another server.
//!
//! Numbers are big endian. Other programs can publish to the channels, so a payload is parsed without trust.

use std::sync::Arc;

use bytes::Bytes;
use common::room::{MAX_TEXT, is_guest_name, is_room_name};
use thiserror::Error;

use super::{limits, node::Node};
use crate::rooms::{Content, Position};

const MAGIC: [u8; 3] = *b"ECR";
const VERSION: u8 = 1;

/// An event of a room on another server.
#[derive(Debug)]
pub(super) struct RemoteEvent {
    pub(super) node: Node,
    pub(super) position: Position,
    /// Its names are those that the members of this server see.
    pub(super) content: Content,
}

/// The heartbeat of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heartbeat {
    pub(super) node: Node,
    pub(super) number: u64,
    /// The highest stream of the server so far.
    pub(super) latest: u64,
    /// The server asks for the last event of each room.
    pub(super) is_hello: bool,
    /// The last event of some rooms.
    pub(super) rooms: Vec<(Arc<str>, Position)>,
}

/// Why a payload is ignored.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum PayloadError {
    #[error("it is not from an echo server")]
    Foreign,
    #[error("it has version {0}, this server knows version {VERSION}")]
    Version(u8),
    #[error("it has {0} bytes, the maximum is {max}", max = limits::PAYLOAD)]
    TooLong(usize),
    #[error("it is incomplete")]
    Incomplete,
    #[error("its kind is unknown")]
    Kind,
    #[error("it has a wrong number")]
    Number,
    #[error("it has a wrong name")]
    Name,
    #[error("its text is too long")]
    Text,
}

/// Returns the payload of an event. `None`: it is for this server only.
pub(super) fn encode_event(node: Node, position: Position, content: &Content) -> Option<Vec<u8>> {
    let (kind, time, name, text): (u8, u64, &str, &[u8]) = match content {
        Content::Message { name, text, time } => (b'm', *time, name, text),
        Content::Joined { name } => (b'j', 0, name, b""),
        Content::Left { name } => (b'l', 0, name, b""),
        Content::Renamed { name, to } => (b'r', 0, name, to.as_bytes()),
        Content::RelayGap { .. } => return None,
    };
    let mut payload = begin(kind, node);
    for number in [position.stream, position.count, time] {
        payload.extend(number.to_be_bytes());
    }
    payload.extend(u16::try_from(name.len()).ok()?.to_be_bytes());
    payload.extend(name.as_bytes());
    payload.extend(text);
    Some(payload)
}

/// Parses the payload of an event.
///
/// # Errors
///
/// If it is none.
pub(super) fn parse_event(payload: &[u8]) -> Result<RemoteEvent, PayloadError> {
    let (kind, node, mut rest) = parse_beginning(payload)?;
    let position = Position { stream: rest.number()?, count: rest.number()? };
    if position.stream == 0 || position.count == 0 {
        return Err(PayloadError::Number);
    }
    let time = rest.number()?;
    let len = u16::from_be_bytes(rest.take()?);
    let name = member_name(rest.slice(len.into())?, node)?;
    let text = rest.0;
    let content = match kind {
        b'm' if text.len() > MAX_TEXT => return Err(PayloadError::Text),
        b'm' => Content::Message { name, text: Bytes::copy_from_slice(text), time },
        b'r' => Content::Renamed { name, to: member_name(text, node)? },
        b'j' | b'l' if !text.is_empty() => return Err(PayloadError::Text),
        b'j' => Content::Joined { name },
        b'l' => Content::Left { name },
        _ => return Err(PayloadError::Kind),
    };
    Ok(RemoteEvent { node, position, content })
}

/// Returns the name of a member of another server: a guest has the tag of its server, so that it is nobody of this one.
fn member_name(name: &[u8], node: Node) -> Result<Arc<str>, PayloadError> {
    let name = str::from_utf8(name).map_err(|_| PayloadError::Name)?;
    if is_guest_name(name) {
        return Ok(format!("{name}~{node}").into());
    }
    let is_user = name.len() > 1
        && name.len() <= limits::NAME
        && name.starts_with('@')
        && !name.contains(char::is_control);
    if is_user { Ok(name.into()) } else { Err(PayloadError::Name) }
}

/// Returns the payload of a heartbeat.
pub(super) fn encode_heartbeat(heartbeat: &Heartbeat) -> Vec<u8> {
    let mut payload = begin(if heartbeat.is_hello { b'h' } else { b's' }, heartbeat.node);
    payload.extend(heartbeat.number.to_be_bytes());
    payload.extend(heartbeat.latest.to_be_bytes());
    for (room, position) in &heartbeat.rooms {
        // A name has at most 64 bytes.
        payload.push(u8::try_from(room.len()).unwrap_or(u8::MAX));
        payload.extend(room.as_bytes());
        payload.extend(position.stream.to_be_bytes());
        payload.extend(position.count.to_be_bytes());
    }
    payload
}

/// Parses the payload of a heartbeat.
///
/// # Errors
///
/// If it is none.
pub(super) fn parse_heartbeat(payload: &[u8]) -> Result<Heartbeat, PayloadError> {
    let (kind, node, mut rest) = parse_beginning(payload)?;
    let is_hello = match kind {
        b'h' => true,
        b's' => false,
        _ => return Err(PayloadError::Kind),
    };
    let (number, latest) = (rest.number()?, rest.number()?);
    let mut rooms = Vec::new();
    while !rest.0.is_empty() {
        let [len] = rest.take()?;
        let room = str::from_utf8(rest.slice(len.into())?).map_err(|_| PayloadError::Name)?;
        let position = Position { stream: rest.number()?, count: rest.number()? };
        if !is_room_name(room) {
            return Err(PayloadError::Name);
        } else if position.stream == 0 || position.count == 0 {
            return Err(PayloadError::Number);
        }
        rooms.push((room.into(), position));
    }
    Ok(Heartbeat { node, number, latest, is_hello, rooms })
}

fn begin(kind: u8, node: Node) -> Vec<u8> {
    let mut payload = MAGIC.to_vec();
    payload.extend([VERSION, kind]);
    payload.extend(node.0.to_be_bytes());
    payload
}

fn parse_beginning(payload: &[u8]) -> Result<(u8, Node, Rest<'_>), PayloadError> {
    let mut rest = Rest(payload.strip_prefix(&MAGIC).ok_or(PayloadError::Foreign)?);
    let [version] = rest.take()?;
    if version != VERSION {
        return Err(PayloadError::Version(version));
    } else if payload.len() > limits::PAYLOAD {
        return Err(PayloadError::TooLong(payload.len()));
    }
    let [kind] = rest.take()?;
    Ok((kind, Node(rest.number()?), rest))
}

/// What is left of a payload.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const LEN: usize>(&mut self) -> Result<[u8; LEN], PayloadError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(PayloadError::Incomplete)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, PayloadError> {
        self.take().map(u64::from_be_bytes)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], PayloadError> {
        let (first, rest) = self.0.split_at_checked(len).ok_or(PayloadError::Incomplete)?;
        self.0 = rest;
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Node = Node(0xa1b2_c3d4_0000_0001);
    const POSITION: Position = Position { stream: 7, count: 3 };

    fn message(name: &str, text: &[u8]) -> Vec<u8> {
        let text = Bytes::copy_from_slice(text);
        let content = Content::Message { name: name.into(), text, time: 42 };
        encode_event(NODE, POSITION, &content).unwrap()
    }

    #[test]
    fn an_event_arrives_as_it_was_sent_and_guests_have_the_tag_of_their_server() {
        let name = |text: &str| Arc::<str>::from(text);
        let cases = [
            (
                Content::Message {
                    name: name("bob"),
                    text: Bytes::from_static(b"\0\xff"),
                    time: 42,
                },
                r#"Message { name: "bob~a1b2c3", text: b"\0\xff", time: 42 }"#,
            ),
            (Content::Joined { name: name("@bob") }, r#"Joined { name: "@bob" }"#),
            (Content::Left { name: name("bob") }, r#"Left { name: "bob~a1b2c3" }"#),
            (
                Content::Renamed { name: name("bob"), to: name("carol") },
                r#"Renamed { name: "bob~a1b2c3", to: "carol~a1b2c3" }"#,
            ),
        ];
        for (content, expected) in cases {
            let event = parse_event(&encode_event(NODE, POSITION, &content).unwrap()).unwrap();
            assert_eq!((event.node, event.position), (NODE, POSITION));
            assert_eq!(format!("{:?}", event.content), expected);
        }
        let gap = Content::RelayGap { server: name("a1b2c3"), count: 1 };
        assert_eq!(encode_event(NODE, POSITION, &gap), None);
    }

    #[test]
    fn a_heartbeat_arrives_as_it_was_sent() {
        for is_hello in [false, true] {
            let rooms = vec![("lobby".into(), POSITION), ("team-1".into(), POSITION)];
            let sent = Heartbeat { node: NODE, number: 9, latest: 12, is_hello, rooms };
            assert_eq!(parse_heartbeat(&encode_heartbeat(&sent)), Ok(sent));
        }
    }

    #[test]
    fn the_longest_event_is_accepted_and_a_longer_one_is_not() {
        let user = format!("@{}", "x".repeat(limits::NAME - 1));
        assert!(parse_event(&message(&user, &[b'x'; MAX_TEXT])).is_ok());
        let error = |payload: Vec<u8>| parse_event(&payload).unwrap_err();
        assert_eq!(error(message("bob", &[b'x'; MAX_TEXT + 1])), PayloadError::Text);
        assert_eq!(error(message(&format!("{user}x"), b"")), PayloadError::Name);
        let len = limits::PAYLOAD + 1;
        assert_eq!(
            error([&b"ECR\x01"[..], &vec![b'm'; len - 4]].concat()),
            PayloadError::TooLong(len)
        );
    }

    #[test]
    fn a_foreign_payload_is_refused_with_the_reason() {
        let valid = message("bob", b"hello");
        let change = |at: usize, byte: u8| {
            let mut payload = valid.clone();
            payload[at] = byte;
            parse_event(&payload).unwrap_err()
        };
        assert_eq!(parse_event(b"hello").unwrap_err(), PayloadError::Foreign);
        assert_eq!(change(3, 2), PayloadError::Version(2));
        assert_eq!(change(4, b'?'), PayloadError::Kind);
        assert_eq!(change(20, 0), PayloadError::Number, "the stream is 0");
        assert_eq!(change(28, 0), PayloadError::Number, "the count is 0");
        assert_eq!(change(39, b'~'), PayloadError::Name);
        assert_eq!(change(39, 0xff), PayloadError::Name);
        for name in ["", "@", "@a\nb", "bob~a1b2c3", "-bob"] {
            assert_eq!(
                parse_event(&message(name, b"")).unwrap_err(),
                PayloadError::Name,
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_payload_that_was_cut_off_is_not_an_event() {
        let valid = message("bob", b"");
        for len in 0..valid.len() {
            assert!(parse_event(&valid[..len]).is_err(), "{len}");
        }
        let rooms = vec![("lobby".into(), POSITION)];
        let heartbeat = Heartbeat { node: NODE, number: 1, latest: 1, is_hello: false, rooms };
        let valid = encode_heartbeat(&heartbeat);
        let is_complete = |len: &usize| parse_heartbeat(&valid[..*len]).is_ok();
        let complete: Vec<_> = (0..=valid.len()).filter(is_complete).collect();
        assert_eq!(complete, [29, valid.len()], "without a room, and with it");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>) {
            let payload = [&b"ECR\x01m"[..], &bytes].concat();
            let _ = (parse_event(&bytes), parse_event(&payload), parse_heartbeat(&payload));
        }
    }
}
