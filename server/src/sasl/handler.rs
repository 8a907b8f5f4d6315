//! The login of one connection.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{
    exit::{goodbye, is_exit},
    fault::{Fault, FaultAct},
    login::{Mechanism, ScramError},
    message::Splitter,
    protocol::Protocol,
};

use zeroize::Zeroizing;

use super::{
    exchange::{Channel, Exchange, Failure, FailureReason, LoginContext, Progress},
    unit::{Unit, Units},
    wrong_proof::wrong_signature,
};
use crate::{
    config::{FaultKind, Login, limits},
    faults::{FaultPlan, InjectedFault},
    login::{Authenticator, LoginFailure, Source, Verification},
    session::{AfterLogin, Attributes, EndCause, Next, ProtocolHandler, Reason, Reply, Step},
};

/// A connection whose client has not logged in. Nothing that it sends is echoed or logged.
#[derive(Debug)]
pub(crate) struct SaslHandler {
    login: Arc<Login>,
    authenticator: Arc<Authenticator>,
    protocol: Protocol,
    /// The session after the login. `None`: that of the protocol.
    then: Option<Box<dyn ProtocolHandler>>,
    units: Units,
    /// Limit on the time from the accept to the end of the login.
    timeout: Option<Duration>,
    opened_at: Option<Instant>,
    source: Source,
    channel: Channel,
    state: State,
    /// Number of wrong commands and failed logins.
    failures: u32,
    /// The faults of the connection.
    faults: Option<FaultPlan>,
    /// A fault that was injected, until it is recorded.
    injected: Option<InjectedFault>,
}

/// What the connection waits for.
#[derive(Debug)]
enum State {
    /// A command of the client.
    Command,
    /// A response of the client.
    Response(Exchange),
    /// The result for a password; it is looked at from time to time.
    Verifying { mechanism: Mechanism, name: String, verification: Verification, look_at: Instant },
    /// The time for the answer to a failed login.
    Delaying { answer: String, until: Instant },
}

