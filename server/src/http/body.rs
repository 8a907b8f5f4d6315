//! The body of a request, which is echoed as it arrives.
//!
//! The sizes of chunks are written in place of the client's, without extensions and leading zeros.

use std::str;

use memchr::memmem;

use super::{
    head::{Framing, check_lines},
    status::{Refusal, bad},
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
                let Some(line) = find_line(rest, SIZE_LINE, "the size of a chunk is too long")?
                else {
                    return Ok(());
                };
                let size = parse_size(&rest[..line])?;
                // No longer than what it replaces.
                let written = format!("{size:x}\r\n");
                input[passed.echo..passed.echo + written.len()].copy_from_slice(written.as_bytes());
                passed.echo += written.len();
                passed.read += line + 2;
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
            Chunk::Trailers => return pass_trailers(rest.len(), input, passed),
        };
    }
}

/// Consumes the trailers, which are checked and not echoed, and ends the echo.
fn pass_trailers(len: usize, input: &mut [u8], passed: &mut Passed) -> Result<(), Refusal> {
    let rest = &input[passed.read..passed.read + len];
    let end = match rest {
        [b'\r', b'\n', ..] => 2,
        [] | [b'\r'] => return Ok(()),
        _ => match memmem::find(&rest[..len.min(limits::HTTP_HEAD)], b"\r\n\r\n") {
            Some(at) => at + 4,
            None if len >= limits::HTTP_HEAD => return Err(bad("the trailers are too long")),
            None => return Ok(()),
        },
    };
    if end > 2 {
        check_trailers(&rest[..end])?;
    }
    input[passed.echo..passed.echo + 2].copy_from_slice(b"\r\n");
    passed.echo += 2;
    passed.read += end;
    passed.is_end = true;
    Ok(())
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

/// Returns the length of a complete line, without its end.
fn find_line(bytes: &[u8], max: usize, too_long: &'static str) -> Result<Option<usize>, Refusal> {
    let within = &bytes[..bytes.len().min(max)];
    match memchr::memchr2(b'\r', b'\n', within) {
        Some(at) if within[at] == b'\n' => Err(bad("the size of a chunk ends without CR")),
        Some(at) => match bytes.get(at + 1) {
            Some(b'\n') => Ok(Some(at)),
            Some(_) => Err(bad("there is a CR inside the size of a chunk")),
            None => Ok(None),
        },
        None if bytes.len() >= max => Err(bad(too_long)),
        None => Ok(None),
    }
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
