//! A server's URL as it is typed.
//!
//! Owns what a client's URL must not say. Must not know what the server is asked for.

use common::endpoint::{Endpoint, Url};

/// For clap's `value_parser`.
///
/// # Errors
///
/// A sentence that says what was expected.
///
/// ```
/// use client::target::server_url::server_url;
/// assert_eq!(server_url("tcp://[::1]:7").unwrap().to_string(), "tcp://[::1]:7");
/// assert!(server_url("localhost:7").is_err());
/// ```
pub fn server_url(typed: &str) -> Result<Endpoint, String> {
    let url: Url = typed.parse().map_err(|error| format!("{error}"))?;
    if let Some((name, _)) = url.query.first() {
        return Err(format!("'{name}' stands behind the ?, and a client's URL has no parameters"));
    }
    match url.endpoint {
        Endpoint::Tcp(at) | Endpoint::Udp(at) if at.port == 0 => {
            Err("port 0 is for servers, which take any free one; name the one that it took".into())
        }
        endpoint => Ok(endpoint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_server_can_use_is_refused() {
        assert_eq!(
            server_url("unix:///run/echo.sock"),
            Ok(Endpoint::Unix("/run/echo.sock".into()))
        );
        for (url, named) in [
            ("tcp://localhost:7?a=1&protocol=raw", "'a' stands behind the ?"),
            ("unix:///run/echo.sock?mode", "'mode' stands behind the ?"),
            ("udp://localhost:0", "port 0"),
            ("localhost:7", "expected tcp://HOST:PORT"),
        ] {
            let error = server_url(url).unwrap_err();
            assert!(error.contains(named), "{url}: {error}");
        }
    }
}