impl SaslHandler {
    pub(crate) fn new(
        login: Arc<Login>,
        authenticator: Arc<Authenticator>,
        protocol: Protocol,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            login,
            authenticator,
            protocol,
            then: None,
            units: Units::of(protocol),
            timeout,
            opened_at: None,
            source: Source::of(""),
            channel: Channel::default(),
            state: State::Command,
            failures: 0,
            faults: None,
            injected: None,
        }
    }

    /// Sets the session after the login, if it is not that of the protocol.
    #[cfg(any(feature = "receipt", feature = "rooms"))]
    pub(crate) fn before(mut self, then: Option<Box<dyn ProtocolHandler>>) -> Self {
        self.then = then;
        self
    }

    fn offers(&self, mechanism: Mechanism) -> bool {
        self.login.mechanisms.contains(&mechanism) && self.channel.allows(mechanism)
    }

    fn take(&mut self, unit: Unit<'_>, now: Instant) -> Reply {
        match std::mem::replace(&mut self.state, State::Command) {
            State::Response(exchange) => self.take_response(exchange, unit.text, now),
            _ => self.take_command(unit, now),
        }
    }

    fn take_command(&mut self, unit: Unit<'_>, now: Instant) -> Reply {
        if is_exit(unit.text) {
            let bytes = match self.units {
                Units::Lines => goodbye(unit.newline).to_vec(),
                Units::Frames => self.units.write(["Goodbye!"]),
            };
            return Reply { bytes: bytes.into(), next: Next::Close(Reason::Exit) };
        }
        let text = String::from_utf8_lossy(unit.text);
        let mut words = text.split(' ');
        let is_auth = words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"));
        let (mechanism, initial) = (words.next(), words.next());
        if !is_auth || words.next().is_some() {
            return self
                .refuse_command("-ERR Log in first: AUTH MECHANISM; AUTH lists the mechanisms");
        }
        let Some(mechanism) = mechanism else { return self.list() };
        let mechanism = mechanism.parse().ok().filter(|&mechanism| self.offers(mechanism));
        let Some(mechanism) = mechanism else {
            return self.refuse_command("-ERR Unknown mechanism; AUTH lists the mechanisms");
        };
        let exchange = Exchange::Begun(mechanism);
        match initial {
            // RFC 5034, section 4: an empty initial response is a single `=`.
            Some("=") => self.take_response(exchange, b"", now),
            Some(initial) => self.take_response(exchange, initial.as_bytes(), now),
            None => {
                self.state = State::Response(exchange);
                self.answer(["+ "])
            }
        }
    }

    fn list(&self) -> Reply {
        let offered = Mechanism::ALL.into_iter().filter(|&mechanism| self.offers(mechanism));
        let names = offered.map(Mechanism::name);
        self.answer(["+OK Mechanisms:"].into_iter().chain(names).chain(["."]))
    }

    fn take_response(&mut self, exchange: Exchange, response: &[u8], now: Instant) -> Reply {
        let mechanism = exchange.mechanism();
        // RFC 5034, section 4: a client cancels with a single `*`.
        if response == b"*" {
            return self.refuse_command("-ERR Cancelled");
        }
        let Ok(response) = STANDARD.decode(response).map(Zeroizing::new) else {
            let error = ScramError::Malformed("a response that is not base64");
            let name = exchange.name().map(str::to_owned);
            return self.fail(Failure { mechanism, name, reason: error.into() }, now);
        };
        let offers_plus = self.offers(Mechanism::ScramSha256Plus);
        let login = LoginContext {
            channel: &self.channel,
            offers_plus,
            authenticator: &self.authenticator,
            source: self.source,
            now,
        };
        match exchange.receive(&response, &login) {
            Progress::Challenge(exchange, mut challenge) => {
                if matches!(exchange, Exchange::Proven(..))
                    && let Some(plan) = self.wrong_proof(now)
                {
                    challenge = wrong_signature(&challenge);
                    let act = FaultAct::sent(Fault::LoginWrongProof, 0);
                    self.injected = Some(InjectedFault { plan, act });
                }
                self.state = State::Response(exchange);
                self.answer([&format!("+ {}", STANDARD.encode(challenge))[..]])
            }
            Progress::Verify(mechanism, name, verification) => {
                let look_at = now + limits::LOGIN_POLL;
                self.wait(State::Verifying { mechanism, name, verification, look_at })
            }
            Progress::Success(mechanism, name) => self.succeed(mechanism, name, now),
            Progress::Failure(failure) => self.fail(failure, now),
        }
    }

    /// Returns the plan by which the proof of the server must be wrong.
    fn wrong_proof(&self, now: Instant) -> Option<FaultPlan> {
        let plan = self.faults.as_ref()?;
        let mut rules = plan.rules().filter(|rule| plan.applies(rule, now));
        let is_wrong = rules.any(|rule| matches!(rule.kind, FaultKind::LoginWrongProof));
        is_wrong.then(|| plan.clone())
    }

    /// Opens the session of a user.
    fn succeed(&mut self, mechanism: Mechanism, name: String, now: Instant) -> Reply {
        match self.authenticator.open_session(&name) {
            Ok(account) => {
                let mechanism = mechanism.name();
                let then = match self.then.take() {
                    Some(handler) => AfterLogin::Handler(handler),
                    None => AfterLogin::Protocol(self.protocol),
                };
                let next = Next::LoggedIn { account, mechanism, then };
                Reply { bytes: self.units.write(["+OK Logged in"]).into(), next }
            }
            Err(error) => {
                let reason = FailureReason::Session(error);
                self.fail(Failure { mechanism, name: Some(name), reason }, now)
            }
        }
    }

    /// Records a failed login, and answers it after a while. One that the server has not examined is not counted: otherwise
    /// anybody could make it refuse a user.
    fn fail(&mut self, failure: Failure, now: Instant) -> Reply {
        let Failure { mechanism, name, reason } = failure;
        let delay = match reason {
            FailureReason::Busy | FailureReason::Session(_) => limits::LOGIN_DELAY,
            FailureReason::Refused => limits::MAX_LOGIN_DELAY,
            _ => self.authenticator.count_failure(self.source, name.as_deref(), now),
        };
        let answer = match &reason {
            FailureReason::Busy => "-ERR Too many logins at once; try again later".to_owned(),
            FailureReason::Session(error) => format!("-ERR Not logged in: {error}"),
            _ => "-ERR Not logged in".to_owned(),
        };
        self.state = State::Delaying { answer, until: now + delay };
        let mechanism = mechanism.name();
        let failure = LoginFailure { mechanism, name, reason: reason.to_string() };
        Reply {
            bytes: Cow::default(),
            next: Next::LoginFailed { failure: failure.into(), keeps_input: true },
        }
    }

    fn refuse_command(&mut self, answer: &str) -> Reply {
        self.failures += 1;
        let is_last = self.failures >= limits::LOGIN_TRIES;
        let next = if is_last { Next::Close(Reason::NotLoggedIn) } else { Next::Continue };
        Reply { bytes: self.units.write([answer]).into(), next }
    }

    fn answer<'a>(&self, answers: impl IntoIterator<Item = &'a str>) -> Reply {
        Reply { bytes: self.units.write(answers).into(), next: Next::Continue }
    }

    fn close(&self, answer: &str, reason: Reason) -> Reply {
        Reply { bytes: self.units.write([answer]).into(), next: Next::Close(reason) }
    }

    /// Returns the end of the time for the login.
    fn login_deadline(&self) -> Option<Instant> {
        self.opened_at?.checked_add(self.timeout?)
    }

    fn wait(&mut self, state: State) -> Reply {
        self.state = state;
        Reply { bytes: Cow::default(), next: Next::Wait }
    }
}

