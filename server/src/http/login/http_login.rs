//! The logins of one connection.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use common::login::{Key, Mechanism, Secret, hash, prepare_name};

use super::credential::{COOKIE, Credential, cookie, parse};
use crate::{
    config::{CookieError, Login, limits},
    http::{
        connection_info::ConnectionInfo,
        head::Head,
        response::{Refusal, Status, refuse, refused},
    },
    login::{Account, Authenticator, LoginError, LoginFailure, Source, Verification},
    session::{AfterLogin, Attributes, Next, Reason, Reply, Step},
};

/// The logins of one connection.
pub(in crate::http) struct HttpLogin {
    login: Arc<Login>,
    authenticator: Arc<Authenticator>,
    source: Source,
    is_tls: bool,
    /// The common name in the client's certificate.
    common_name: Option<String>,
    /// Limit on the time from the accept to the first login.
    timeout: Option<Duration>,
    opened_at: Option<Instant>,
    /// The user of the last request.
    known: Option<Known>,
    /// The user whose session the connection is.
    account: Option<String>,
    pending: Option<Pending>,
}

/// A user of the connection.
struct Known {
    name: String,
    /// Hash of the credential in the request.
    credential: Key,
    /// That of the users at the time.
    generation: usize,
}

/// What a request waits for.
enum Pending {
    /// The result for a password; it is looked at from time to time.
    Password { known: Known, verification: Verification, look_at: Instant, is_head: bool },
    /// The time for the answer to a failed login.
    Answer { refusal: Refusal, is_head: bool, until: Instant },
}

/// What to do with a request.
enum Decision {
    /// It is that of a user, who is known.
    Serve,
    /// It is that of a user, who is now known.
    LoggedIn(Account, &'static str),
    /// It waits for the deadline.
    Wait,
    /// Its login has failed; the answer waits for the deadline.
    Fail(LoginFailure),
    /// It has no credential.
    Refuse,
}

/// What to do at the deadline.
enum Expired {
    /// The request can be decided.
    Continue,
    /// It still waits.
    Wait,
    /// Its login has failed; the answer waits for the next deadline.
    Fail(LoginFailure),
    /// This is the answer, to a HEAD request or another.
    Answer(Refusal, bool),
}

impl HttpLogin {
    pub(in crate::http) fn new(
        login: Arc<Login>,
        authenticator: Arc<Authenticator>,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            login,
            authenticator,
            source: Source::of(""),
            is_tls: false,
            common_name: None,
            timeout,
            opened_at: None,
            known: None,
            account: None,
            pending: None,
        }
    }

    /// Receives the attributes of the connection.
    pub(in crate::http) fn begin(&mut self, attributes: &Attributes<'_>) {
        self.opened_at = Some(attributes.opened_at);
        self.source = Source::of(attributes.peer);
        self.is_tls = attributes.handshake.is_some();
        self.common_name = attributes.identity.and_then(|identity| identity.common_name.clone());
    }

    /// Receives a request. Returns what to do with it, unless its client is known as a user. `len` is the length of everything
    /// that has arrived.
    pub(in crate::http) fn receive(
        &mut self,
        head: &Head<'_>,
        len: usize,
        info: &mut ConnectionInfo,
        now: Instant,
    ) -> Option<Step> {
        let (consumed, next) = match self.decide(head, now) {
            Decision::Serve => {
                info.cookie = self.new_cookie(head).unwrap_or_default();
                return None;
            }
            Decision::LoggedIn(account, mechanism) => {
                info.user = Some(account.name().to_owned());
                (0, Next::LoggedIn { account, mechanism, then: AfterLogin::Continue })
            }
            Decision::Wait => (0, Next::Wait),
            // The connection closes, so nothing of the request is kept until the answer.
            Decision::Fail(failure) => {
                (len, Next::LoginFailed { failure: failure.into(), keeps_input: false })
            }
            Decision::Refuse => {
                let reply = refusal_reply(&unauthorized(), head.method == "HEAD", info, now);
                return Some(Step { consumed: len, echo: 0, messages: 0, reply: Some(reply) });
            }
        };
        let reply = Some(Reply { bytes: Cow::default(), next });
        Some(Step { consumed, echo: 0, messages: 0, reply })
    }

