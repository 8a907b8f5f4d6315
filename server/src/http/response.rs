//! Responses: statuses, the reasons for a refusal, and bytes.

use std::{borrow::Cow, fmt::Write as _};

use super::connection_info::ConnectionInfo;
use crate::session::Reason;

/// The status of a response (RFC 9110, section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    NoContent,
    BadRequest,
    #[cfg(feature = "login")]
    Unauthorized,
    Forbidden,
    #[cfg(any(feature = "admin", feature = "rooms"))]
    NotFound,
    #[cfg(feature = "admin")]
    MethodNotAllowed,
    RequestTimeout,
    #[cfg(feature = "admin")]
    LengthRequired,
    #[cfg(feature = "admin")]
    ContentTooLarge,
    UriTooLong,
    #[cfg(feature = "admin")]
    UnsupportedMediaType,
    #[cfg(feature = "login")]
    TooManyRequests,
    ExpectationFailed,
    Misdirected,
    UpgradeRequired,
    HeadersTooLarge,
    #[cfg(feature = "admin")]
    InternalError,
    NotImplemented,
    #[cfg(any(feature = "admin", feature = "login"))]
    Unavailable,
    VersionNotSupported,
}

/// A request that is refused: the status of the response, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) rule: Cow<'static, str>,
}

impl Status {
    /// Returns the number and the phrase.
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::NoContent => "204 No Content",
            Self::BadRequest => "400 Bad Request",
            #[cfg(feature = "login")]
            Self::Unauthorized => "401 Unauthorized",
            Self::Forbidden => "403 Forbidden",
            #[cfg(any(feature = "admin", feature = "rooms"))]
            Self::NotFound => "404 Not Found",
            #[cfg(feature = "admin")]
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            #[cfg(feature = "admin")]
            Self::LengthRequired => "411 Length Required",
            #[cfg(feature = "admin")]
            Self::UnsupportedMediaType => "415 Unsupported Media Type",
            #[cfg(feature = "admin")]
            Self::ContentTooLarge => "413 Content Too Large",
            #[cfg(feature = "login")]
            Self::TooManyRequests => "429 Too Many Requests",
            #[cfg(any(feature = "admin", feature = "login"))]
            Self::Unavailable => "503 Service Unavailable",
            Self::UriTooLong => "414 URI Too Long",
            Self::ExpectationFailed => "417 Expectation Failed",
            Self::Misdirected => "421 Misdirected Request",
            Self::UpgradeRequired => "426 Upgrade Required",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            #[cfg(feature = "admin")]
            Self::InternalError => "500 Internal Server Error",
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
pub(crate) fn refused(status: Status, rule: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal { status, rule: rule.into() }
}

/// How a client may log in: by a password, of which a browser asks its user, or by a token.
#[cfg(feature = "login")]
const CHALLENGES: &str = "WWW-Authenticate: Basic realm=\"echo-server\", charset=\"UTF-8\"\r\n\
                          WWW-Authenticate: Bearer realm=\"echo-server\"\r\n";

/// The head of a response, and a body that is known from the beginning.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) status: Status,
    /// Further headers, a line each, with their ends.
    pub(crate) headers: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
    /// The client asks for the head only.
    pub(crate) is_head: bool,
    /// Whether the connection continues: `Some` names it to the client.
    pub(crate) connection: Option<&'static str>,
}

impl Response<'_> {
    pub(crate) fn to_bytes(&self, info: &ConnectionInfo) -> Vec<u8> {
        let mut head = begin(self.status, self.connection, info);
        if !self.content_type.is_empty() {
            let _ = write!(head, "Content-Type: {}\r\n", self.content_type);
        }
        if self.status != Status::NoContent {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        head.push_str(self.headers);
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !self.is_head {
            bytes.extend_from_slice(self.body);
        }
        bytes
    }
}

/// Returns the beginning of a head: the status line, the server, the date, and what concerns the connection.
pub(super) fn begin(
    status: Status,
    connection: Option<&'static str>,
    info: &ConnectionInfo,
) -> String {
    let mut head = String::with_capacity(256);
    let _ = write!(head, "HTTP/1.1 {}\r\nServer: echo-server\r\n", status.line());
    head.push_str(&info.date);
    if let Some(connection) = connection {
        let _ = write!(head, "Connection: {connection}\r\n");
    }
    head
}

/// Returns the response to a request that is refused, after which the connection closes.
pub(super) fn refuse(refusal: &Refusal, is_head: bool, info: &ConnectionInfo) -> Vec<u8> {
    let headers = match refusal.status {
        #[cfg(feature = "login")]
        Status::Unauthorized => CHALLENGES,
        #[cfg(feature = "login")]
        Status::TooManyRequests | Status::Unavailable => "Retry-After: 1\r\n",
        Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        _ => "",
    };
    let body = format!("{}: {}\n", refusal.status.line(), refusal.rule);
    let response = Response {
        status: refusal.status,
        headers,
        content_type: "text/plain; charset=utf-8",
        body: body.as_bytes(),
        is_head,
        connection: Some("close"),
    };
    response.to_bytes(info)
}
