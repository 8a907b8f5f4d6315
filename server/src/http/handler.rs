//! The HTTP of one connection: requests one after the other, each echoed.
//!
//! A head is held until it is complete, by not consuming it. A body is echoed as it arrives, behind the head of its response.

#[cfg(feature = "login")]
use std::time::Duration;
use std::{borrow::Cow, fmt::Write as _, sync::Arc, time::Instant};

use common::{message::Splitter, protocol::Protocol};

#[cfg(feature = "login")]
use super::login::HttpLogin;
#[cfg(feature = "rooms")]
use super::upgrade::enter_room;
use super::{
    answer::{answer, end_of_request},
    body::Body,
    connection_info::ConnectionInfo,
    head::{Framing, Head, check_start, find_end},
    page::Page,
    response::{Refusal, Status, bad, begin, refuse, refused},
    upgrade::{Upgrade, accept, is_upgrade},
};
#[cfg(feature = "login")]
use crate::{config::Login, login::Authenticator};
#[cfg(feature = "rooms")]
use crate::{config::Room, rooms::Rooms};
use crate::{
    config::{Http, limits},
    faults::{FaultPlan, MessageFaults},
    layer::is_client_hello,
    session::{Attributes, EndCause, Next, ProtocolHandler, Reason, Reply, Step},
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
    /// Boxed, so that a WebSocket fits into the place of this handler.
    info: Box<ConnectionInfo>,
    /// `None`: everybody is served.
    #[cfg(feature = "login")]
    login: Option<Box<HttpLogin>>,
    /// The rooms that each WebSocket is a member of. `None`: it is echoed.
    #[cfg(feature = "rooms")]
    rooms: Option<Box<(Arc<Rooms>, Arc<Room>)>>,
    /// Each WebSocket ends with a receipt.
    pub(crate) has_receipts: bool,
    /// A message may be dropped, sent twice or later. The next ones could not be inflated then.
    has_message_faults: bool,
    page: Page,
    state: State,
    /// The head of the response, until the beginning of the body is valid. A client that waits for `100 Continue` receives it
    /// behind its first bytes: a proxy may take a response before the body for a refusal.
    withheld: Option<Box<Reply>>,
    is_draining: bool,
    /// Number of bytes of the last step for the log: the request line, or the body.
    logged: usize,
}

/// What the connection waits for.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The first byte of a request, since this time. `None`: nothing is known yet.
    Idle(Option<Instant>),
    /// The rest of a head, whose first byte arrived at this time. It is blank if nothing but an empty line has arrived.
    Head { since: Instant, is_blank: bool },
    /// The rest of a body, of which something arrived at this time. That of a HEAD request has no echo.
    Body { body: Body, is_head: bool, keeps_alive: bool, since: Instant },
}

impl HttpHandler {
    pub(crate) fn new(config: Arc<Http>) -> Self {
        let state = State::Idle(None);
        Self {
            config,
            info: Box::default(),
            #[cfg(feature = "login")]
            login: None,
            #[cfg(feature = "rooms")]
            rooms: None,
            has_receipts: false,
            has_message_faults: false,
            page: Page::Echo,
            state,
            withheld: None,
            is_draining: false,
            logged: 0,
        }
    }

    /// Serves only users who have logged in.
    #[cfg(feature = "login")]
    pub(crate) fn require_login(
        &mut self,
        login: Arc<Login>,
        authenticator: Arc<Authenticator>,
        timeout: Option<Duration>,
    ) {
        self.login = Some(Box::new(HttpLogin::new(login, authenticator, timeout)));
    }

    /// Makes each WebSocket a member of rooms.
    #[cfg(feature = "rooms")]
    pub(crate) fn use_rooms(&mut self, rooms: Arc<Rooms>, options: Arc<Room>) {
        self.rooms = Some(Box::new((rooms, options)));
        self.page = Page::Rooms;
    }

    fn receive_head(&mut self, input: &mut [u8], now: Instant) -> Step {
        if is_client_hello(input) {
            let refusal = bad("a TLS handshake on a listener without TLS; use http://");
            return self.refuse_input(input, refusal, now);
        }
        // A robust server ignores an empty line before a request (RFC 9112, section 2.2).
        let skipped = if input.starts_with(b"\r\n") { 2 } else { 0 };
        let request = &input[skipped..];
        if request.is_empty() || input == b"\r" {
            return self.await_head(true, now);
        }
        let end = match check_start(request).and_then(|()| find_end(request)) {
            Ok(Some(end)) => end,
            Ok(None) => return self.await_head(false, now),
            Err(refusal) => return self.refuse_input(input, refusal, now),
        };
        let parsed = Head::parse(request, end);
        #[cfg(feature = "login")]
        if let (Ok(head), Some(login)) = (&parsed, &mut self.login)
            && let Some(step) = login.receive(head, input.len(), &mut self.info, now)
        {
            return step;
        }
        let answered = parsed.and_then(|head| Ok((head.line, self.answer(&head, now)?)));
        match answered {
            Ok((line, reply)) => {
                input.copy_within(skipped..skipped + line, 0);
                self.logged = line;
                // The messages of a WebSocket are those of its peer.
                let messages = isize::from(!matches!(reply.next, Next::Switch(_)));
                Step { consumed: skipped + end, echo: 0, messages, reply: Some(reply) }
            }
            Err(refusal) => self.refuse_input(input, refusal, now),
        }
    }

