//! Opening handshake (RFC 6455, section 4): the request, and the judgement of the answer.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::websocket;
use zeroize::Zeroizing;

use super::{
    encoder::Encoder,
    error::{Error, Refusal, SHOWN},
    options::Options,
};

/// Maximum length of the head of the answer.
const MAX_HEAD: usize = 16 * 1024;

/// Maximum number of header fields of the answer.
const MAX_FIELDS: usize = 100;

/// Handshake that is not complete.
pub(crate) struct Handshake {
    options: Options,
    request: Zeroizing<Vec<u8>>,
    /// Number of bytes of the request that have been sent.
    sent: usize,
    /// Value of `Sec-WebSocket-Accept` that proves that the answer is to this request.
    accept: String,
    /// Bytes of the answer so far.
    answer: Vec<u8>,
}

/// Result of a handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Subprotocol that the server has selected.
    pub(crate) protocol: Option<String>,
    /// Bytes after the answer: the first frames.
    pub(crate) rest: Vec<u8>,
}

impl Handshake {
    /// Starts a handshake: nothing is sent yet.
    pub(crate) fn new(options: &Options) -> Self {
        let key = BASE64_STANDARD.encode(Encoder::default().nonce());
        let request = Zeroizing::new(request(options, &key).into_bytes());
        let accept = websocket::accept(&key);
        Self { options: options.clone(), request, sent: 0, accept, answer: Vec::new() }
    }

    /// Returns the rest of the request.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.request[self.sent..]
    }

    /// Marks the first `count` unsent bytes as sent.
    pub(crate) fn mark_sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// Takes a part of the answer; returns the result if the answer is complete.
    ///
    /// # Errors
    ///
    /// The answer is not that of a WebSocket server to this request.
    pub(crate) fn receive(&mut self, part: &[u8]) -> Result<Option<Accepted>, Error> {
        self.answer.extend_from_slice(part);
        if is_tls_alert(&self.answer) {
            return Err(Error::TlsAlert);
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(&self.answer) {
            Ok(httparse::Status::Complete(len)) => {
                let protocol = self.judge(&response)?;
                Ok(Some(Accepted { protocol, rest: self.answer[len..].to_vec() }))
            }
            Ok(httparse::Status::Partial) if self.answer.len() > MAX_HEAD => {
                Err(Error::Invalid(format!("its head is longer than {MAX_HEAD} bytes")))
            }
            Ok(httparse::Status::Partial) => Ok(None),
            Err(error) if self.answer.starts_with(b"HTTP/") => {
                Err(Error::Invalid(format!("malformed HTTP: {error}")))
            }
            Err(_) => Err(Error::NotHttp(self.answer[..self.answer.len().min(SHOWN)].to_vec())),
        }
    }

    /// Returns the error for a connection that ends before the answer is complete.
    pub(crate) fn end(&self) -> Error {
        if self.answer.is_empty() {
            let with_tls = self.options.url.strip_prefix("ws://");
            Error::NoAnswer { with_tls: with_tls.map(|rest| format!("wss://{rest}")) }
        } else if self.answer.starts_with(b"HTTP/") {
            Error::Invalid("the connection ended within its head".to_owned())
        } else {
            Error::NotHttp(self.answer[..self.answer.len().min(SHOWN)].to_vec())
        }
    }

    /// Checks the answer; returns the selected subprotocol.
    fn judge(&self, response: &httparse::Response<'_, '_>) -> Result<Option<String>, Error> {
        let all = |name: &str| -> Vec<Vec<u8>> {
            let fields = response.headers.iter();
            let fields = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
            fields.map(|field| field.value.trim_ascii().to_vec()).collect()
        };
        let status = response.code.unwrap_or_default();
        if status != 101 {
            let phrase = response.reason.unwrap_or_default().as_bytes().to_vec();
            let first = |name| all(name).into_iter().next();
            return Err(Error::Status(Refusal {
                status,
                phrase,
                location: first("Location").filter(|_| (300..400).contains(&status)),
                wanted: first("Sec-WebSocket-Version")
                    .map(|version| [b"WebSocket version ", &version[..]].concat())
                    .or_else(|| first("Upgrade"))
                    .filter(|_| status == 426),
                has_origin: self.options.origin.is_some(),
                has_login: self.options.authorization.is_some(),
            }));
        }
        let invalid = |text: &str| Err(Error::Invalid(text.to_owned()));
        if !has_token(&all("Upgrade"), b"websocket") {
            return invalid("'Upgrade: websocket' is missing");
        }
        if !has_token(&all("Connection"), b"upgrade") {
            return invalid("'Connection: Upgrade' is missing");
        }
        match &all("Sec-WebSocket-Accept")[..] {
            [] => return invalid("'Sec-WebSocket-Accept' is missing"),
            [accept] if accept == self.accept.as_bytes() => {}
            _ => return invalid("'Sec-WebSocket-Accept' does not belong to this request"),
        }
        if all("Sec-WebSocket-Extensions").iter().any(|value| !value.is_empty()) {
            return invalid("the server selected an extension, and none was offered");
        }
        let offered = &self.options.protocols;
        match &all("Sec-WebSocket-Protocol")[..] {
            [] if self.options.is_protocol_required => {
                Err(Error::NoSubprotocol(offered.join(", ")))
            }
            [] => Ok(None),
            [one] => match offered.iter().find(|name| name.as_bytes() == one) {
                Some(name) => Ok(Some(name.clone())),
                None => invalid("the server selected a subprotocol that was not offered"),
            },
            _ => invalid("the server selected several subprotocols"),
        }
    }
}

impl fmt::Debug for Handshake {
    /// Leaves out the request, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("options", &self.options).finish_non_exhaustive()
    }
}

fn request(options: &Options, key: &str) -> String {
    let Options { host, target, origin, authorization, protocols, .. } = options;
    let mut request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
    );
    if let Some(origin) = origin {
        request = format!("{request}Origin: {origin}\r\n");
    }
    if let Some(authorization) = authorization {
        request = format!("{request}Authorization: {}\r\n", authorization.expose());
    }
    if !protocols.is_empty() {
        request = format!("{request}Sec-WebSocket-Protocol: {}\r\n", protocols.join(", "));
    }
    request + "\r\n"
}

fn has_token(values: &[Vec<u8>], token: &[u8]) -> bool {
    values
        .iter()
        .flat_map(|value| value.split(|&byte| byte == b','))
        .any(|found| found.trim_ascii().eq_ignore_ascii_case(token))
}

/// Returns whether an answer begins with an alert in plain text, as a server of TLS answers to HTTP.
fn is_tls_alert(answer: &[u8]) -> bool {
    matches!(answer, [0x15, 3, 0..=4, 0, 2, ..])
}

#[cfg(test)]
mod tests;
