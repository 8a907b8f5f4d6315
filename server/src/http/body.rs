//! The body of a request, which is echoed as it arrives.
//!
//! The sizes of chunks are written in place of the client's, without extensions and leading zeros.

use std::{io::Write as _, str};

use super::{
    head::{Framing, check_lines, find_empty_line},
    response::{Refusal, bad},
};
use crate::config::limits;

/// Maximum length of the line with the size of a chunk, with its extensions, in bytes.
const SIZE_LINE: usize = 256;

/// The rest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes.
    Length(u64),
    Chunks(Chunk),
}

/// The place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The size of the next chunk follows.
    Size,
    /// This many bytes of a chunk follow.
    Data(u64),
    /// The end of the line after the data follows.
    DataEnd,
    /// Trailers follow, or the empty line.
    Trailers,
}

/// Result of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Consumed bytes.
    pub(super) read: usize,
    /// Bytes of the echo, which are at the beginning.
    pub(super) echo: usize,
    /// The body is complete.
    pub(super) is_end: bool,
}

impl Body {
    pub(super) fn new(framing: Framing) -> Option<Self> {
        match framing {
            Framing::None | Framing::Length(0) => None,
            Framing::Length(length) => Some(Self::Length(length)),
            Framing::Chunked => Some(Self::Chunks(Chunk::Size)),
        }
    }

    /// Returns whether the beginning of the body has arrived, before which nothing is sent: a byte, or the size of the first
    /// chunk. An empty chunked body is complete.
    ///
    /// # Errors
    ///
    /// If it is invalid.
    pub(super) fn has_begun(&self, input: &[u8]) -> Result<bool, Refusal> {
        let Self::Chunks(_) = self else { return Ok(!input.is_empty()) };
        match find_size(input)? {
            None => Ok(false),
            Some((line, 0)) => Ok(find_trailers(&input[line..])?.is_some()),
            Some(_) => Ok(true),
        }
    }

    /// Passes the bytes of the body that have arrived.
    ///
    /// # Errors
    ///
    /// If the framing is invalid. The echo before that place is in the result, and is not complete.
    pub(super) fn pass(&mut self, input: &mut [u8]) -> (Passed, Result<(), Refusal>) {
        let mut passed = Passed::default();
        let result = match self {
            Self::Length(left) => {
                let here = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= here as u64;
                passed = Passed { read: here, echo: here, is_end: *left == 0 };
                Ok(())
            }
            Self::Chunks(chunk) => pass_chunks(chunk, input, &mut passed),
        };
        (passed, result)
    }
}

fn pass_chunks(chunk: &mut Chunk, input: &mut [u8], passed: &mut Passed) -> Result<(), Refusal> {
    loop {
        let rest = &input[passed.read..];
        *chunk = match *chunk {
            Chunk::Size => {
                let Some((line, size)) = find_size(rest)? else { return Ok(()) };
                passed.read += line;
                passed.echo += write_size(size, &mut input[passed.echo..]);
                if size == 0 { Chunk::Trailers } else { Chunk::Data(size) }
            }
            Chunk::Data(left) => {
                let here = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                input.copy_within(passed.read..passed.read + here, passed.echo);
                passed.read += here;
                passed.echo += here;
                match left - here as u64 {
                    0 => Chunk::DataEnd,
                    left => {
                        *chunk = Chunk::Data(left);
                        return Ok(());
                    }
                }
            }
            Chunk::DataEnd => match rest {
                [b'\r', b'\n', ..] => {
                    input.copy_within(passed.read..passed.read + 2, passed.echo);
                    passed.read += 2;
                    passed.echo += 2;
                    Chunk::Size
                }
                [] | [b'\r'] => return Ok(()),
                _ => return Err(bad("a chunk is longer than its size")),
            },
            Chunk::Trailers => return pass_trailers(input, passed),
        };
    }
}

/// Consumes the trailers, which are checked and not echoed, and ends the echo.
fn pass_trailers(input: &mut [u8], passed: &mut Passed) -> Result<(), Refusal> {
    let Some(end) = find_trailers(&input[passed.read..])? else { return Ok(()) };
    input[passed.echo..passed.echo + 2].copy_from_slice(b"\r\n");
    passed.echo += 2;
    passed.read += end;
    passed.is_end = true;
    Ok(())
}

/// Returns the length of the trailers, with the empty line. `None`: they are not complete.
fn find_trailers(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    match bytes {
        [b'\r', b'\n', ..] => return Ok(Some(2)),
        [] | [b'\r'] => return Ok(None),
        [b'\n', ..] => return Err(bad("a line ends without CR")),
        _ => {}
    }
    match find_empty_line(&bytes[..bytes.len().min(limits::HTTP_HEAD)])? {
        Some(end) => check_trailers(&bytes[..end]).map(|()| Some(end)),
        None if bytes.len() >= limits::HTTP_HEAD => Err(bad("the trailers are too long")),
        None => Ok(None),
    }
}

fn check_trailers(trailers: &[u8]) -> Result<(), Refusal> {
    check_lines(trailers)?;
    let mut space = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS];
    let Ok(httparse::Status::Complete((_, headers))) =
        httparse::parse_headers(trailers, &mut space)
    else {
        return Err(bad("a trailer is invalid"));
    };
    // RFC 9110, section 6.5.1: these would change how the request is understood.
    let forbidden = ["content-length", "transfer-encoding", "host", "trailer", "connection"];
    let is_forbidden = |name: &str| forbidden.iter().any(|other| name.eq_ignore_ascii_case(other));
    if headers.iter().any(|header| is_forbidden(header.name)) {
        return Err(bad("a trailer has a name that only a header may have"));
    }
    Ok(())
}

/// Returns the length of the line with the size of a chunk, with its end, and the size. `None`: it is not complete.
fn find_size(bytes: &[u8]) -> Result<Option<(usize, u64)>, Refusal> {
    let within = &bytes[..bytes.len().min(SIZE_LINE)];
    match memchr::memchr2(b'\r', b'\n', within) {
        Some(at) if within[at] == b'\n' => Err(bad("the size of a chunk ends without CR")),
        Some(at) => match bytes.get(at + 1) {
            Some(b'\n') => Ok(Some((at + 2, parse_size(&bytes[..at])?))),
            Some(_) => Err(bad("there is a CR inside the size of a chunk")),
            None => Ok(None),
        },
        None if bytes.len() >= SIZE_LINE => Err(bad("the size of a chunk is too long")),
        None => Ok(None),
    }
}

/// Writes the line with the size of a chunk, which is no longer than the client's. Returns its length.
fn write_size(size: u64, to: &mut [u8]) -> usize {
    let len = to.len();
    let mut rest = to;
    let written = write!(rest, "{size:x}\r\n");
    debug_assert!(written.is_ok(), "the client's line has been there");
    len - rest.len()
}

/// Parses the size of a chunk. Extensions are ignored (RFC 9112, section 7.1.1).
fn parse_size(line: &[u8]) -> Result<u64, Refusal> {
    let invalid = bad("the size of a chunk is invalid");
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, extensions) = line.split_at(digits);
    let is_extension = match extensions.trim_ascii_start() {
        [] => extensions.is_empty(),
        [first, ..] => *first == b';',
    };
    let is_text = extensions.iter().all(|&byte| byte == b'\t' || (b' '..0x7f).contains(&byte));
    if !is_extension || !is_text || !(1..=16).contains(&digits) {
        return Err(invalid);
    }
    let size = str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
    size.filter(|&size| i64::try_from(size).is_ok()).ok_or(invalid)
}
