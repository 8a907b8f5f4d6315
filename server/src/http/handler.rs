//! The HTTP of one connection: requests one after the other, each echoed.
//!
//! A head is held until it is complete, by not consuming it. A body is echoed as it arrives, behind the head of its response.

use std::{borrow::Cow, fmt::Write as _, sync::Arc, time::Instant};

use common::{message::Splitter, protocol::Protocol};

use super::{
    body::Body,
    head::{Framing, Head, find_end},
    page,
    reflection::{Origin, to_json, to_text},
    response::{Response, begin, refuse},
    status::{Refusal, Status, bad},
    upgrade::{Upgrade, accept, is_own_host, is_upgrade},
};
use crate::{
    config::{Http, limits},
    layer::is_client_hello,
    session::{Attributes, Next, ProtocolHandler, Reason, Reply, Step},
    websocket::WebSocket,
};

/// Response before the body of a client that waits for it.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The last headers of an echo. A browser must not run what somebody else has sent as a page or a script of this server.
const ECHO_HEADERS: &[u8] =
    b"X-Content-Type-Options: nosniff\r\nContent-Security-Policy: sandbox\r\n\r\n";

/// HTTP on one connection.
#[derive(Debug)]
pub(crate) struct HttpHandler {
    config: Arc<Http>,
    /// Of its connection. Boxed, so that a WebSocket fits into the place of this handler.
    origin: Box<Origin>,
    state: State,
    /// The head of the response to a client that has received `100 Continue` and sent nothing of its body yet. A proxy may
    /// take a response that it receives before the body for a refusal.
    withheld: Option<Box<Reply>>,
    is_draining: bool,
    /// Bytes of the last step for the log: of a request, its first line.
    logged: usize,
}

/// What the connection waits for.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The first byte of a request, since this time. `None`: nothing is known yet.
    Idle(Option<Instant>),
    /// The rest of a head, whose first byte arrived at this time.
    Head(Instant),
    /// The rest of a body, of which something arrived at this time. That of a HEAD request has no echo.
    Body { body: Body, is_head: bool, keeps_alive: bool, since: Instant },
}

impl HttpHandler {
    pub(crate) fn new(config: Arc<Http>) -> Self {
        let state = State::Idle(None);
        Self {
            config,
            origin: Box::default(),
            state,
            withheld: None,
            is_draining: false,
            logged: 0,
        }
    }

    fn receive_head(&mut self, input: &mut [u8], now: Instant) -> Step {
        if is_client_hello(input) {
            let refusal =
                bad("it speaks TLS, which this listener does not; let it connect without TLS");
            return self.refuse_input(input, refusal);
        }
        // A robust server ignores an empty line before a request (RFC 9112, section 2.2).
        let skipped = if input.starts_with(b"\r\n") { 2 } else { 0 };
        let end = match find_end(&input[skipped..]) {
            Ok(Some(end)) => end,
            Ok(None) => {
                if let State::Idle(_) = self.state {
                    self.state = State::Head(now);
                }
                return Step::echo(0, 0);
            }
            Err(refusal) => return self.refuse_input(input, refusal),
        };
        let request = &input[skipped..];
        let answer = match Head::parse(request, end) {
            Ok(head) => Ok((head.line, self.answer(&head, now))),
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok((line, reply)) => {
                input.copy_within(skipped..skipped + line, 0);
                let consumed = skipped + end;
                self.logged = line;
                Step { consumed, echo: 0, messages: 1, reply: Some(reply) }
            }
            Err(refusal) => self.refuse_input(input, refusal),
        }
    }

