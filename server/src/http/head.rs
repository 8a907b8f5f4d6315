//! The head of a request: its end, its parts, and the judgement of what two parties could read differently.
//!
//! A proxy and a server that disagree about the end of a request let an attacker hide a second one in the first (RFC 9112,
//! section 11.2). So everything that allows more than one reading is refused, and the connection closes.

use std::str;

use httparse::EMPTY_HEADER;
use memchr::{memchr2, memmem};

use super::{
    response::{Refusal, Status, bad, refused},
    target::{Host, Target},
};
use crate::config::limits;

const _: () = assert!(
    limits::HTTP_HEAD == 16 << 10 && limits::HTTP_TARGET == 8000 && limits::HTTP_HEADERS == 100,
    "the limits are in the texts"
);

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 22;

/// A valid request without its body.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// Length of the request line, without its end.
    pub(super) line: usize,
    pub(crate) method: &'a str,
    /// The target as it arrived.
    pub(crate) target: &'a str,
    /// The path of the target, without its query.
    pub(crate) path: &'a str,
    /// The host that the client asks for. `None`: a client of HTTP/1.0 names none.
    pub(super) host: Option<Host<'a>>,
    /// The version is HTTP/1.1, not HTTP/1.0.
    pub(crate) is_1_1: bool,
    /// Names as spelled, and values without the white space around them.
    pub(super) headers: Vec<(&'a str, &'a [u8])>,
    pub(crate) framing: Framing,
    pub(crate) keeps_alive: bool,
    /// The client waits for `100 Continue` before it sends its body.
    pub(crate) expects_continue: bool,
}

/// How the end of a request's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// `Content-Length`
    Length(u64),
    /// `Transfer-Encoding: chunked`
    Chunked,
}

