//! The request as it arrived, for a client that wants to see what a proxy has made of it.

use std::{borrow::Cow, fmt::Write as _, io, str};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::escape::Escaped;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::{connection_info::ConnectionInfo, head::Head};

/// A request, in the order of its JSON.
#[derive(Serialize)]
struct Reflection<'a> {
    method: &'a str,
    target: &'a str,
    version: &'static str,
    headers: Vec<(&'a str, Value<'a>)>,
    peer: &'a str,
    proxy: Option<&'a str>,
    local: &'a str,
    listener: &'a str,
    tls: Option<Tls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

/// The value of a header.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    /// It is not UTF-8.
    Bytes {
        base64: String,
    },
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
pub(super) fn to_json(head: &Head<'_>, info: &ConnectionInfo) -> Vec<u8> {
    let tls = info.tls.as_ref().map(|tls| Tls {
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
        headers: headers(head, info).map(|(name, value)| (name, Value::new(value))).collect(),
        peer: &info.peer,
        proxy: info.proxy.as_deref(),
        local: &info.local,
        listener: &info.listener,
        tls,
        user: info.user.as_deref(),
    };
    let mut bytes = Vec::with_capacity(1024);
    // All keys are text, and a vector takes all bytes, so this does not fail.
    let _ = reflection.serialize(&mut Serializer::with_formatter(&mut bytes, Lines::default()));
    bytes.push(b'\n');
    bytes
}

/// Returns the request as text.
pub(super) fn to_text(head: &Head<'_>, info: &ConnectionInfo) -> Vec<u8> {
    let mut all = format!("{} {} {}\n", head.method, head.target, version(head));
    for (name, value) in headers(head, info) {
        let _ = writeln!(all, "{name}: {}", text(value));
    }
    let _ = write!(all, "\nFrom {}", info.peer);
    if let Some(proxy) = &info.proxy {
        let _ = write!(all, " (through {proxy})");
    }
    let _ = writeln!(all, " to {}", info.local);
    if let Some(tls) = &info.tls {
        let _ = writeln!(all, "{tls}");
    }
    if let Some(user) = &info.user {
        let _ = writeln!(all, "User: {}", Escaped(user.as_bytes()));
    }
    all.into_bytes()
}

/// Returns the headers, without the credentials of a user: a reader of the response must not be able to log in.
fn headers<'a>(
    head: &Head<'a>,
    info: &ConnectionInfo,
) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let is_user = info.user.is_some();
    let is_secret = move |name: &str| {
        is_user
            && ["authorization", "cookie", "proxy-authorization"]
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name))
    };
    head.headers
        .iter()
        .map(move |&(name, value)| (name, if is_secret(name) { b"(hidden)" } else { value }))
}

fn version(head: &Head<'_>) -> &'static str {
    if head.is_1_1 { "HTTP/1.1" } else { "HTTP/1.0" }
}

/// Returns the value of a header, with `\xff` for bytes that are not UTF-8.
fn text(value: &[u8]) -> Cow<'_, str> {
    str::from_utf8(value).map_or_else(|_| Cow::Owned(Escaped(value).to_string()), Cow::Borrowed)
}

impl<'a> Value<'a> {
    fn new(value: &'a [u8]) -> Self {
        str::from_utf8(value)
            .map_or_else(|_| Self::Bytes { base64: BASE64_STANDARD.encode(value) }, Self::Text)
    }
}

/// Writes JSON with a line for each element, and a header, which is an array in an array, on one line.
#[derive(Default)]
struct Lines {
    pretty: PrettyFormatter<'static>,
    /// Arrays around the present place.
    arrays: usize,
}

impl Lines {
    fn is_inline(&self) -> bool {
        self.arrays > 1
    }
}

impl Formatter for Lines {
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.arrays += 1;
        if self.is_inline() { writer.write_all(b"[") } else { self.pretty.begin_array(writer) }
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let is_inline = self.is_inline();
        self.arrays -= 1;
        if is_inline { writer.write_all(b"]") } else { self.pretty.end_array(writer) }
    }

    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        match (self.is_inline(), first) {
            (false, _) => self.pretty.begin_array_value(writer, first),
            (true, true) => Ok(()),
            (true, false) => writer.write_all(b", "),
        }
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.is_inline() { Ok(()) } else { self.pretty.end_array_value(writer) }
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.is_inline() { writer.write_all(b"{") } else { self.pretty.begin_object(writer) }
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.is_inline() { writer.write_all(b"}") } else { self.pretty.end_object(writer) }
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        match (self.is_inline(), first) {
            (false, _) => self.pretty.begin_object_key(writer, first),
            (true, true) => Ok(()),
            (true, false) => writer.write_all(b", "),
        }
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.is_inline() { Ok(()) } else { self.pretty.end_object_value(writer) }
    }
}