    /// Returns the response to a valid request, or the part of it before the echo of the body.
    fn answer(&mut self, head: &Head<'_>, now: Instant) -> Reply {
        if is_upgrade(head) {
            return self.upgrade(head, now);
        }
        let keeps_alive = head.keeps_alive && !self.is_draining;
        let connection = match (keeps_alive, head.is_1_1) {
            (false, _) => Some("close"),
            (true, false) => Some("keep-alive"),
            (true, true) => None,
        };
        let Some(body) = Body::new(head.framing) else {
            self.state = State::Idle(Some(now));
            let bytes = self.respond(head, connection);
            return Reply {
                bytes: bytes.into(),
                next: end_of_request(keeps_alive, self.is_draining),
            };
        };
        let is_head = head.method == "HEAD";
        self.state = State::Body { body, is_head, keeps_alive, since: now };
        let mut response = begin(Status::Ok, connection);
        match head.framing {
            Framing::Length(length) => _ = write!(response, "Content-Length: {length}\r\n"),
            _ => response.push_str("Transfer-Encoding: chunked\r\n"),
        }
        let mut bytes = response.into_bytes();
        if let Some(content_type) = head.value("content-type") {
            bytes.extend([b"Content-Type: ", content_type, b"\r\n"].concat());
        }
        bytes.extend_from_slice(ECHO_HEADERS);
        let reply = Reply { bytes: bytes.into(), next: Next::Continue };
        if head.expects_continue {
            self.withheld = Some(Box::new(reply));
            Reply { bytes: Cow::Borrowed(CONTINUE), next: Next::Continue }
        } else {
            reply
        }
    }

    /// Returns the response to a request without a body.
    fn respond(&self, head: &Head<'_>, connection: Option<&'static str>) -> Vec<u8> {
        let mut response = Response {
            status: Status::Ok,
            headers: "",
            content_type: "",
            body: &[],
            is_head: head.method == "HEAD",
            connection,
        };
        if head.method == "OPTIONS" {
            response.status = Status::NoContent;
            response.headers = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n";
            return response.to_bytes();
        }
        if let Some(file) = page_file(head) {
            if !is_own_host(head, &self.config) {
                response.status = Status::Misdirected;
                response.content_type = "text/plain; charset=utf-8";
                response.body = b"421 Misdirected Request: the host is not a name of this server\n";
                return response.to_bytes();
            }
            response.headers = page::HEADERS;
            (response.content_type, response.body) = (file.content_type, file.body);
            return response.to_bytes();
        }
        let body;
        if wants_text(head) {
            body = to_text(head, &self.origin);
            response.content_type = "text/plain; charset=utf-8";
        } else {
            body = to_json(head, &self.origin);
            response.content_type = "application/json";
        }
        response.headers = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
        response.body = &body;
        response.to_bytes()
    }

    fn upgrade(&mut self, head: &Head<'_>, now: Instant) -> Reply {
        match accept(head, &self.config, self.origin.scheme()) {
            Ok(Upgrade { response, deflate }) => {
                let socket = WebSocket::new(Arc::clone(&self.config), deflate, now);
                Reply { bytes: response.into(), next: Next::Switch(Box::new(socket)) }
            }
            Err(refusal) => refusal_reply(refusal),
        }
    }

    /// Returns the step that refuses all of the input.
    fn refuse_input(&mut self, input: &[u8], refusal: Refusal) -> Step {
        self.logged = input.iter().take_while(|byte| !b"\r\n".contains(byte)).count();
        let reply = Some(refusal_reply(refusal));
        Step { consumed: input.len(), echo: 0, messages: 0, reply }
    }

    fn receive_body(&mut self, input: &mut [u8], now: Instant) -> Step {
        if let Some(reply) = self.withheld.take_if(|_| !input.is_empty()) {
            return Step { reply: Some(*reply), ..Step::echo(0, 0) };
        }
        let State::Body { body, is_head, keeps_alive, since } = &mut self.state else {
            return Step::echo(0, 0);
        };
        *since = now;
        let (passed, result) = body.pass(input);
        let mut step = Step::echo(passed.echo, isize::from(passed.is_end));
        step.consumed = passed.read;
        self.logged = passed.echo;
        if *is_head {
            step.echo = 0;
        }
        if let Err(Refusal { rule, .. }) = result {
            // The response has begun, so its missing end is the only sign.
            let next = Next::Close(Reason::Violation(rule));
            step.reply = Some(Reply { bytes: Cow::Borrowed(b""), next });
        } else if passed.is_end {
            let next = end_of_request(*keeps_alive, self.is_draining);
            self.state = State::Idle(Some(now));
            step.reply = Some(Reply { bytes: Cow::Borrowed(b""), next });
        }
        step
    }
}