impl<'a> Head<'a> {
    /// Parses the head at the beginning of `bytes`, which holds it completely: [`find_end`] has returned `len`.
    pub(crate) fn parse(bytes: &'a [u8], len: usize) -> Result<Self, Refusal> {
        let bytes = &bytes[..len];
        check_start(bytes)?;
        check_lines(bytes)?;
        let mut space = [EMPTY_HEADER; limits::HTTP_HEADERS];
        let mut request = httparse::Request::new(&mut space);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(end)) if end == len => {}
            Ok(_) => return Err(bad("the head does not end with its empty line")),
            Err(error) => return Err(explain(error, bytes)),
        }
        let (Some(method), Some(target), Some(version)) =
            (request.method, request.path, request.version)
        else {
            return Err(bad("the request line is not complete"));
        };
        if target.len() > limits::HTTP_TARGET {
            return Err(too_long_target());
        }
        let Target { path, authority } = Target::parse(method, target)?;
        let headers = request.headers.iter().map(|header| (header.name, header.value));
        let mut head = Self {
            line: memchr::memchr(b'\r', bytes).unwrap_or_default(),
            method,
            target,
            path,
            host: None,
            is_1_1: version == 1,
            headers: headers.collect(),
            framing: Framing::None,
            keeps_alive: false,
            expects_continue: false,
        };
        head.host = head.find_host(authority)?;
        head.framing = head.find_framing()?;
        head.keeps_alive = !head.has_option("connection", "close")
            && (head.is_1_1 || head.has_option("connection", "keep-alive"));
        head.expects_continue = head.check_expectation()?;
        Ok(head)
    }

    /// Returns the values of all headers with this name, which is in lower case.
    pub(crate) fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|&(_, value)| value)
    }

    /// Returns the value of the only header with this name.
    pub(crate) fn value(&self, name: &'static str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Returns whether a list of words in headers with this name has this word.
    pub(crate) fn has_option(&self, name: &'static str, word: &str) -> bool {
        self.options(name).any(|option| option.eq_ignore_ascii_case(word))
    }

    /// Returns the elements of the lists in headers with this name.
    pub(crate) fn options(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        let texts = self.values(name).filter_map(|value| str::from_utf8(value).ok());
        texts.flat_map(|text| text.split(',')).map(str::trim).filter(|option| !option.is_empty())
    }

    /// A request of HTTP/1.1 has exactly one `Host` (RFC 9112, section 3.2). A target that names another host would count for
    /// some servers, and its `Host` for others.
    fn find_host(&self, authority: Option<&'a str>) -> Result<Option<Host<'a>>, Refusal> {
        let mut hosts = self.values("host");
        let host = match (hosts.next(), hosts.next()) {
            (_, Some(_)) => return Err(bad("there are several Host headers")),
            (None, None) if self.is_1_1 => return Err(bad("there is no Host header")),
            (host, None) => host,
        };
        let Some(host) = host else { return Ok(authority.and_then(Host::parse)) };
        let host = str::from_utf8(host).map_err(|_| bad("the Host header is invalid"))?;
        let parsed = Host::parse(host).ok_or(bad("the Host header is invalid"))?;
        if authority.is_some_and(|authority| !authority.eq_ignore_ascii_case(host)) {
            return Err(bad("the target and the Host header name different hosts"));
        }
        Ok(Some(parsed))
    }

    /// RFC 9112, section 6.3, without its leniency.
    fn find_framing(&self) -> Result<Framing, Refusal> {
        let (lengths, encodings) =
            (self.values("content-length").count(), self.values("transfer-encoding").count());
        match (lengths, encodings) {
            (0, 0) => Ok(Framing::None),
            (_, 1..) if lengths > 0 => {
                Err(bad("there are both Content-Length and Transfer-Encoding"))
            }
            (2.., _) => Err(bad("there are several Content-Length headers")),
            (_, 2..) => Err(bad("there are several Transfer-Encoding headers")),
            (_, 1) if !self.is_1_1 => Err(bad("HTTP/1.0 has no Transfer-Encoding")),
            (_, 1) => match self.value("transfer-encoding") {
                Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
                Some(list) if ends_with_chunked(list) => Err(refused(
                    Status::NotImplemented,
                    "the only transfer coding of this server is chunked",
                )),
                _ => Err(bad("the last transfer coding is not chunked")),
            },
            _ => {
                let length = self.value("content-length").and_then(parse_length);
                length.map(Framing::Length).ok_or(bad("the Content-Length is invalid"))
            }
        }
    }

    fn check_expectation(&self) -> Result<bool, Refusal> {
        let mut expectations = self.options("expect").peekable();
        // RFC 9110, section 10.1.1: a server ignores it in HTTP/1.0.
        if !self.is_1_1 || expectations.peek().is_none() {
            return Ok(false);
        }
        if expectations.all(|expected| expected.eq_ignore_ascii_case("100-continue")) {
            Ok(self.framing != Framing::None && self.framing != Framing::Length(0))
        } else {
            Err(refused(
                Status::ExpectationFailed,
                "the only expectation of this server is 100-continue",
            ))
        }
    }
}

/// Checks the first byte of a request, which is one of its method. httparse skips any number of empty lines.
pub(crate) fn check_start(bytes: &[u8]) -> Result<(), Refusal> {
    match bytes {
        [b'\n', ..] => Err(bad("a line ends without CR")),
        // A byte that begins neither a method nor a TLS handshake.
        [first, ..] if !first.is_ascii_graphic() && *first != TLS_HANDSHAKE => {
            Err(bad("the request line is invalid"))
        }
        _ => Ok(()),
    }
}

/// Returns the length of a complete head. `None`: its end has not arrived.
///
/// # Errors
///
/// If it is longer than the limit, or its lines end without CR.
pub(crate) fn find_end(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    let within = &bytes[..bytes.len().min(limits::HTTP_HEAD)];
    if let Some(end) = find_empty_line(within)? {
        return Ok(Some(end));
    }
    if bytes.len() < limits::HTTP_HEAD {
        return Ok(None);
    }
    let line = memmem::find(within, b"\r\n").unwrap_or(within.len());
    Err(if line > limits::HTTP_TARGET {
        too_long_target()
    } else {
        refused(Status::HeadersTooLarge, "the head is longer than 16 KiB")
    })
}

/// Returns the length of lines up to the first empty one, with it. `None`: it has not arrived.
///
/// # Errors
///
/// If a line ends without CR: a client that ends its lines so would wait for an answer, as one that speaks no HTTP does.
pub(super) fn find_empty_line(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    if let Some(at) = memmem::find(bytes, b"\r\n\r\n") {
        return Ok(Some(at + 4));
    }
    if memchr::memchr_iter(b'\n', bytes).any(|at| !bytes[..at].ends_with(b"\r")) {
        check_lines(bytes)?;
    }
    Ok(None)
}

fn too_long_target() -> Refusal {
    refused(Status::UriTooLong, "the target is longer than 8000 bytes")
}

/// Checks what lenient parsers accept: other ends of lines, continued lines, NUL.
pub(super) fn check_lines(head: &[u8]) -> Result<(), Refusal> {
    let mut rest = head;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        if rest[at] == b'\n' {
            return Err(bad("a line ends without CR"));
        }
        let Some(b'\n') = rest.get(at + 1) else {
            return Err(bad("there is a CR inside of a line"));
        };
        rest = &rest[at + 2..];
        if let [b' ' | b'\t', ..] = rest {
            return Err(bad("a header is continued in the next line"));
        }
    }
    if memchr::memchr(0, head).is_some() { Err(bad("there is a NUL")) } else { Ok(()) }
}

fn explain(error: httparse::Error, head: &[u8]) -> Refusal {
    match error {
        httparse::Error::Version => {
            let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
            match version {
                b"HTTP/1.0" | b"HTTP/1.1" => bad("the request line is invalid"),
                [b'H', b'T', b'T', b'P', b'/', _, b'.', _] => refused(
                    Status::VersionNotSupported,
                    "the version is neither HTTP/1.0 nor HTTP/1.1",
                ),
                _ => bad("the version is invalid"),
            }
        }
        httparse::Error::TooManyHeaders => {
            refused(Status::HeadersTooLarge, "there are more than 100 headers")
        }
        httparse::Error::HeaderName => bad("the name of a header is invalid"),
        httparse::Error::HeaderValue => bad("the value of a header is invalid"),
        _ => bad("the request line is invalid"),
    }
}

/// Parses a length: digits only, without a sign and without a list.
fn parse_length(value: &[u8]) -> Option<u64> {
    let digits =
        str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|&length| i64::try_from(length).is_ok())
}

fn ends_with_chunked(codings: &[u8]) -> bool {
    let last = codings.rsplit(|&byte| byte == b',').next().unwrap_or_default();
    codings.contains(&b',') && last.trim_ascii().eq_ignore_ascii_case(b"chunked")
}
