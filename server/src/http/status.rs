//! The statuses of responses, and the reasons for a refusal.

use std::borrow::Cow;

use crate::session::Reason;

/// The status of a response (RFC 9110, section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    NoContent,
    BadRequest,
    Forbidden,
    RequestTimeout,
    UriTooLong,
    ExpectationFailed,
    Misdirected,
    UpgradeRequired,
    HeadersTooLarge,
    NotImplemented,
    VersionNotSupported,
}

/// A request that is refused: the status of the response, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) rule: Cow<'static, str>,
}

impl Status {
    /// Returns the number and the phrase.
    pub(super) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::NoContent => "204 No Content",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::RequestTimeout => "408 Request Timeout",
            Self::UriTooLong => "414 URI Too Long",
            Self::ExpectationFailed => "417 Expectation Failed",
            Self::Misdirected => "421 Misdirected Request",
            Self::UpgradeRequired => "426 Upgrade Required",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

impl From<Refusal> for Reason {
    /// A malformed request breaks the protocol. Another one is valid, and not for this server.
    fn from(Refusal { status, rule }: Refusal) -> Self {
        match (status, rule) {
            (Status::BadRequest, Cow::Borrowed(rule)) => Self::Violation(rule),
            (_, rule) => Self::Refused(rule.into()),
        }
    }
}

/// Returns a refusal of a malformed request.
pub(super) fn bad(rule: &'static str) -> Refusal {
    Refusal { status: Status::BadRequest, rule: Cow::Borrowed(rule) }
}

/// Returns a refusal with another status.
pub(super) fn refused(status: Status, rule: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal { status, rule: rule.into() }
}