    /// Handles the deadline. `None`: it has not passed.
    pub(in crate::http) fn expire(
        &mut self,
        info: &mut ConnectionInfo,
        now: Instant,
    ) -> Option<Reply> {
        let next = match self.look(now)? {
            Expired::Continue => Next::Continue,
            Expired::Wait => Next::Wait,
            Expired::Fail(failure) => {
                Next::LoginFailed { failure: failure.into(), keeps_input: false }
            }
            Expired::Answer(refusal, is_head) => {
                return Some(refusal_reply(&refusal, is_head, info, now));
            }
        };
        Some(Reply { bytes: Cow::default(), next })
    }

    /// Decides about a request.
    fn decide(&mut self, head: &Head<'_>, now: Instant) -> Decision {
        let is_head = head.method == "HEAD";
        if let Some(Pending::Password { known, .. }) = self.pending.take() {
            return self.succeed(known, "Basic", is_head, now);
        }
        let generation = self.authenticator.generation();
        let Some((id, credential)) = self.credential(head) else { return Decision::Refuse };
        let is_same = |known: &Known| known.credential == id && known.generation == generation;
        if self.known.as_ref().is_some_and(is_same) {
            return Decision::Serve;
        }
        self.known = None;
        let known = |name| Known { name, credential: id, generation };
        match credential {
            Credential::Basic { name, password } => {
                self.verify(known(name), password, is_head, now)
            }
            Credential::Token(token) => match self.authenticator.token_user(&token) {
                Some(name) => self.succeed(known(name), "Bearer", is_head, now),
                None => self.fail("Bearer", None, "no user has the token", is_head, now),
            },
            Credential::Cookie(cookie) => match self.authenticator.cookie_user(&cookie) {
                Ok(name) => self.succeed(known(name), "cookie", is_head, now),
                Err(CookieError::Expired) => Decision::Refuse,
                Err(CookieError::Wrong) => {
                    self.fail("cookie", None, "its signature is not valid", is_head, now)
                }
            },
            Credential::Certificate(name) => self.succeed(known(name), "certificate", is_head, now),
            Credential::Malformed => {
                self.fail("Authorization", None, "it is malformed", is_head, now)
            }
        }
    }

    fn verify(&mut self, known: Known, password: Secret, is_head: bool, now: Instant) -> Decision {
        if !self.login.mechanisms.contains(&Mechanism::Plain) {
            let reason = "the listener does not offer PLAIN";
            return self.fail("Basic", Some(known.name), reason, is_head, now);
        }
        if self.authenticator.is_refused(self.source, &known.name, now) {
            let reason = "too many logins have failed";
            let until = now + limits::MAX_LOGIN_DELAY;
            return self.answer_at(
                until,
                unauthorized(),
                is_head,
                "Basic",
                Some(known.name),
                reason,
            );
        }
        if let Some(verification) = self.authenticator.verify(&known.name, password) {
            let look_at = now + limits::LOGIN_POLL;
            self.pending = Some(Pending::Password { known, verification, look_at, is_head });
            return Decision::Wait;
        }
        let refusal = refused(Status::Unavailable, "too many logins at once");
        let reason = "too many passwords are being verified";
        self.answer_at(
            now + limits::LOGIN_DELAY,
            refusal,
            is_head,
            "Basic",
            Some(known.name),
            reason,
        )
    }

    fn succeed(
        &mut self,
        known: Known,
        mechanism: &'static str,
        is_head: bool,
        now: Instant,
    ) -> Decision {
        if self.account.as_ref() == Some(&known.name) {
            self.known = Some(known);
            return Decision::Serve;
        }
        match self.authenticator.open_session(&known.name) {
            Ok(account) => {
                self.account = Some(known.name.clone());
                self.known = Some(known);
                Decision::LoggedIn(account, mechanism)
            }
            Err(error) => {
                let refusal = match error {
                    LoginError::TooManySessions(_) => {
                        refused(Status::TooManyRequests, error.to_string())
                    }
                    LoginError::Removed => unauthorized(),
                };
                let (name, reason) = (Some(known.name), error.to_string());
                let until = now + limits::LOGIN_DELAY;
                self.answer_at(until, refusal, is_head, mechanism, name, &reason)
            }
        }
    }

    /// Counts a failed login, and answers it after a while.
    fn fail(
        &mut self,
        mechanism: &'static str,
        name: Option<String>,
        reason: &str,
        is_head: bool,
        now: Instant,
    ) -> Decision {
        let delay = self.authenticator.count_failure(self.source, name.as_deref(), now);
        self.answer_at(now + delay, unauthorized(), is_head, mechanism, name, reason)
    }

