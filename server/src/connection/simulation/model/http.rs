//! The model of HTTP: whole requests, from all bytes that a client has sent.
//!
//! It shares no code with the server, so that a fault of one is no fault of the other. It knows the faults that scripts
//! have, not all that there are.

use serde_json::{Value, json};

use super::{
    body::{Body, BodyEnd, head_len},
    expected::{Expected, State},
    piece::{Content, Piece, Response},
    websocket::Frames,
};
use crate::telemetry::CloseReason;

/// What a response depends on besides the requests.
pub(in crate::connection::simulation) struct Surroundings {
    pub(in crate::connection::simulation) peer: &'static str,
    pub(in crate::connection::simulation) proxy: Option<&'static str>,
    pub(in crate::connection::simulation) has_tls: bool,
    pub(in crate::connection::simulation) max_message: u64,
    /// Number of bytes that had arrived when the server began to drain.
    pub(in crate::connection::simulation) drained_at: Option<usize>,
}

/// A request without its body.
struct Head<'a> {
    method: &'a str,
    target: &'a str,
    version: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

/// The page's picture, a file of the page.
const PICTURE: &[u8] = include_bytes!("../../../http/page/page.svg");

const PICTURE_TARGET: &str = "/page/page.svg";

/// Returns what a client must receive for these bytes.
pub(in crate::connection::simulation) fn expect(
    bytes: &[u8],
    surroundings: &Surroundings,
) -> Expected {
    let mut expected = Expected::new();
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let len = head_len(rest);
        let is_before_drain =
            |len: usize| surroundings.drained_at.is_none_or(|drained_at| at + len <= drained_at);
        if !len.map_or(surroundings.drained_at.is_none(), is_before_drain) {
            return over(expected, CloseReason::Drain);
        }
        let Some(len) = len else {
            let is_blank = matches!(rest, b"\r" | b"\r\n");
            expected.state = if rest.is_empty() { State::Idle } else { State::Head { is_blank } };
            return expected;
        };
        at += len;
        let head = match Head::parse(&rest[..len]) {
            Ok(head) => head,
            Err(status) => return refuse(expected, status, false),
        };
        if head.is_upgrade() {
            if let Some(status) = head.upgrade_error() {
                return refuse(expected, status, false);
            }
            expected.pieces.push(Piece::Bytes(head.upgrade_response().into_bytes()));
            let drained_at = surroundings.drained_at.map(|drained_at| drained_at - at);
            return Frames::expect(&bytes[at..], drained_at, surroundings.max_message, expected);
        }
        let body = head.body(&bytes[at..]);
        match head.expect_request(body.as_ref(), surroundings, expected) {
            Ok((len, after)) => {
                at += len;
                expected = after;
            }
            Err(ended) => return ended,
        }
        // A drain ends at the end of a body, and between two requests.
        let is_before_drain =
            body.is_none() || surroundings.drained_at.is_none_or(|drained_at| at <= drained_at);
        if !is_before_drain {
            return over(expected, CloseReason::Drain);
        }
        if !head.keeps_alive() {
            return over(expected, CloseReason::Complete);
        }
    }
}

fn over(mut expected: Expected, reason: CloseReason) -> Expected {
    expected.state = State::Over(reason);
    expected
}

fn refuse(mut expected: Expected, status: &'static str, is_head: bool) -> Expected {
    expected.pieces.push(Piece::Response(Response {
        status,
        connection: Some("close"),
        is_head,
        content: Content::Refusal,
    }));
    // Only a malformed request breaks the protocol.
    let is_malformed = status == "400 Bad Request";
    over(
        expected,
        if is_malformed { CloseReason::ProtocolError } else { CloseReason::RequestRefused },
    )
}