/// Returns the file that the request asks for: the page itself only for a browser.
fn page_file(head: &Head<'_>) -> Option<page::File> {
    let path = head.target.split('?').next().unwrap_or_default();
    let is_reading = matches!(head.method, "GET" | "HEAD");
    let is_browser = || head.options("accept").any(|media| media.starts_with("text/html"));
    page::find(path).filter(|_| is_reading && (path != "/" || is_browser()))
}

/// Returns the continuation after a response.
fn end_of_request(keeps_alive: bool, is_draining: bool) -> Next {
    match (keeps_alive, is_draining) {
        (_, true) => Next::Close(Reason::Drain),
        (true, false) => Next::Continue,
        (false, false) => Next::Close(Reason::Complete),
    }
}

fn refusal_reply(refusal: Refusal) -> Reply {
    let headers = match refusal.status {
        Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        _ => "",
    };
    let bytes = refuse(refusal, headers).into();
    Reply { bytes, next: Next::Close(Reason::Violation(refusal.rule)) }
}

/// Returns whether the client is a person at a terminal, or asks for text.
fn wants_text(head: &Head<'_>) -> bool {
    let mut accepted = head.options("accept");
    if head.options("accept").any(|media| media.starts_with("application/json")) {
        return false;
    }
    let is_curl = head.value("user-agent").is_some_and(|agent| agent.starts_with(b"curl/"));
    is_curl || accepted.any(|media| media.starts_with("text/plain"))
}

impl ProtocolHandler for HttpHandler {
    fn begin(&mut self, attributes: &Attributes<'_>, now: Instant) {
        *self.origin = Origin::new(attributes);
        self.state = State::Idle(Some(now));
    }

    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        self.logged = 0;
        match self.state {
            State::Idle(_) | State::Head(_) => self.receive_head(input, now),
            State::Body { .. } => self.receive_body(input, now),
        }
    }

    fn splitter(&self) -> Splitter {
        Splitter::new(Protocol::Raw)
    }

    fn logged(&self) -> usize {
        self.logged
    }

    fn unfinished_messages(&self) -> isize {
        isize::from(matches!(self.state, State::Body { .. }))
    }

    fn may_end(&self) -> bool {
        matches!(self.state, State::Idle(_))
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Idle(since) => since?.checked_add(limits::KEEP_ALIVE),
            State::Head(since) => since.checked_add(self.config.head_timeout),
            State::Body { since, .. } => since.checked_add(limits::KEEP_ALIVE),
        }
    }

    fn expire(&mut self, _now: Instant) -> Reply {
        let close = |reason| Reply { bytes: Cow::Borrowed(b""), next: Next::Close(reason) };
        match self.state {
            State::Idle(_) => close(Reason::Complete),
            State::Head(_) => {
                let rule = "its request was not complete";
                let bytes = refuse(Refusal { status: Status::RequestTimeout, rule }, "");
                Reply { bytes: bytes.into(), next: Next::Close(Reason::Timeout(rule)) }
            }
            State::Body { .. } => close(Reason::Timeout("nothing of the body arrived")),
        }
    }

    fn drain(&mut self, _now: Instant) -> Option<Reply> {
        if let State::Body { .. } = self.state {
            self.is_draining = true;
            return None;
        }
        Some(Reply { bytes: Cow::Borrowed(b""), next: Next::Close(Reason::Drain) })
    }
}