    /// Waits for the rest of a head.
    fn await_head(&mut self, is_blank: bool, now: Instant) -> Step {
        let since = if let State::Head { since, .. } = self.state { since } else { now };
        self.state = State::Head { since, is_blank };
        Step::echo(0, 0)
    }

    /// Returns the deadline of the login: of a request that waits for it, or of the first request.
    #[cfg_attr(not(feature = "login"), expect(clippy::unused_self, reason = "there is no login"))]
    fn login_deadline(&self) -> Option<Instant> {
        #[cfg(feature = "login")]
        return self.login.as_ref().and_then(|login| login.deadline());
        #[cfg(not(feature = "login"))]
        None
    }

    /// Returns whether a request waits for its login.
    #[cfg_attr(not(feature = "login"), expect(clippy::unused_self, reason = "there is no login"))]
    fn awaits_login(&self) -> bool {
        #[cfg(feature = "login")]
        return self.login.as_ref().is_some_and(|login| login.is_waiting());
        #[cfg(not(feature = "login"))]
        false
    }

    /// Returns whether nobody has logged in on a connection that requires it. Then the log shows nothing of a request.
    #[cfg_attr(not(feature = "login"), expect(clippy::unused_self, reason = "there is no login"))]
    fn is_unknown(&self) -> bool {
        #[cfg(feature = "login")]
        return self.login.is_some() && self.info.user.is_none();
        #[cfg(not(feature = "login"))]
        false
    }

    /// Returns the response to a valid request, or the part of it before the echo of the body.
    fn answer(&mut self, head: &Head<'_>, now: Instant) -> Result<Reply, Refusal> {
        self.info.set_time(now);
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
            let bytes = answer(head, connection, self.page, &self.config, &self.info)?.into();
            self.state = State::Idle(Some(now));
            return Ok(Reply { bytes, next: end_of_request(keeps_alive, self.is_draining) });
        };
        let is_head = head.method == "HEAD";
        self.state = State::Body { body, is_head, keeps_alive, since: now };
        let bytes = self.begin_echo(head, connection).into();
        let reply = Reply { bytes, next: Next::Continue };
        let first: &'static [u8] = match head.framing {
            _ if head.expects_continue => CONTINUE,
            Framing::Chunked => b"",
            _ => return Ok(reply),
        };
        self.withheld = Some(Box::new(reply));
        Ok(Reply { bytes: Cow::Borrowed(first), next: Next::Continue })
    }

    /// Returns the head of an echo.
    fn begin_echo(&self, head: &Head<'_>, connection: Option<&'static str>) -> Vec<u8> {
        let mut response = begin(Status::Ok, connection, &self.info);
        match head.framing {
            Framing::Length(length) => _ = write!(response, "Content-Length: {length}\r\n"),
            _ => response.push_str("Transfer-Encoding: chunked\r\n"),
        }
        let mut bytes = response.into_bytes();
        if let Some(content_type) = head.value("content-type") {
            bytes.extend([b"Content-Type: ", content_type, b"\r\n"].concat());
        }
        bytes.extend_from_slice(ECHO_HEADERS);
        bytes
    }

    fn upgrade(&self, head: &Head<'_>, now: Instant) -> Result<Reply, Refusal> {
        #[cfg(feature = "rooms")]
        if let Some(rooms) = &self.rooms {
            return enter_room(head, &self.config, self.info.scheme(), rooms, now);
        }
        let Upgrade { response, deflate, .. } =
            accept(head, &self.config, self.info.scheme(), false, !self.has_message_faults)?;
        let socket = WebSocket::new(Arc::clone(&self.config), deflate, now);
        let socket = if self.has_receipts { socket.with_receipt() } else { socket };
        Ok(Reply { bytes: response.into(), next: Next::Switch(Box::new(socket)) })
    }

    /// Returns the step that refuses all of the input.
    fn refuse_input(&mut self, input: &[u8], refusal: Refusal, now: Instant) -> Step {
        self.logged = input.iter().take_while(|byte| !b"\r\n".contains(byte)).count();
        let is_head = match self.state {
            State::Body { is_head, .. } => is_head,
            _ => input.strip_prefix(b"\r\n").unwrap_or(input).starts_with(b"HEAD "),
        };
        self.info.set_time(now);
        let bytes = refuse(&refusal, is_head, &self.info).into();
        let reply = Some(Reply { bytes, next: Next::Close(refusal.into()) });
        Step { consumed: input.len(), echo: 0, messages: 0, reply }
    }

    fn receive_body(&mut self, input: &mut [u8], now: Instant) -> Step {
        let State::Body { body, is_head, keeps_alive, since } = &mut self.state else {
            return Step::echo(0, 0);
        };
        *since = now;
        if self.withheld.is_some() {
            return match body.has_begun(input) {
                Ok(true) => {
                    Step { reply: self.withheld.take().map(|reply| *reply), ..Step::echo(0, 0) }
                }
                Ok(false) => Step::echo(0, 0),
                Err(refusal) => self.refuse_input(input, refusal, now),
            };
        }
        let (passed, result) = body.pass(input);
        let mut step = Step::echo(passed.echo, isize::from(passed.is_end));
        step.consumed = passed.read;
        self.logged = passed.echo;
        if *is_head {
            step.echo = 0;
        }
        let next = match result {
            // The response has begun, so its missing end is the only sign.
            Err(refusal) => Next::Close(refusal.into()),
            Ok(()) if passed.is_end => {
                let next = end_of_request(*keeps_alive, self.is_draining);
                self.state = State::Idle(Some(now));
                next
            }
            Ok(()) => return step,
        };
        step.reply = Some(Reply { bytes: Cow::Borrowed(b""), next });
        step
    }

    /// Returns the response to a request that is not complete, of whose response nothing has been sent, and the reason.
    fn refuse_incomplete(
        &mut self,
        status: Status,
        now: Instant,
    ) -> Option<(Vec<u8>, &'static str)> {
        let (rule, is_head) = match self.state {
            State::Idle(_) | State::Head { is_blank: true, .. } => return None,
            State::Head { .. } => ("the head of the request was not complete", false),
            State::Body { is_head, .. } => {
                self.withheld.as_ref()?;
                ("the body of the request did not begin", is_head)
            }
        };
        self.info.set_time(now);
        Some((refuse(&refused(status, rule), is_head, &self.info), rule))
    }
}

