//! Compressed messages (permessage-deflate, RFC 7692).
//!
//! A compressed message is echoed as it is: the client's compressor has produced it, and the client's decompressor sees the
//! same sequence of messages. So both directions use the same parameters, and the server only inflates a message to check it.

use std::fmt;

use common::{exit::is_exit, protocol::MAX_EXIT_PAYLOAD};
use flate2::{Decompress, FlushDecompress, Status};

/// The end of each message, which the sender leaves out (RFC 7692, section 7.2.1).
const TAIL: &[u8] = &[0, 0, 0xff, 0xff];

/// Maximum length of an exit.
const EXIT: usize = MAX_EXIT_PAYLOAD as usize;

/// Bytes that are inflated at a time.
const CHUNK: usize = 4096;

/// The parameters that both sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deflate {
    /// Each message is compressed for itself.
    has_no_takeover: bool,
    /// The windows of the server and of the client, as powers of two, if the server's is restricted. That of the client is
    /// not larger.
    window_bits: Option<(u8, u8)>,
}

/// The decompressor of a connection.
pub(super) struct Inflater {
    inflate: Box<Decompress>,
    has_no_takeover: bool,
    /// Bytes of this message so far, inflated.
    len: u64,
    /// The first of these bytes, of which an exit consists.
    start: Vec<u8>,
}

/// Reason why a compressed message is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    Invalid,
    TooBig,
    Refused,
}

/// Selects the first acceptable offer of a client in the values of `Sec-WebSocket-Extensions`.
pub(crate) fn negotiate<'a>(offers: impl IntoIterator<Item = &'a str>) -> Option<Deflate> {
    offers.into_iter().find_map(accept)
}

fn accept(offer: &str) -> Option<Deflate> {
    let mut parameters = offer.split(';').map(str::trim);
    if parameters.next() != Some("permessage-deflate") {
        return None;
    }
    let (mut has_no_takeover, mut server_bits, mut client_bits) = (false, None, None);
    let mut seen = Vec::new();
    for parameter in parameters {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (parameter, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {
                has_no_takeover = true;
            }
            ("server_max_window_bits", Some(bits)) => server_bits = Some(window_bits(bits)?),
            ("client_max_window_bits", Some(bits)) => client_bits = Some(Some(window_bits(bits)?)),
            ("client_max_window_bits", None) => client_bits = Some(None),
            _ => return None,
        }
    }
    let window_bits = match (server_bits, client_bits) {
        // The client will use a window that its decompressor may not have, and cannot be asked not to.
        (Some(bits), None) if bits < 15 => return None,
        (Some(bits), Some(client)) if bits < 15 => Some((bits, client.unwrap_or(bits).min(bits))),
        // A limit of the client on itself restricts no one else.
        _ => None,
    };
    Some(Deflate { has_no_takeover, window_bits })
}

fn window_bits(text: &str) -> Option<u8> {
    let bits = text.parse().ok().filter(|bits| (8..=15).contains(bits));
    bits.filter(|_| !text.starts_with(['0', '+']))
}

impl fmt::Display for Deflate {
    /// Writes the value of `Sec-WebSocket-Extensions` in the response.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate")?;
        if self.has_no_takeover {
            f.write_str("; server_no_context_takeover; client_no_context_takeover")?;
        }
        match self.window_bits {
            Some((server, client)) => {
                write!(f, "; server_max_window_bits={server}; client_max_window_bits={client}")
            }
            None => Ok(()),
        }
    }
}

impl Inflater {
    pub(super) fn new(deflate: Deflate) -> Self {
        let inflate = Box::new(Decompress::new(false));
        Self { inflate, has_no_takeover: deflate.has_no_takeover, len: 0, start: Vec::new() }
    }

    /// Inflates the next bytes of a message of at most `max` bytes, and passes the plaintext to `check`, which may refuse
    /// it.
    pub(super) fn inflate(
        &mut self,
        mut bytes: &[u8],
        max: u64,
        check: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), InflateError> {
        let mut chunk = [0; CHUNK];
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(bytes, &mut chunk, FlushDecompress::None);
            let status = status.map_err(|_| InflateError::Invalid)?;
            let read = usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.inflate.total_out() - written).unwrap_or(usize::MAX);
            bytes = &bytes[read..];
            self.len += written as u64;
            if self.len > max {
                return Err(InflateError::TooBig);
            }
            let room = EXIT.saturating_sub(self.start.len()).min(written);
            self.start.extend_from_slice(&chunk[..room]);
            if !check(&chunk[..written]) {
                return Err(InflateError::Refused);
            }
            if status == Status::StreamEnd {
                // The sender has ended the stream in the middle; a new one may follow.
                self.inflate.reset(false);
            } else if bytes.is_empty() && written < CHUNK || read == 0 && written == 0 {
                return Ok(());
            }
        }
    }

    /// Ends a message. Returns whether it was an exit.
    pub(super) fn end(
        &mut self,
        max: u64,
        check: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool, InflateError> {
        self.inflate(TAIL, max, check)?;
        let is_exit = self.len <= EXIT as u64 && is_exit(&self.start);
        self.len = 0;
        self.start.clear();
        if self.has_no_takeover {
            self.inflate.reset(false);
        }
        Ok(is_exit)
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(offer: &str) -> Option<String> {
        negotiate([offer]).map(|deflate| deflate.to_string())
    }

    #[test]
    fn both_directions_have_the_same_parameters() {
        let answers = |offer: &str, answer: &str| {
            assert_eq!(response(offer).as_deref(), Some(answer), "{offer}");
        };
        answers("permessage-deflate", "permessage-deflate");
        answers("permessage-deflate; client_max_window_bits", "permessage-deflate");
        let no_takeover =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        answers("permessage-deflate; server_no_context_takeover", no_takeover);
        answers("permessage-deflate; client_no_context_takeover", no_takeover);
        answers(
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
        );
        answers(
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
        );
        answers("permessage-deflate; server_max_window_bits=15", "permessage-deflate");
    }

    #[test]
    fn an_offer_that_cannot_be_met_or_is_invalid_is_declined() {
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=16; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=08; client_max_window_bits",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; unknown",
        ] {
            assert_eq!(response(offer), None, "{offer}");
        }
        let offers = ["permessage-deflate; server_max_window_bits=9", "permessage-deflate"];
        assert!(negotiate(offers).is_some(), "a later offer is accepted");
    }
}
