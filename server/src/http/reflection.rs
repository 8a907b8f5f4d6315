//! The request as it arrived, for a client that wants to see what a proxy has made of it.

use std::{borrow::Cow, fmt::Write as _};

use common::escape::Escaped;
use serde::Serialize;

use super::head::Head;
use crate::{layer::Handshake, session::Attributes};

/// The attributes of a connection, kept for its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) peer: String,
    pub(super) proxy: Option<String>,
    pub(super) local: String,
    pub(super) listener: String,
    pub(super) tls: Option<Handshake>,
}

impl Origin {
    pub(super) fn new(attributes: &Attributes<'_>) -> Self {
        Self {
            peer: attributes.peer.to_owned(),
            proxy: attributes.proxy.map(str::to_owned),
            local: attributes.local.to_owned(),
            listener: attributes.listener.to_owned(),
            tls: attributes.handshake.cloned(),
        }
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// A request, in the order of its JSON.
#[derive(Serialize)]
struct Reflection<'a> {
    method: &'a str,
    target: &'a str,
    version: &'static str,
    headers: Vec<(&'a str, Cow<'a, str>)>,
    peer: &'a str,
    proxy: Option<&'a str>,
    local: &'a str,
    listener: &'a str,
    tls: Option<Tls<'a>>,
}

#[derive(Serialize)]
struct Tls<'a> {
    version: &'static str,
    suite: &'static str,
    alpn: Option<&'a str>,
    server_name: Option<&'a str>,
    client: Option<&'a str>,
    resumed: bool,
}

/// Returns the request as JSON.
pub(super) fn to_json(head: &Head<'_>, origin: &Origin) -> Vec<u8> {
    let tls = origin.tls.as_ref().map(|tls| Tls {
        version: tls.version,
        suite: tls.suite,
        alpn: tls.alpn.as_deref(),
        server_name: tls.server_name.as_deref(),
        client: tls.client.as_deref(),
        resumed: tls.is_resumed,
    });
    let reflection = Reflection {
        method: head.method,
        target: head.target,
        version: version(head),
        headers: head.headers.iter().map(|&(name, value)| (name, text(value))).collect(),
        peer: &origin.peer,
        proxy: origin.proxy.as_deref(),
        local: &origin.local,
        listener: &origin.listener,
        tls,
    };
    let mut bytes = serde_json::to_vec_pretty(&reflection).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Returns the request as text.
pub(super) fn to_text(head: &Head<'_>, origin: &Origin) -> Vec<u8> {
    let mut all = format!("{} {} {}\n", head.method, head.target, version(head));
    for &(name, value) in &head.headers {
        let _ = writeln!(all, "{name}: {}", text(value));
    }
    let _ = write!(all, "\nFrom {}", origin.peer);
    if let Some(proxy) = &origin.proxy {
        let _ = write!(all, " (through {proxy})");
    }
    let _ = writeln!(all, " to {}", origin.local);
    if let Some(tls) = &origin.tls {
        let _ = writeln!(all, "{tls}");
    }
    all.into_bytes()
}

fn version(head: &Head<'_>) -> &'static str {
    if head.is_1_1 { "HTTP/1.1" } else { "HTTP/1.0" }
}

/// Returns the value of a header, with `\xff` for bytes that are not UTF-8.
fn text(value: &[u8]) -> Cow<'_, str> {
    str::from_utf8(value).map_or_else(|_| Cow::Owned(Escaped(value).to_string()), Cow::Borrowed)
}
