//! Login over HTTP: Basic (RFC 7617), Bearer (RFC 6750), the certificate of the client, and the cookie of the page.
//!
//! A browser cannot send `Authorization` with a WebSocket, so the page gets a cookie, which only pages of this server send.

use std::{fmt, sync::Arc, time::Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::login::{Key, Mechanism, Secret, hash, prepare_name, prepare_password};

use super::head::Head;
use crate::{
    config::{Login, limits},
    login::{Account, Authenticator, LoginFailure, Source, Verification},
    session::Attributes,
};

/// Name of the cookie.
const COOKIE: &str = "echo-login";

/// The logins of one connection.
pub(super) struct HttpLogin {
    login: Arc<Login>,
    authenticator: Arc<Authenticator>,
    source: Source,
    is_tls: bool,
    /// The common name in the client's certificate.
    common_name: Option<String>,
    /// The user of the last request.
    known: Option<Known>,
    pending: Option<Pending>,
}

/// A user of the connection.
struct Known {
    name: String,
    /// Hash of what the request has shown.
    shown: Key,
    /// That of the users at the time.
    generation: usize,
}

/// What a request waits for.
enum Pending {
    /// The result for a password; it is looked at from time to time.
    Password { shown: Key, name: String, verification: Verification, look_at: Instant },
    /// The time for the answer to a failed login.
    Delay { failure: LoginFailure, until: Instant },
    /// The answer to a failed login.
    Failed(LoginFailure),
}

/// What becomes of a request.
pub(super) enum Decision {
    /// It is that of a user, who is known.
    Serve,
    /// It is that of a user, who is now known.
    LoggedIn(Account, &'static str),
    /// It waits.
    Wait,
    /// It shows no valid credential.
    Refuse(Option<LoginFailure>),
}

/// What a request shows.
enum Shown {
    Basic {
        name: String,
        password: Secret,
    },
    Token(String),
    Cookie(String),
    Certificate(String),
    /// An `Authorization` that is malformed, or of another scheme.
    Malformed,
}

impl HttpLogin {
    pub(super) fn new(login: Arc<Login>, authenticator: Arc<Authenticator>) -> Self {
        Self {
            login,
            authenticator,
            source: Source::of(""),
            is_tls: false,
            common_name: None,
            known: None,
            pending: None,
        }
    }

    /// Receives the attributes of the connection.
    pub(super) fn begin(&mut self, attributes: &Attributes<'_>) {
        self.source = Source::of(attributes.peer);
        self.is_tls = attributes.handshake.is_some();
        self.common_name = attributes.identity.and_then(|identity| identity.common_name.clone());
    }

    /// Returns the user of the last request.
    pub(super) fn user(&self) -> Option<&str> {
        self.known.as_ref().map(|known| &known.name[..])
    }

    /// Decides about a request.
    pub(super) fn decide(&mut self, head: &Head<'_>, now: Instant) -> Decision {
        match self.pending.take() {
            None => {}
            Some(Pending::Failed(failure)) => return Decision::Refuse(Some(failure)),
            Some(Pending::Password { shown, name, verification, .. })
                if verification.result() == Some(true) =>
            {
                return self.succeed(shown, &name, "Basic");
            }
            Some(pending) => {
                self.pending = Some(pending);
                return Decision::Wait;
            }
        }
        let Some((id, shown)) = self.shown(head) else { return Decision::Refuse(None) };
        let generation = self.authenticator.generation();
        let is_known = |known: &Known| known.shown == id && known.generation == generation;
        if self.known.as_ref().is_some_and(is_known) {
            return Decision::Serve;
        }
        self.known = None;
        match shown {
            Shown::Basic { name, password } => self.verify(id, name, password, now),
            Shown::Token(token) => match self.authenticator.token_user(&token) {
                Some(name) => self.succeed(id, &name, "Bearer"),
                None => self.fail("Bearer", None, "no user has the token", now),
            },
            // One that has expired is no attack.
            Shown::Cookie(cookie) => match self.authenticator.cookie_user(&cookie) {
                Some(name) => self.succeed(id, &name, "cookie"),
                None => Decision::Refuse(None),
            },
            Shown::Certificate(name) => self.succeed(id, &name, "certificate"),
            Shown::Malformed => self.fail("Authorization", None, "it is malformed", now),
        }
    }

    fn verify(&mut self, shown: Key, name: String, password: Secret, now: Instant) -> Decision {
        if !self.login.mechanisms.contains(&Mechanism::Plain) {
            return self.fail("Basic", Some(name), "the listener does not offer PLAIN", now);
        }
        if self.authenticator.is_refused(self.source, &name, now) {
            return self.fail("Basic", Some(name), "too many logins have failed", now);
        }
        match self.authenticator.verify(&name, password) {
            Some(verification) => {
                let look_at = now + limits::LOGIN_POLL;
                self.pending = Some(Pending::Password { shown, name, verification, look_at });
                Decision::Wait
            }
            None => self.fail("Basic", Some(name), "too many passwords are being verified", now),
        }
    }

    fn succeed(&mut self, shown: Key, name: &str, mechanism: &'static str) -> Decision {
        match self.authenticator.open_session(name) {
            Ok(account) => {
                let generation = self.authenticator.generation();
                self.known = Some(Known { name: name.to_owned(), shown, generation });
                Decision::LoggedIn(account, mechanism)
            }
            Err(error) => {
                let name = Some(name.to_owned());
                let reason = error.to_string();
                Decision::Refuse(Some(LoginFailure { mechanism, name, reason }))
            }
        }
    }

    /// Answers a failed login after a while.
    fn fail(
        &mut self,
        mechanism: &'static str,
        name: Option<String>,
        reason: &str,
        now: Instant,
    ) -> Decision {
        let delay = self.authenticator.count_failure(self.source, name.as_deref(), now);
        let failure = LoginFailure { mechanism, name, reason: reason.to_owned() };
        self.pending = Some(Pending::Delay { failure, until: now + delay });
        Decision::Wait
    }

    /// Returns whether a request waits.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.pending, Some(Pending::Password { .. } | Pending::Delay { .. }))
    }

    /// Returns the time from which [`look`](Self::look) is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.pending {
            Some(Pending::Password { look_at, .. }) => Some(look_at),
            Some(Pending::Delay { until, .. }) => Some(until),
            _ => None,
        }
    }

    /// Looks whether a request still waits. Returns whether it does not.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        match &mut self.pending {
            Some(Pending::Password { name, verification, look_at, .. }) => {
                match verification.result() {
                    None => *look_at = now + limits::LOGIN_POLL,
                    Some(true) => return true,
                    Some(false) => {
                        let name = Some(std::mem::take(name));
                        self.fail("Basic", name, "the password is wrong", now);
                    }
                }
                false
            }
            Some(Pending::Delay { until, .. }) if *until > now => false,
            Some(Pending::Delay { failure, .. }) => {
                self.pending = Some(Pending::Failed(failure.clone()));
                true
            }
            _ => true,
        }
    }

    /// Returns the header that gives the page its cookie, if the request has another credential.
    pub(super) fn new_cookie(&self, head: &Head<'_>) -> Option<String> {
        head.value("authorization")?;
        let cookie = self.authenticator.new_cookie(self.user()?)?;
        let secure = if self.is_tls { "; Secure" } else { "" };
        let age = limits::LOGIN_COOKIE.as_secs();
        Some(format!(
            "Set-Cookie: {COOKIE}={cookie}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}\r\n"
        ))
    }

    /// Returns what a request shows, and its hash: the most explicit credential, if there are several.
    fn shown(&self, head: &Head<'_>) -> Option<(Key, Shown)> {
        let mut headers = head.values("authorization");
        if let Some(header) = headers.next() {
            let shown = match headers.next() {
                None => parse(header),
                Some(_) => Shown::Malformed,
            };
            return Some((hash(header), shown));
        }
        if let Some(cookie) = cookie(head) {
            return Some((hash(cookie.as_bytes()), Shown::Cookie(cookie)));
        }
        let name = self.common_name.as_deref().and_then(|name| prepare_name(name).ok())?;
        let is_accepted = self.login.mechanisms.contains(&Mechanism::External)
            && self.authenticator.has_certificate(&name);
        is_accepted.then(|| (hash(name.as_bytes()), Shown::Certificate(name)))
    }
}

/// Parses the value of `Authorization`.
fn parse(header: &[u8]) -> Shown {
    let Some((scheme, rest)) =
        std::str::from_utf8(header).ok().and_then(|text| text.split_once(' '))
    else {
        return Shown::Malformed;
    };
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Shown::Token(rest.to_owned());
    }
    let is_basic = scheme.eq_ignore_ascii_case("Basic");
    let decoded = BASE64_STANDARD.decode(rest).ok().filter(|_| is_basic);
    let text = decoded.and_then(|decoded| String::from_utf8(decoded).ok());
    let shown =
        text.as_deref().and_then(|text| text.split_once(':')).and_then(|(name, password)| {
            let (name, password) = (prepare_name(name).ok()?, prepare_password(password).ok()?);
            Some(Shown::Basic { name, password })
        });
    shown.unwrap_or(Shown::Malformed)
}

/// Returns the value of the cookie.
fn cookie(head: &Head<'_>) -> Option<String> {
    let text = head.values("cookie").filter_map(|value| std::str::from_utf8(value).ok());
    let mut pairs = text.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    })
}

impl fmt::Debug for HttpLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpLogin").field("user", &self.user()).finish_non_exhaustive()
    }
}
