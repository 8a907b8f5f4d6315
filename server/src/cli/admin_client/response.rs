//! The parser of a response: bytes in, a body out. It reads no socket.

use common::escape::Escaped;
use httparse::EMPTY_HEADER;
use thiserror::Error;

/// Maximum length of the status line and the headers.
const MAX_HEAD: usize = 16 << 10;

/// Maximum number of headers.
const MAX_HEADERS: usize = 64;

/// Maximum length of a body. A server with a thousand listeners answers with less than 1 MiB.
pub(super) const MAX_BODY: usize = 8 << 20;

/// Maximum length of the text of a refusal that is shown.
const MAX_REFUSAL: usize = 200;

/// Maximum length of the reason of a refusal that is the answer to a command.
const MAX_REASON: usize = 2000;

/// A response that cannot be used.
#[derive(Debug, PartialEq, Eq, Error)]
pub(in crate::cli) enum ResponseError {
    #[error(
        "the answer is not HTTP; another program or another listener of the server has this address"
    )]
    NotHttp,
    #[error(
        "the head of the answer is longer than {MAX_HEAD} bytes or has more than {MAX_HEADERS} headers"
    )]
    LongHead,
    #[error("the answer has no valid length")]
    Length,
    #[error("the answer is longer than {} MiB", MAX_BODY >> 20)]
    LongBody,
    #[error("the connection ended before the answer was complete")]
    Incomplete,
    #[error("the answer is not UTF-8")]
    Utf8,
    /// Another status than 200.
    #[error("the server answered with status {0}{text}", text = refusal(.1))]
    Refused(u16, String),
}

/// A response that is being received.
#[derive(Debug, Default)]
pub(super) struct Response {
    bytes: Vec<u8>,
    head: Option<Head>,
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
struct Head {
    status: u16,
    /// Position of the body.
    end: usize,
    /// `None`: the body ends with the connection.
    length: Option<usize>,
}

impl Response {
    /// Adds received bytes. Returns whether the response is complete.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<bool, ResponseError> {
        self.bytes.extend_from_slice(bytes);
        if self.head.is_none() {
            self.head = parse_head(&self.bytes)?;
        }
        let Some(head) = self.head else {
            return if self.bytes.len() > MAX_HEAD {
                Err(ResponseError::LongHead)
            } else {
                Ok(false)
            };
        };
        let received = self.bytes.len() - head.end;
        if head.length.unwrap_or(received) > MAX_BODY {
            return Err(ResponseError::LongBody);
        }
        Ok(head.length.is_some_and(|length| received >= length))
    }

    /// Returns the body, after the response is complete or the connection has ended.
    pub(super) fn body(mut self) -> Result<String, ResponseError> {
        let head =
            self.head.ok_or(if self.bytes.is_empty() || self.bytes.starts_with(b"HTTP/") {
                ResponseError::Incomplete
            } else {
                ResponseError::NotHttp
            })?;
        let mut body = self.bytes.split_off(head.end);
        match head.length {
            Some(length) if body.len() < length => return Err(ResponseError::Incomplete),
            Some(length) => body.truncate(length),
            None => {}
        }
        match head.status {
            200 => String::from_utf8(body).map_err(|_| ResponseError::Utf8),
            status => {
                Err(ResponseError::Refused(status, String::from_utf8_lossy(&body).into_owned()))
            }
        }
    }
}

/// Returns the head at the beginning of `bytes`; `None` if it is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, ResponseError> {
    let mut space = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut space);
    match response.parse(&bytes[..bytes.len().min(MAX_HEAD)]) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(end)) => {
            let length = find_length(response.headers)?;
            Ok(response.code.map(|status| Head { status, end, length }))
        }
        Err(httparse::Error::TooManyHeaders) => Err(ResponseError::LongHead),
        Err(_) => Err(ResponseError::NotHttp),
    }
}

/// Returns the length of the body. An admin listener always sends it, so another framing is not supported.
fn find_length(headers: &[httparse::Header<'_>]) -> Result<Option<usize>, ResponseError> {
    let mut length = None;
    for header in headers {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(ResponseError::Length);
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = str::from_utf8(header.value).map_err(|_| ResponseError::Length)?;
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(ResponseError::Length);
            }
            // A number that does not fit is over the limit as well.
            let value = text.parse().unwrap_or(usize::MAX);
            if length.replace(value).is_some_and(|other| other != value) {
                return Err(ResponseError::Length);
            }
        }
    }
    Ok(length)
}