impl ProtocolHandler for SaslHandler {
    fn begin(&mut self, attributes: &Attributes<'_>, _now: Instant) {
        self.opened_at = Some(attributes.opened_at);
        self.source = Source::of(attributes.peer);
        self.channel = Channel {
            is_tls: attributes.handshake.is_some(),
            exporter: attributes.identity.and_then(|identity| identity.exporter),
            common_name: attributes.identity.and_then(|identity| identity.common_name.clone()),
        };
    }

    fn set_faults(&mut self, faults: Option<&FaultPlan>) {
        self.faults = faults.cloned();
    }

    fn take_injected_fault(&mut self) -> Option<InjectedFault> {
        self.injected.take()
    }

    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        let (consumed, reply) = match self.units.first(input) {
            Ok(None) => return Step::echo(0, 0),
            Err(_) => {
                let reason = Reason::Violation("its login is too long");
                (input.len(), self.close("-ERR Too long", reason))
            }
            Ok(Some(unit)) => {
                let behind = input.len() - unit.len;
                match (unit.len, self.take(unit, now)) {
                    (_, Reply { next: Next::Wait, .. }) if behind > limits::LOGIN_UNIT => {
                        let reason = Reason::Violation("it sends too much behind its login");
                        (input.len(), self.close("-ERR Too long", reason))
                    }
                    (_, reply @ Reply { next: Next::LoginFailed { .. }, .. })
                        if behind > limits::LOGIN_UNIT =>
                    {
                        // What is behind a failed login is not kept, so no further one can be found in it.
                        self.failures = limits::LOGIN_TRIES;
                        (input.len(), reply)
                    }
                    taken => taken,
                }
            }
        };
        Step { consumed, echo: 0, messages: 0, reply: Some(reply) }
    }

    fn splitter(&self) -> Splitter {
        Splitter::new(Protocol::Raw)
    }

    /// The log shows nothing of a login: it may hold a password.
    fn logged(&self) -> usize {
        0
    }

    fn recorded_as(&self) -> Option<&'static str> {
        None
    }

    fn unfinished_messages(&self) -> isize {
        0
    }

    fn deadline(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Verifying { look_at, .. } => Some(*look_at),
            State::Delaying { until, .. } => Some(*until),
            State::Command | State::Response(_) => None,
        };
        [own, self.login_deadline()].into_iter().flatten().min()
    }

    fn expire(&mut self, now: Instant) -> Reply {
        if self.login_deadline().is_some_and(|at| at <= now) {
            return self.close("-ERR Too late", Reason::Timeout("it did not log in in time"));
        }
        match std::mem::replace(&mut self.state, State::Command) {
            State::Verifying { mechanism, name, verification, .. } => match verification.result() {
                Some(true) if self.authenticator.has_password(&name) => {
                    self.succeed(mechanism, name, now)
                }
                Some(is_right) => {
                    let expired = is_right.then_some(FailureReason::Expired);
                    let reason = expired.unwrap_or(FailureReason::WrongPassword);
                    self.fail(Failure { mechanism, name: Some(name), reason }, now)
                }
                None => {
                    let look_at = now + limits::LOGIN_POLL;
                    self.wait(State::Verifying { mechanism, name, verification, look_at })
                }
            },
            State::Delaying { answer, .. } => self.refuse_command(&answer),
            state => {
                self.state = state;
                Reply { bytes: Cow::default(), next: Next::Continue }
            }
        }
    }

    fn end(&mut self, _cause: EndCause, _now: Instant) -> Cow<'static, [u8]> {
        Cow::default()
    }

    fn drain(&mut self, _now: Instant) -> Option<Reply> {
        Some(Reply { bytes: Cow::default(), next: Next::Close(Reason::Drain) })
    }
}
