//! The result of a handshake, for the log.

use std::fmt;

use common::escape::Escaped;

/// What a layer and its peer have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// The version of the protocol, such as `TLS 1.3`.
    pub(crate) version: &'static str,
    /// The cipher suite, by its registered name.
    pub(crate) suite: &'static str,
    /// The group of the key exchange. `None`: the session was resumed without one.
    pub(crate) group: Option<&'static str>,
    /// The application protocol, if the peer offers any (ALPN).
    pub(crate) alpn: Option<String>,
    /// The name of the server that the peer asks for (SNI).
    pub(crate) server_name: Option<String>,
    /// The subject of the peer's certificate, if it has one.
    pub(crate) client: Option<String>,
    /// The peer has resumed an earlier session.
    pub(crate) is_resumed: bool,
}

/// Returns whether bytes begin with the first message of a TLS client (RFC 8446, sections 4 and 5.1): a record of type
/// `handshake` with a message of type `client_hello`.
pub(crate) fn is_client_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, _, _, _, 1, ..])
}

impl fmt::Display for Handshake {
    /// Writes `TLS 1.3, TLS_AES_256_GCM_SHA384, X25519MLKEM768`, and what else is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, suite, group, alpn, server_name, client, is_resumed } = self;
        write!(f, "{version}, {suite}")?;
        group.iter().try_for_each(|group| write!(f, ", {group}"))?;
        let optional = [("ALPN", alpn), ("server name", server_name), ("client", client)];
        for (name, value) in optional {
            if let Some(value) = value {
                write!(f, ", {name} {}", Escaped(value.as_bytes()))?;
            }
        }
        if *is_resumed { f.write_str(", resumed") } else { Ok(()) }
    }
}