    fn answer_at(
        &mut self,
        until: Instant,
        refusal: Refusal,
        is_head: bool,
        mechanism: &'static str,
        name: Option<String>,
        reason: &str,
    ) -> Decision {
        self.pending = Some(Pending::Answer { refusal, is_head, until });
        Decision::Fail(LoginFailure { mechanism, name, reason: reason.to_owned() })
    }

    /// Returns whether a request waits.
    pub(in crate::http) fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns the time from which [`expire`](Self::expire) is to be called.
    pub(in crate::http) fn deadline(&self) -> Option<Instant> {
        match self.pending {
            Some(Pending::Answer { until, .. }) => Some(until),
            Some(Pending::Password { look_at, .. }) => {
                [Some(look_at), self.end()].into_iter().flatten().min()
            }
            None => self.end(),
        }
    }

    /// Returns the end of the time for the first login.
    fn end(&self) -> Option<Instant> {
        if self.account.is_some() { None } else { self.opened_at?.checked_add(self.timeout?) }
    }

    /// Looks at the pending request at the deadline. `None`: it has not passed.
    fn look(&mut self, now: Instant) -> Option<Expired> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        if let Some(Pending::Answer { refusal, is_head, .. }) =
            self.pending.take_if(|pending| matches!(pending, Pending::Answer { .. }))
        {
            return Some(Expired::Answer(refusal, is_head));
        }
        if self.end().is_some_and(|end| end <= now) {
            self.pending = None;
            let refusal = refused(Status::RequestTimeout, "there was no login in time");
            return Some(Expired::Answer(refusal, false));
        }
        let Some(Pending::Password { known, verification, look_at, is_head }) = &mut self.pending
        else {
            return None;
        };
        let reason = match verification.result() {
            None => {
                *look_at = now + limits::LOGIN_POLL;
                return Some(Expired::Wait);
            }
            Some(true) if self.authenticator.has_password(&known.name) => {
                return Some(Expired::Continue);
            }
            Some(true) => "the password has expired",
            Some(false) => "the password is wrong",
        };
        let (name, is_head) = (std::mem::take(&mut known.name), *is_head);
        match self.fail("Basic", Some(name), reason, is_head, now) {
            Decision::Fail(failure) => Some(Expired::Fail(failure)),
            _ => None,
        }
    }

    /// Returns the credential in a request, and its hash: the most explicit one, if there are several.
    fn credential(&self, head: &Head<'_>) -> Option<(Key, Credential)> {
        let mut headers = head.values("authorization");
        if let Some(header) = headers.next() {
            let credential = match headers.next() {
                None => parse(header),
                Some(_) => Credential::Malformed,
            };
            return Some((hash(header), credential));
        }
        if let Some(cookie) = cookie(head) {
            return Some((hash(cookie.as_bytes()), Credential::Cookie(cookie)));
        }
        let name = self.common_name.as_deref().and_then(|name| prepare_name(name).ok())?;
        let is_accepted = self.login.mechanisms.contains(&Mechanism::External)
            && self.authenticator.has_certificate(&name);
        is_accepted.then(|| (hash(name.as_bytes()), Credential::Certificate(name)))
    }

    /// Returns the header that gives the page its cookie, if the request has another credential.
    fn new_cookie(&self, head: &Head<'_>) -> Option<String> {
        head.value("authorization")?;
        let cookie = self.authenticator.new_cookie(&self.known.as_ref()?.name)?;
        let secure = if self.is_tls { "; Secure" } else { "" };
        let age = limits::LOGIN_COOKIE.as_secs();
        Some(format!(
            "Set-Cookie: {COOKIE}={cookie}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}\r\n"
        ))
    }
}

/// Returns the refusal of a request without a valid credential.
fn unauthorized() -> Refusal {
    refused(Status::Unauthorized, "log in as a user of this server")
}

fn refusal_reply(
    refusal: &Refusal,
    is_head: bool,
    info: &mut ConnectionInfo,
    now: Instant,
) -> Reply {
    info.set_time(now);
    let bytes = refuse(refusal, is_head, info).into();
    Reply { bytes, next: Next::Close(Reason::NotLoggedIn) }
}

impl fmt::Debug for HttpLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpLogin").field("user", &self.account).finish_non_exhaustive()
    }
}
