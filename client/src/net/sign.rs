//! Signs that a server expects another protocol or a login, on a connection that is no WebSocket.

/// How every response of HTTP/1 starts.
const HTTP: &[u8] = b"HTTP/1.";

/// Start of the answer of an echo server to a client that has to log in first.
pub(crate) const LOGIN_FIRST: &[u8] = b"-ERR Log in first";

/// Sign that a server expects another protocol, or a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It answered with an alert of TLS.
    TlsAlert,
    /// It ended the connection without an answer. Some servers with TLS do so, but others too.
    NoAnswer,
    /// It answered with a response of HTTP.
    Http,
    /// It answered that it requires a login.
    Login,
}

impl Sign {
    /// Returns the text for the user, with the URL to use.
    pub(super) fn tip(self, url: &str) -> String {
        match self {
            Self::TlsAlert => format!("the server seems to speak TLS: use {url}"),
            Self::NoAnswer => format!("if the server speaks TLS, use {url}"),
            Self::Login => "the server requires a login: use --user NAME".to_owned(),
            Self::Http => {
                format!(
                    "the server speaks HTTP: use {url} for a WebSocket, or a client of HTTP such as curl"
                )
            }
        }
    }
}

/// Returns whether a stream begins with an alert in plain text, as a server of TLS answers to what is no `ClientHello`.
pub(crate) fn is_alert(stream: &[u8]) -> bool {
    matches!(stream, [0x15, 3, 0..=4, 0, 2, ..])
}

/// Returns whether a stream begins with a response of HTTP, of which the first `returned` bytes also were those of the echo.
pub(crate) fn is_http(returned: u64, rest: &[u8]) -> bool {
    begins(HTTP, returned, rest)
}

/// Returns whether a stream begins with the answer of a server that requires a login; see [`begins`].
pub(crate) fn is_login_required(returned: u64, rest: &[u8]) -> bool {
    begins(LOGIN_FIRST, returned, rest)
}

/// Returns whether a stream begins with a text, of which the first `returned` bytes also were those of the echo.
pub(crate) fn begins(text: &[u8], returned: u64, rest: &[u8]) -> bool {
    let returned = usize::try_from(returned).unwrap_or(usize::MAX);
    // A shorter rest would prove nothing.
    text.get(returned..).is_some_and(|text| text.len() >= 4 && rest.starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_recognised_by_its_header() {
        assert!(is_alert(&[21, 3, 3, 0, 2, 2, 50]));
        for other in [&b"hello"[..], &[21, 3, 3, 0, 26, 1], &[22, 3, 3, 0, 2], &[21, 3]] {
            assert!(!is_alert(other), "{other:?}");
        }
    }

    #[test]
    fn http_is_recognised_also_after_an_echo_that_began_like_it() {
        assert!(is_http(0, b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(is_http(1, b"TTP/1.0 400\r\n"), "the message was 'Hello'");
        for (returned, rest) in
            [(0, &b"HTTP/2"[..]), (1, b"HTTP/1.1"), (6, b".1"), (9, b""), (0, b"")]
        {
            assert!(!is_http(returned, rest), "{rest:?} after {returned} bytes");
        }
    }
}
