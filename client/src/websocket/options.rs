//! Options of a WebSocket connection: plain data, which the command line or another process names.

use serde::{Deserialize, Serialize};

use crate::login::SecretText;

/// Options of the connections to one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// URL, for messages.
    pub(crate) url: String,
    /// Value of `Host`.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) target: String,
    /// Value of `Origin`, which browsers send and others need not.
    pub(crate) origin: Option<String>,
    /// Value of `Authorization`, of a login.
    pub(crate) authorization: Option<SecretText>,
    /// Subprotocols to offer, the preferred one first.
    pub(crate) protocols: Vec<String>,
    /// The handshake fails if the server selects none of them.
    pub(crate) is_protocol_required: bool,
    /// What a message is.
    pub(crate) format: Format,
}

/// Relation between the bytes of a stream and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// A line without its newline is a message: a text if it is UTF-8, otherwise binary. In a load, a line with its newline is
    /// a binary message.
    Lines,
    /// In a load, a line with its newline is a text.
    Texts,
    /// The bytes of one send are a binary message.
    Chunks,
    /// A line without its newline is a text. The messages of the server are no echoes: each is a line, in which a space takes the
    /// place of a newline. So objects of JSON keep their meaning.
    Objects,
    /// The messages of the server are sent back to it, and there are no bytes of a user.
    Mirror,
}
