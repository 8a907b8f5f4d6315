//! Pieces of what a peer of HTTP or WebSocket must receive, and the comparison with what it has received.

use serde_json::Value;

/// The frame of a ping of the server.
const PING: [u8; 2] = [0x89, 0];

/// A piece of what a peer must receive.
#[derive(Debug)]
pub(super) enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Any number of pings of the server: the place between two frames.
    Pings,
    /// A close frame with this code, and any reason.
    Close(u16),
    /// An echo of a text that breaks off because a byte is wrong: a close frame before it, or a part of this echo, which is
    /// longer than its header of this length.
    Cut { echo: Vec<u8>, header: usize },
    /// A response with a length.
    Response(Response),
}

/// A response of the server whose exact bytes the model does not predict.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: &'static str,
    pub(super) connection: Option<&'static str>,
    /// It has no body, whatever its length says.
    pub(super) is_head: bool,
    pub(super) content: Content,
}

/// The body of a response.
#[derive(Debug)]
pub(super) enum Content {
    /// Any text, which names the status.
    Refusal,
    /// This text, which may go on if the peer speaks TLS.
    Text { text: String, may_go_on: bool },
    /// JSON with these members, and others.
    Json(Vec<(&'static str, Value)>),
}

/// What the rest of the received bytes is.
enum Found {
    /// The piece, and this number of bytes.
    Whole(usize),
    /// The beginning of the piece.
    Part,
    /// Something else.
    Other,
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection::simulation) struct Comparison {
    /// The peer may have received these bytes.
    pub(in crate::connection::simulation) is_allowed: bool,
    /// These are all bytes that it must receive.
    pub(in crate::connection::simulation) is_complete: bool,
    /// Number of pings of the server among them.
    pub(in crate::connection::simulation) pings: usize,
}

/// The header before the date of a response.
const SERVER: &[u8] = b"Server: echo-server\r\n";

/// The date of a response. A schedule takes less than a day, and begins with 1970.
const DATE: &str = "Date: Thu, 01 Jan 1970 ";

/// Length of that header, with its end.
const DATE_LEN: usize = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".len();

/// Returns what a peer has received without the dates of responses, which follow the clock.
fn without_dates(received: &[u8]) -> Vec<u8> {
    let mut rest = received;
    let mut bytes = Vec::with_capacity(received.len());
    while let Some(at) = memchr::memmem::find(rest, SERVER) {
        let (before, after) = rest.split_at(at + SERVER.len());
        bytes.extend_from_slice(before);
        let date = &after[..after.len().min(DATE_LEN)];
        let known = &date[..date.len().min(DATE.len())];
        let is_date = DATE.as_bytes().starts_with(known)
            && (date.len() < DATE_LEN || date.ends_with(b" GMT\r\n"));
        rest = if is_date { &after[date.len()..] } else { after };
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// Compares what a peer has received with the pieces that it must receive.
pub(super) fn compare(pieces: &[Piece], received: &[u8]) -> Comparison {
    let received = without_dates(received);
    let (mut rest, mut pings) = (&received[..], 0);
    let result = |is_allowed, is_complete, pings| Comparison { is_allowed, is_complete, pings };
    for piece in pieces {
        if let Piece::Pings = piece {
            while let Some(after) = rest.strip_prefix(&PING) {
                rest = after;
                pings += 1;
            }
            if rest == &PING[..1] {
                return result(true, false, pings);
            }
            continue;
        }
        match piece.find(rest) {
            Found::Whole(len) => rest = &rest[len..],
            Found::Part => return result(true, false, pings),
            Found::Other => return result(false, false, pings),
        }
    }
    result(rest.is_empty(), rest.is_empty(), pings)
}

impl Piece {
    /// Returns the piece, for a person.
    pub(super) fn describe(&self, shown: &impl Fn(&[u8]) -> String) -> String {
        match self {
            Self::Bytes(bytes) => format!("{:?}", shown(bytes)),
            Self::Pings => "(pings)".to_owned(),
            Self::Close(code) => format!("(close {code})"),
            Self::Cut { echo, .. } => format!("(close 1007, or a part of {:?})", shown(echo)),
            Self::Response(response) => format!("({response:?})"),
        }
    }

    fn find(&self, rest: &[u8]) -> Found {
        match self {
            Self::Bytes(bytes) => find_bytes(bytes, rest),
            Self::Pings => Found::Whole(0),
            Self::Close(code) => find_close(*code, rest),
            Self::Cut { echo, header } => match find_close(1007, rest) {
                Found::Other if rest.len() > *header && echo.starts_with(rest) => {
                    Found::Whole(rest.len())
                }
                Found::Other if echo.starts_with(rest) => Found::Part,
                found => found,
            },
            Self::Response(response) => response.find(rest),
        }
    }
}

fn find_bytes(bytes: &[u8], rest: &[u8]) -> Found {
    if rest.starts_with(bytes) {
        Found::Whole(bytes.len())
    } else if bytes.starts_with(rest) {
        Found::Part
    } else {
        Found::Other
    }
}

fn find_close(code: u16, rest: &[u8]) -> Found {
    let [high, low] = code.to_be_bytes();
    match *rest {
        [] | [0x88] => Found::Part,
        [0x88, len @ 2..=125, ref payload @ ..] => {
            let len = usize::from(len);
            let begin = [high, low];
            if !payload.starts_with(&begin) && !begin.starts_with(payload) {
                return Found::Other;
            }
            match payload.get(2..len).map(str::from_utf8) {
                Some(Ok(_)) => Found::Whole(2 + len),
                Some(Err(_)) => Found::Other,
                None => Found::Part,
            }
        }
        _ => Found::Other,
    }
}

impl Response {
    fn find(&self, rest: &[u8]) -> Found {
        let connection = self.connection.map(|value| format!("Connection: {value}\r\n"));
        let connection = connection.unwrap_or_default();
        let begin = format!("HTTP/1.1 {}\r\nServer: echo-server\r\n{connection}", self.status);
        let Found::Whole(_) = find_bytes(begin.as_bytes(), rest) else {
            return find_bytes(begin.as_bytes(), rest);
        };
        let Some(head) = memchr::memmem::find(rest, b"\r\n\r\n") else { return Found::Part };
        let (head, after) = (&rest[..head + 2], &rest[head + 4..]);
        let head = str::from_utf8(head).expect("the server writes text");
        let named =
            |name: &'static str| head.split("\r\n").filter_map(move |line| line.strip_prefix(name));
        let lengths: Vec<&str> = named("Content-Length: ").collect();
        let &[len] = &lengths[..] else { return Found::Other };
        let Ok(len) = len.parse::<usize>() else { return Found::Other };
        let expected = usize::from(self.connection.is_some());
        if named("Connection: ").count() != expected || named("Transfer-Encoding:").count() > 0 {
            return Found::Other;
        }
        if self.is_head {
            return Found::Whole(head.len() + 2);
        }
        match after.get(..len) {
            None => Found::Part,
            Some(body) if self.content.is(body, self.status) => Found::Whole(head.len() + 2 + len),
            Some(_) => Found::Other,
        }
    }
}

impl Content {
    fn is(&self, body: &[u8], status: &str) -> bool {
        match self {
            Self::Refusal => body.starts_with(format!("{status}: ").as_bytes()),
            Self::Text { text, may_go_on: true } => body.starts_with(text.as_bytes()),
            Self::Text { text, may_go_on: false } => body == text.as_bytes(),
            Self::Json(members) => serde_json::from_slice::<Value>(body).is_ok_and(|json| {
                members.iter().all(|(name, value)| json.get(name) == Some(value))
            }),
        }
    }
}
