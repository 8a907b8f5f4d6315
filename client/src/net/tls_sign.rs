//! Signs that a server expects TLS, on a connection without it.

/// Sign that a server expects TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsSign {
    /// It answered with an alert of TLS.
    Alert,
    /// It ended the connection without an answer. Some servers with TLS do so, but others too.
    NoAnswer,
}

impl TlsSign {
    /// Returns the text for the user, with the URL to use.
    pub(super) fn tip(self, url: &str) -> String {
        match self {
            Self::Alert => format!("the server seems to speak TLS: use {url}"),
            Self::NoAnswer => format!("if the server speaks TLS, use {url}"),
        }
    }
}

/// Returns whether a stream begins with an alert in plain text, as a server of TLS answers to what is no `ClientHello`.
pub(crate) fn is_alert(stream: &[u8]) -> bool {
    matches!(stream, [0x15, 3, 0..=4, 0, 2, ..])
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
}