/// Returns the first line of the text of a refusal, as it follows the status.
fn refusal(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let shown: String = line.chars().take(MAX_REFUSAL).collect();
    if shown.is_empty() { shown } else { format!(": {}", Escaped(shown.as_bytes())) }
}

/// Returns the reason in the text of a refusal, which follows the status: `403 Forbidden: ...`.
pub(super) fn refusal_reason(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let reason = line.split_once(": ").map_or(line, |(_, reason)| reason);
    let shown: String = reason.chars().take(MAX_REASON).collect();
    Escaped(shown.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives a response in parts of `size` bytes up to its end, or that of the connection.
    fn received(bytes: &[u8], size: usize) -> Result<String, ResponseError> {
        let mut response = Response::default();
        for part in bytes.chunks(size) {
            if response.receive(part)? {
                break;
            }
        }
        response.body()
    }

    /// Receives a response at every split into equal parts, which changes nothing.
    #[track_caller]
    fn check(bytes: &[u8], expected: &Result<String, ResponseError>) {
        for size in [1, 2, 3, 7, bytes.len().max(1)] {
            assert_eq!(&received(bytes, size), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_body_ends_at_its_length_or_with_the_connection() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"a\"}",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nContent-Length: 5\r\n\r\n{\"a\"}and more",
            "HTTP/1.1 200 OK\r\n\r\n{\"a\"}",
            "HTTP/1.0 200 OK\r\nServer: x\r\nContent-Length: 005\r\n\r\n{\"a\"}",
        ] {
            check(text.as_bytes(), &Ok("{\"a\"}".to_owned()));
        }
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &Ok(String::new()));
    }

    #[test]
    fn a_refusal_is_shown_with_its_first_line_escaped() {
        let answer = b"HTTP/1.1 503 X\r\nContent-Length: 11\r\n\r\nno \x1b[2J\nb..";
        let error = received(answer, 100).unwrap_err();
        assert_eq!(error.to_string(), r"the server answered with status 503: no \x1b[2J");
        let empty = received(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", 9).unwrap_err();
        assert_eq!(empty.to_string(), "the server answered with status 404");
    }

    #[test]
    fn an_answer_that_is_not_http_is_refused() {
        for text in [
            &b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"Server is full: 3 connections\n",
            b"HTTP/3 200 OK\r\n\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
            b"\xff\xfe",
        ] {
            check(text, &Err(ResponseError::NotHttp));
        }
    }

    #[test]
    fn a_wrong_length_is_refused() {
        for length in ["-1", "+5", "5 5", "", "0x5", "5,5", "\u{664}"] {
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n12345");
            check(text.as_bytes(), &Err(ResponseError::Length));
        }
        let two = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345";
        check(two, &Err(ResponseError::Length));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        check(chunked, &Err(ResponseError::Length));
        for length in ["8388609", "99999999999999999999999999"] {
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            check(text.as_bytes(), &Err(ResponseError::LongBody));
        }
    }

    #[test]
    fn an_answer_that_ends_early_is_incomplete() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345";
        for end in 0..whole.len() {
            let error = received(&whole[..end], 100).unwrap_err();
            // The beginning of `HTTP/` could be the beginning of anything.
            let is_http = end == 0 || end >= 5;
            let expected = if is_http { ResponseError::Incomplete } else { ResponseError::NotHttp };
            assert_eq!(error, expected, "{end} bytes");
        }
    }

    #[test]
    fn an_answer_without_an_end_is_refused_at_the_limits() {
        let mut response = Response::default();
        assert_eq!(response.receive(b"HTTP/1.1 200 OK\r\n"), Ok(false));
        let header = [&b"a: "[..], &[b'x'; 1000], b"\r\n"].concat();
        let refused = (0..MAX_HEAD).find_map(|_| response.receive(&header).err());
        assert_eq!(refused, Some(ResponseError::LongHead));

        let many = b"HTTP/1.1 200 OK\r\n"
            .iter()
            .chain(b"a:b\r\n".repeat(65).iter())
            .copied()
            .collect::<Vec<_>>();
        assert_eq!(Response::default().receive(&many), Err(ResponseError::LongHead));

        let mut response = Response::default();
        assert_eq!(response.receive(b"HTTP/1.1 200 OK\r\n\r\n"), Ok(false));
        let part = vec![b' '; 1 << 20];
        let refused = (0..100).position(|_| response.receive(&part).is_err());
        assert_eq!(refused, Some(MAX_BODY >> 20));
    }

    #[test]
    fn a_body_that_is_not_utf_8_is_refused() {
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\"", &Err(ResponseError::Utf8));
    }
}
