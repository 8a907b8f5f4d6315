//! The Redis through which servers share their rooms.

use std::{fmt, str::FromStr};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, parse_redis_url};

/// The URL of a Redis through which servers share their rooms: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or
/// `rediss://` for TLS. The parameter `prefix=NAME` is the beginning of the names of its channels: servers with different
/// prefixes have different rooms.
///
/// ```
/// let url: server::RedisUrl = "redis://:secret@127.0.0.1/".parse()?;
/// assert_eq!(url.to_string(), "redis://127.0.0.1:6379");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone)]
pub struct RedisUrl {
    text: String,
    /// The URL without user, password and parameters.
    shown: String,
    connection: ConnectionInfo,
    prefix: String,
}

/// Beginning of the names of the channels, unless the URL has another.
const DEFAULT_PREFIX: &str = "echo-server";

/// Maximum length of a prefix, in bytes.
const MAX_PREFIX: usize = 64;

impl RedisUrl {
    /// Returns where Redis is, and how to log in.
    pub(crate) fn connection(&self) -> &ConnectionInfo {
        &self.connection
    }

    /// Returns the beginning of the names of the channels.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    /// Parses a URL. An error does not have its text, in which there may be a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]";
        let url = parse_redis_url(text).ok_or(expected)?;
        let scheme = url.scheme().to_owned();
        match &scheme[..] {
            "redis" => {}
            "rediss" if cfg!(feature = "tls") => {}
            "rediss" => {
                return Err("this program is built without TLS (cargo feature 'tls')".into());
            }
            _ => return Err(expected.to_owned()),
        }
        if url.fragment().is_some() {
            return Err("it has no part behind a '#'; write %23 for this character".to_owned());
        }
        let mut prefix = None;
        for (name, value) in url.query_pairs() {
            if name != "prefix" {
                return Err(format!(
                    "unknown parameter '{}'; known is prefix",
                    name.escape_debug()
                ));
            } else if !is_prefix(&value) {
                return Err(format!(
                    "'prefix' is 1 to {MAX_PREFIX} letters, digits, '.', '_', ':' and '-'"
                ));
            } else if prefix.replace(value.into_owned()).is_some() {
                return Err("'prefix' is there twice".to_owned());
            }
        }
        let connection = url.into_connection_info().map_err(|error| {
            let text = error.to_string().to_lowercase();
            format!("{}; {expected}", text.split(" - ").next().unwrap_or_default())
        })?;
        let (ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }) =
            connection.addr()
        else {
            return Err(expected.to_owned());
        };
        if *port == 0 {
            return Err("the port is 0".to_owned());
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let database = match connection.redis_settings().db() {
            0 => String::new(),
            ..0 => return Err("the number of a database is not negative".to_owned()),
            database => format!("/{database}"),
        };
        let shown = format!("{scheme}://{host}:{port}{database}");
        let prefix = prefix.unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
        Ok(Self { text: text.to_owned(), shown, connection, prefix })
    }
}

/// Returns whether channels may begin with this. Redis has patterns for channels, so characters of patterns are excluded.
fn is_prefix(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=MAX_PREFIX).contains(&text.len()) && text.bytes().all(is_allowed)
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RedisUrl {}

impl fmt::Display for RedisUrl {
    /// Writes the URL without user, password and parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_an_address_a_login_a_database_and_a_prefix() {
        let parse = |text: &str| text.parse::<RedisUrl>().unwrap();
        let url = parse("redis://bob:s%40cret@redis.example:7000/3?prefix=team:1");
        assert_eq!(
            (url.to_string(), url.prefix()),
            ("redis://redis.example:7000/3".into(), "team:1")
        );
        let login = url.connection().redis_settings();
        assert_eq!((login.username(), login.password()), (Some("bob"), Some("s@cret")));
        assert_eq!(format!("{url:?}"), "RedisUrl(redis://redis.example:7000/3)");
        let shortest = parse("redis://[::1]");
        assert_eq!(
            (shortest.to_string(), shortest.prefix()),
            ("redis://[::1]:6379".into(), DEFAULT_PREFIX)
        );
        assert_ne!(shortest, parse("redis://:password@[::1]"));
    }

    #[test]
    fn a_wrong_url_is_refused_without_showing_it() {
        for (text, reason) in [
            ("", "expected redis://"),
            ("redis", "expected redis://"),
            ("http://:secret@h", "expected redis://"),
            ("unix:///secret", "expected redis://"),
            ("redis://:secret@", "expected redis://"),
            ("redis://:secret@h:99999", "expected redis://"),
            ("redis://:secret@0.0.0.0", "wildcard"),
            ("redis://:secret@h/secret", "database"),
            ("redis://:secret@h/-1", "negative"),
            ("redis://:secret@h:0", "port is 0"),
            ("redis:h", "missing hostname; expected redis://"),
            ("redis://h?protocol=resp3", "unknown parameter 'protocol'"),
            ("redis://:secret@h#insecure", "behind a '#'"),
            ("redis://h?prefix=", "'prefix' is 1 to 64"),
            ("redis://h?prefix=a*", "'prefix' is 1 to 64"),
            ("redis://h?prefix=a&prefix=b", "twice"),
        ] {
            let error = text.parse::<RedisUrl>().unwrap_err();
            assert!(error.contains(reason) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
