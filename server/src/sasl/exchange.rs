//! One exchange of a mechanism, from the first response of the client to the outcome.

use std::{fmt, time::Instant};

use common::login::{
    Mechanism, PlainMessage, ScramError, ServerExchange, prepare_name, random_nonce,
};

use crate::login::{Authenticator, LoginError, Source, Verification};

/// What a connection offers for a login.
#[derive(Clone, Debug, Default)]
pub(super) struct Channel {
    pub(super) is_tls: bool,
    /// The channel binding of TLS.
    pub(super) exporter: Option<[u8; 32]>,
    /// The common name in the client's certificate.
    pub(super) common_name: Option<String>,
}

/// The state of an exchange.
#[derive(Debug)]
pub(super) enum Exchange {
    /// The client has named the mechanism.
    Begun(Mechanism),
    /// The client owes its proof.
    Scram(Mechanism, Box<ServerExchange>),
    /// The client has the signature of the server, and owes an empty response.
    Proven(Mechanism, String),
}

/// What follows a response of the client.
#[derive(Debug)]
pub(super) enum Progress {
    /// The server sends a challenge, and the exchange continues.
    Challenge(Exchange, String),
    /// The password is being verified.
    Verify(Mechanism, String, Verification),
    /// The client is this user.
    Success(Mechanism, String),
    Failure(Failure),
}

/// A failed login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) mechanism: Mechanism,
    /// The name that the client has claimed.
    pub(super) name: Option<String>,
    pub(super) reason: FailureReason,
}

/// Reason of a failed login, for the log. The client gets the same answer to all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FailureReason {
    Message(ScramError),
    WrongPassword,
    /// The password has expired.
    Expired,
    /// No certificate, or one of somebody who may not log in with it.
    Certificate,
    /// Too many logins have failed.
    Refused,
    /// Too many passwords are being verified.
    Busy,
    /// The user has no further session.
    Session(LoginError),
}

/// The connection of a login, and who decides about it.
pub(super) struct LoginContext<'a> {
    pub(super) channel: &'a Channel,
    /// The connection offers `SCRAM-SHA-256-PLUS`.
    pub(super) offers_plus: bool,
    pub(super) authenticator: &'a Authenticator,
    pub(super) source: Source,
    pub(super) now: Instant,
}

impl LoginContext<'_> {
    fn is_refused(&self, name: &str) -> bool {
        self.authenticator.is_refused(self.source, name, self.now)
    }
}

impl From<ScramError> for FailureReason {
    fn from(error: ScramError) -> Self {
        Self::Message(error)
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(error) => error.fmt(formatter),
            Self::WrongPassword => formatter.write_str("the password is wrong"),
            Self::Expired => formatter.write_str("the password has expired"),
            Self::Certificate => formatter.write_str("its certificate is not that of a user"),
            Self::Refused => formatter.write_str("too many logins have failed"),
            Self::Busy => formatter.write_str("too many passwords are being verified"),
            Self::Session(error) => error.fmt(formatter),
        }
    }
}

impl Channel {
    /// Returns whether the mechanism can be used on this connection.
    pub(super) fn allows(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::ScramSha256Plus => self.exporter.is_some(),
            Mechanism::ScramSha256 => true,
            Mechanism::External => self.common_name.is_some(),
            Mechanism::Plain => self.is_tls,
        }
    }
}

impl Exchange {
    pub(super) fn mechanism(&self) -> Mechanism {
        match self {
            Self::Begun(mechanism) | Self::Scram(mechanism, _) | Self::Proven(mechanism, _) => {
                *mechanism
            }
        }
    }

    /// Returns the name that the client has claimed.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Begun(_) => None,
            Self::Scram(_, exchange) => Some(exchange.name()),
            Self::Proven(_, name) => Some(name),
        }
    }

    /// Receives a response of the client.
    pub(super) fn receive(self, response: &[u8], login: &LoginContext<'_>) -> Progress {
        let mechanism = self.mechanism();
        match self {
            Self::Begun(Mechanism::ScramSha256 | Mechanism::ScramSha256Plus) => {
                begin_scram(mechanism, response, login)
            }
            Self::Begun(Mechanism::Plain) => plain(response, login),
            Self::Begun(Mechanism::External) => external(response, login),
            Self::Scram(_, exchange) => finish_scram(mechanism, &exchange, response, login),
            Self::Proven(_, name) if response.is_empty() => Progress::Success(mechanism, name),
            Self::Proven(_, name) => {
                let error = ScramError::Malformed("the last response is not empty");
                fail(mechanism, Some(&name), error.into())
            }
        }
    }
}

fn fail(mechanism: Mechanism, name: Option<&str>, reason: FailureReason) -> Progress {
    Progress::Failure(Failure { mechanism, name: name.map(str::to_owned), reason })
}

fn begin_scram(mechanism: Mechanism, response: &[u8], login: &LoginContext<'_>) -> Progress {
    let exporter = login.channel.exporter.as_ref().filter(|_| login.offers_plus);
    let keys = |name: &str| login.authenticator.keys(name);
    match ServerExchange::begin(mechanism, exporter, response, &random_nonce(), keys) {
        Ok((exchange, challenge)) => {
            Progress::Challenge(Exchange::Scram(mechanism, exchange.into()), challenge)
        }
        Err(error) => fail(mechanism, None, error.into()),
    }
}

fn finish_scram(
    mechanism: Mechanism,
    exchange: &ServerExchange,
    response: &[u8],
    login: &LoginContext<'_>,
) -> Progress {
    let name = exchange.name();
    if login.is_refused(name) {
        return fail(mechanism, Some(name), FailureReason::Refused);
    }
    match exchange.finish(response) {
        Ok(_) if !login.authenticator.has_password(name) => {
            fail(mechanism, Some(name), FailureReason::Expired)
        }
        Ok(signature) => {
            Progress::Challenge(Exchange::Proven(mechanism, name.to_owned()), signature)
        }
        Err(error) => fail(mechanism, Some(name), error.into()),
    }
}

fn plain(response: &[u8], login: &LoginContext<'_>) -> Progress {
    let mechanism = Mechanism::Plain;
    match PlainMessage::parse(response) {
        Ok(PlainMessage { name, .. }) if login.is_refused(&name) => {
            fail(mechanism, Some(&name), FailureReason::Refused)
        }
        Ok(PlainMessage { name, password }) => match login.authenticator.verify(&name, password) {
            Some(verification) => Progress::Verify(mechanism, name, verification),
            None => fail(mechanism, Some(&name), FailureReason::Busy),
        },
        Err(error) => fail(mechanism, None, error.into()),
    }
}

fn external(response: &[u8], login: &LoginContext<'_>) -> Progress {
    let mechanism = Mechanism::External;
    let common_name = login.channel.common_name.as_deref();
    let Some(Ok(name)) = common_name.map(prepare_name) else {
        return fail(mechanism, common_name, FailureReason::Certificate);
    };
    if !response.is_empty() && response != name.as_bytes() {
        fail(mechanism, Some(&name), ScramError::OtherIdentity.into())
    } else if login.authenticator.has_certificate(&name) {
        Progress::Success(mechanism, name)
    } else {
        fail(mechanism, Some(&name), FailureReason::Certificate)
    }
}
