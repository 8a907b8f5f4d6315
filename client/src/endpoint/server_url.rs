//! URL of a server, as it is typed.

use common::endpoint::{Endpoint, Url};

/// Parses a server's URL; refuses what only a server can use. For clap's `value_parser`.
///
/// # Errors
///
/// A sentence that says what was expected.
pub(super) fn server_url(typed: &str) -> Result<Endpoint, String> {
    let url: Url = typed.parse().map_err(|error| format!("{error}"))?;
    if let Some((name, _)) = url.query.first() {
        return Err(format!("the URL of a client has no parameters, and '{name}' is one"));
    }
    match url.endpoint {
        Endpoint::Tcp(host) | Endpoint::Udp(host) if host.port == 0 => {
            Err("port 0 lets a server choose a free port; give the port that it chose".into())
        }
        endpoint => Ok(endpoint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_url_and_requires_a_scheme() {
        assert_eq!(server_url("tcp://[::1]:7").unwrap().to_string(), "tcp://[::1]:7");
        assert!(server_url("localhost:7").is_err());
    }

    #[test]
    fn refuses_what_only_a_server_can_use() {
        assert_eq!(
            server_url("unix:///run/echo.sock"),
            Ok(Endpoint::Unix("/run/echo.sock".into()))
        );
        for (url, reason) in [
            ("tcp://localhost:7?a=1&protocol=raw", "has no parameters, and 'a' is one"),
            ("unix:///run/echo.sock?mode", "has no parameters, and 'mode' is one"),
            ("udp://localhost:0", "port 0"),
            ("localhost:7", "expected tcp://HOST:PORT"),
        ] {
            let error = server_url(url).unwrap_err();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