impl ProtocolHandler for HttpHandler {
    fn begin(&mut self, attributes: &Attributes<'_>, now: Instant) {
        *self.info = ConnectionInfo::new(attributes, now);
        #[cfg(feature = "login")]
        if let Some(login) = &mut self.login {
            login.begin(attributes);
        }
        self.state = State::Idle(Some(now));
    }

    fn set_faults(&mut self, faults: Option<&FaultPlan>) {
        self.has_message_faults = faults.is_some_and(MessageFaults::change_messages);
    }

    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        self.logged = 0;
        match self.state {
            State::Idle(_) | State::Head { .. } => self.receive_head(input, now),
            State::Body { .. } => self.receive_body(input, now),
        }
    }

    fn splitter(&self) -> Splitter {
        Splitter::new(Protocol::Raw)
    }

    fn logged(&self) -> usize {
        if self.is_unknown() { 0 } else { self.logged }
    }

    fn recorded_as(&self) -> Option<&'static str> {
        Some("http")
    }

    fn unfinished_messages(&self) -> isize {
        isize::from(matches!(self.state, State::Body { .. }))
    }

    fn may_end(&self) -> bool {
        matches!(self.state, State::Idle(_) | State::Head { is_blank: true, .. })
    }

    fn deadline(&self) -> Option<Instant> {
        if self.awaits_login() {
            return self.login_deadline();
        }
        let own = match self.state {
            State::Idle(since) => since?.checked_add(limits::KEEP_ALIVE),
            State::Head { since, .. } => since.checked_add(self.config.head_timeout),
            State::Body { since, .. } => since.checked_add(limits::KEEP_ALIVE),
        };
        [own, self.login_deadline()].into_iter().flatten().min()
    }

    fn expire(&mut self, now: Instant) -> Reply {
        #[cfg(feature = "login")]
        if let Some(reply) = self.login.as_mut().and_then(|login| login.expire(&mut self.info, now))
        {
            return reply;
        }
        if let Some((bytes, rule)) = self.refuse_incomplete(Status::RequestTimeout, now) {
            return Reply { bytes: bytes.into(), next: Next::Close(Reason::Timeout(rule)) };
        }
        let reason = match self.state {
            State::Body { .. } => Reason::Timeout("the rest of the body did not arrive"),
            _ => Reason::Complete,
        };
        Reply { bytes: Cow::Borrowed(b""), next: Next::Close(reason) }
    }

    fn end(&mut self, cause: EndCause, now: Instant) -> Cow<'static, [u8]> {
        let status = match cause {
            EndCause::EndOfStream => Status::BadRequest,
            EndCause::IdleTimeout => Status::RequestTimeout,
            #[cfg(feature = "login")]
            EndCause::UserRemoved => Status::Unauthorized,
        };
        let response = self.refuse_incomplete(status, now);
        response.map_or(Cow::Borrowed(b""), |(bytes, _)| bytes.into())
    }

    fn drain(&mut self, _now: Instant) -> Option<Reply> {
        if matches!(self.state, State::Body { .. }) || self.awaits_login() {
            self.is_draining = true;
            return None;
        }
        Some(Reply { bytes: Cow::Borrowed(b""), next: Next::Close(Reason::Drain) })
    }
}