impl<'a> Head<'a> {
    /// Parses a head.
    ///
    /// # Errors
    ///
    /// The status with which it is refused.
    fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        const BAD: &str = "400 Bad Request";
        let text = str::from_utf8(bytes).expect("scripts are text").trim_start_matches("\r\n");
        let text = text.strip_suffix("\r\n\r\n").ok_or(BAD)?;
        let mut lines = text.split("\r\n");
        let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let &[method, target, version] = &words[..] else { return Err(BAD) };
        match version {
            "HTTP/1.1" | "HTTP/1.0" => {}
            "HTTP/2.0" => return Err("505 HTTP Version Not Supported"),
            _ => return Err(BAD),
        }
        let mut headers = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(BAD)?;
            if name.contains(' ') || value.contains(['\0', '\r', '\n']) {
                return Err(BAD);
            }
            headers.push((name, value.trim()));
        }
        let head = Self { method, target, version, headers };
        match head.error() {
            Some(status) => Err(status),
            None => Ok(head),
        }
    }

    fn error(&self) -> Option<&'static str> {
        const BAD: Option<&str> = Some("400 Bad Request");
        if self.method == "CONNECT" {
            return Some("501 Not Implemented");
        }
        let is_1_1 = self.version == "HTTP/1.1";
        let hosts = self.values("Host").count();
        if hosts > 1 || (hosts == 0 && is_1_1) || !self.target.starts_with('/') {
            return BAD;
        }
        let lengths: Vec<&str> = self.values("Content-Length").collect();
        let codings: Vec<&str> = self.values("Transfer-Encoding").collect();
        match (&lengths[..], &codings[..]) {
            ([], []) => {}
            ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {}
            ([], ["chunked"]) if is_1_1 => {}
            ([], ["gzip, chunked"]) if is_1_1 => return Some("501 Not Implemented"),
            _ => return BAD,
        }
        let expectation = self.value("Expect").filter(|_| is_1_1);
        if expectation.is_some_and(|value| !value.eq_ignore_ascii_case("100-continue")) {
            return Some("417 Expectation Failed");
        }
        None
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |header| header.0.eq_ignore_ascii_case(name));
        named.map(|header| header.1)
    }

    fn value(&self, name: &'static str) -> Option<&'a str> {
        self.values(name).next()
    }

    fn keeps_alive(&self) -> bool {
        match self.value("Connection") {
            Some("close") => false,
            Some("keep-alive") => true,
            _ => self.version == "HTTP/1.1",
        }
    }

    /// Returns the header by which the server tells whether the connection continues.
    fn connection(&self) -> Option<&'static str> {
        match (self.keeps_alive(), self.version) {
            (false, _) => Some("close"),
            (true, "HTTP/1.0") => Some("keep-alive"),
            (true, _) => None,
        }
    }

    fn is_upgrade(&self) -> bool {
        self.version == "HTTP/1.1"
            && self.method == "GET"
            && self.value("Upgrade") == Some("websocket")
            && self.value("Connection") == Some("Upgrade")
    }

    fn upgrade_error(&self) -> Option<&'static str> {
        if self.value("Content-Length").is_some() {
            Some("400 Bad Request")
        } else if self.value("Sec-WebSocket-Version") != Some("13") {
            Some("426 Upgrade Required")
        } else if self.value("Sec-WebSocket-Key") != Some("dGhlIHNhbXBsZSBub25jZQ==") {
            Some("400 Bad Request")
        } else if self.value("Origin").is_some() {
            Some("403 Forbidden")
        } else {
            None
        }
    }

    /// Returns the response to the handshake, with the example of RFC 6455, section 1.3.
    fn upgrade_response(&self) -> String {
        let offers = self.value("Sec-WebSocket-Protocol").unwrap_or_default();
        let selected = offers.split(", ").find(|&name| name == "echo");
        let selected = selected.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{}\r\n",
            selected.unwrap_or_default()
        )
    }

    /// Returns the body, as far as it has arrived. `None`: the request has none.
    fn body(&self, bytes: &[u8]) -> Option<Body> {
        if self.value("Transfer-Encoding").is_some() {
            return Some(Body::chunked(bytes));
        }
        let len: usize = self.value("Content-Length")?.parse().expect("it has digits only");
        (len > 0).then(|| Body::with_length(bytes, len))
    }

    /// Expects the response. Returns the length of the body.
    ///
    /// # Errors
    ///
    /// If the body is not complete, or ends the connection.
    fn expect_request(
        &self,
        body: Option<&Body>,
        surroundings: &Surroundings,
        mut expected: Expected,
    ) -> Result<(usize, Expected), Expected> {
        let is_head = self.method == "HEAD";
        if body.is_none() && self.is_misdirected() {
            return Err(refuse(expected, "421 Misdirected Request", is_head));
        }
        let has_begun = self.expect_response(body, surroundings, &mut expected).is_some();
        match body.map(|body| &body.end) {
            None => Ok((0, expected)),
            Some(BodyEnd::At(len)) => Ok((*len, expected)),
            Some(BodyEnd::Missing) => {
                expected.state =
                    if has_begun { State::Body } else { State::Unanswered { is_head } };
                Err(expected)
            }
            Some(BodyEnd::Broken) if has_begun => Err(over(expected, CloseReason::ProtocolError)),
            Some(BodyEnd::Broken) => Err(refuse(expected, "400 Bad Request", is_head)),
        }
    }

    /// Expects the response, as far as it has a beginning. Returns `None` if it has not.
    fn expect_response(
        &self,
        body: Option<&Body>,
        surroundings: &Surroundings,
        expected: &mut Expected,
    ) -> Option<()> {
        let is_head = self.method == "HEAD";
        let Some(body) = body else {
            expected.pieces.push(self.reflection(is_head, surroundings));
            return Some(());
        };
        let mut is_withheld = self.value("Transfer-Encoding").is_some();
        if self.value("Expect").is_some() && self.version == "HTTP/1.1" {
            expected.pieces.push(Piece::Bytes(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()));
            is_withheld = true;
        }
        if is_withheld && !body.has_begun {
            return None;
        }
        let line = |name: &str, value: Option<&str>| {
            value.map_or_else(String::new, |value| format!("{name}: {value}\r\n"))
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: echo-server\r\n{}{}{}{}X-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: sandbox\r\n\r\n",
            line("Connection", self.connection()),
            line("Content-Length", self.value("Content-Length")),
            line("Transfer-Encoding", self.value("Transfer-Encoding")),
            line("Content-Type", self.value("Content-Type")),
        );
        expected.pieces.push(Piece::Bytes(head.into_bytes()));
        if !is_head {
            expected.pieces.push(Piece::Bytes(body.echo.clone()));
        }
        Some(())
    }

    fn asks_for_picture(&self) -> bool {
        self.target == PICTURE_TARGET && matches!(self.method, "GET" | "HEAD")
    }

    /// Returns whether it asks for the page under another name, which may be one of somebody else that resolves to this
    /// server.
    fn is_misdirected(&self) -> bool {
        self.asks_for_picture() && self.value("Host").is_some_and(|host| host != "127.0.0.1")
    }

    /// Returns the response to a request without a body.
    fn reflection(&self, is_head: bool, surroundings: &Surroundings) -> Piece {
        let connection = self.connection();
        if self.method == "OPTIONS" {
            let connection =
                connection.map_or_else(String::new, |value| format!("Connection: {value}\r\n"));
            let response = format!(
                "HTTP/1.1 204 No Content\r\nServer: echo-server\r\n{connection}\
                 Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n\r\n"
            );
            return Piece::Bytes(response.into_bytes());
        }
        let content = if self.asks_for_picture() {
            let text = str::from_utf8(PICTURE).expect("it is SVG").to_owned();
            Content::Text { text, may_go_on: false }
        } else if self.value("Accept") == Some("text/plain") {
            let text = self.text(surroundings);
            Content::Text { text, may_go_on: surroundings.has_tls }
        } else {
            Content::Json(self.json(surroundings))
        };
        Piece::Response(Response { status: "200 OK", connection, is_head, content })
    }

    fn text(&self, Surroundings { peer, proxy, .. }: &Surroundings) -> String {
        let Self { method, target, version, headers } = self;
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let headers = headers.concat();
        let proxy = proxy.map_or_else(String::new, |proxy| format!(" (through {proxy})"));
        format!("{method} {target} {version}\n{headers}\nFrom {peer}{proxy} to 127.0.0.1:65432\n")
    }

    fn json(&self, surroundings: &Surroundings) -> Vec<(&'static str, Value)> {
        vec![
            ("method", json!(self.method)),
            ("target", json!(self.target)),
            ("version", json!(self.version)),
            ("headers", json!(self.headers)),
            ("peer", json!(surroundings.peer)),
            ("proxy", json!(surroundings.proxy)),
            ("local", json!("127.0.0.1:65432")),
        ]
    }
}
