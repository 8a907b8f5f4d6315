//! Encoding of messages as lines.

use serde::Serialize;

/// Encodes a message as one line, with its newline.
///
/// # Panics
///
/// Never: every message is representable in JSON.
pub(crate) fn encode(message: &impl Serialize) -> String {
    let mut line = serde_json::to_string(message).expect("maps with keys that are strings");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{
        ipc::{message::WorkerMessage, worker_config::Server},
        stats::error_kind::ErrorKind,
    };
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

    #[test]
    fn encodes_a_path_that_is_not_utf_8() {
        let server = Server::Unix(OsString::from_vec(b"/run/\xff\n".to_vec()));
        assert_eq!(serde_json::from_str::<Server>(&encode(&server)).unwrap(), server);
    }

    #[test]
    fn a_message_fits_on_one_line() {
        let message = WorkerMessage::Failed {
            kind: ErrorKind::Connect,
            errno: Some(111),
            text: "a\nb".to_owned(),
        };
        let line = encode(&message);
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(serde_json::from_str::<WorkerMessage>(&line).unwrap(), message);
    }
}
