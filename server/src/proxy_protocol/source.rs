//! The source that a header names.

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, SocketAddr},
};

use common::escape::Escaped;

/// The client of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A network address. An IPv4 address that is mapped to IPv6 is an IPv4 address.
    Inet(SocketAddr),
    /// The name of a Unix socket, which is any bytes: a path, or after a NUL an abstract name (`unix(7)`).
    Unix(Box<[u8]>),
}

impl Source {
    pub(super) fn inet(ip: IpAddr, port: u16) -> Self {
        Self::Inet(SocketAddr::new(ip.to_canonical(), port))
    }

    /// Returns the address that counts for limits, if there is one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Inet(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            // With `@` for the NUL, as `ss` and systemd write abstract names.
            Self::Unix(name) => match &name[..] {
                [0, name @ ..] => write!(f, "unix:@{}", SingleWord(name)),
                path => write!(f, "unix://{}", SingleWord(path)),
            },
        }
    }
}

/// A name as a single word. In a log line, text after a space or in parentheses comes from the server, and a
/// name must not imitate it.
struct SingleWord<'a>(&'a [u8]);

impl fmt::Display for SingleWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in Escaped(self.0).to_string().chars() {
            match char {
                ' ' | '(' | ')' => write!(f, "\\x{:02x}", u32::from(char))?,
                space if space.is_whitespace() => write!(f, "{}", space.escape_unicode())?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
