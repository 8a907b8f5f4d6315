//! The model of the body of a request, and of the end of its head.

use memchr::memmem;

/// The body of a request.
pub(super) struct Body {
    /// The echo of what has arrived.
    pub(super) echo: Vec<u8>,
    pub(super) end: BodyEnd,
    /// Enough has arrived for the response to begin: a byte, or the size of a chunk, or a whole empty body in chunks.
    pub(super) has_begun: bool,
}

pub(super) enum BodyEnd {
    /// The body has this length.
    At(usize),
    /// Bytes are missing.
    Missing,
    /// It breaks the rules.
    Broken,
}

impl Body {
    /// Returns a body of this length.
    pub(super) fn with_length(bytes: &[u8], len: usize) -> Self {
        let echo = bytes[..bytes.len().min(len)].to_vec();
        let end = if bytes.len() < len { BodyEnd::Missing } else { BodyEnd::At(len) };
        Self { has_begun: !echo.is_empty(), echo, end }
    }

    pub(super) fn chunked(bytes: &[u8]) -> Self {
        let mut echo = Vec::new();
        let end = chunks(bytes, &mut echo);
        let is_whole = matches!(end, BodyEnd::At(_));
        Self { has_begun: is_whole || !matches!(&echo[..], [] | [b'0', ..]), echo, end }
    }
}

/// Returns the length of the first head, if its end has arrived. A line without CR ends one, too: it is refused then.
pub(super) fn head_len(bytes: &[u8]) -> Option<usize> {
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let bytes = &bytes[skipped..];
    let end = memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
    let wrong = (0..bytes.len()).find(|&at| bytes[at] == b'\n' && !bytes[..at].ends_with(b"\r"));
    end.into_iter().chain(wrong.map(|at| at + 1)).min().map(|len| skipped + len)
}

/// Appends the echo of a chunked body. Returns its end.
fn chunks(bytes: &[u8], echo: &mut Vec<u8>) -> BodyEnd {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let Some(end) = rest.iter().position(|byte| b"\r\n".contains(byte)) else {
            return BodyEnd::Missing;
        };
        match rest[end..] {
            [b'\r', b'\n', ..] => {}
            [b'\r'] => return BodyEnd::Missing,
            _ => return BodyEnd::Broken,
        }
        let line = str::from_utf8(&rest[..end]).expect("scripts are text");
        let digits = line.split(';').next().unwrap_or_default();
        let Ok(size) = usize::from_str_radix(digits, 16) else { return BodyEnd::Broken };
        echo.extend(format!("{size:x}\r\n").bytes());
        at += end + 2;
        if size == 0 {
            break;
        }
        let data = &bytes[at..bytes.len().min(at + size)];
        echo.extend(data);
        at += data.len();
        match bytes[at..] {
            _ if data.len() < size => return BodyEnd::Missing,
            [] | [b'\r'] => return BodyEnd::Missing,
            [b'\r', b'\n', ..] => echo.extend(b"\r\n"),
            _ => return BodyEnd::Broken,
        }
        at += 2;
    }
    trailers(at, &bytes[at..], echo)
}

/// Appends the end of a chunked body, behind its trailers.
fn trailers(at: usize, bytes: &[u8], echo: &mut Vec<u8>) -> BodyEnd {
    let len = if bytes.starts_with(b"\r\n") {
        2
    } else {
        let Some(len) = head_len(bytes) else { return BodyEnd::Missing };
        let text = str::from_utf8(&bytes[..len]).expect("scripts are text");
        if text.split("\r\n").any(|line| line.starts_with("Host:")) {
            return BodyEnd::Broken;
        }
        len
    };
    echo.extend(b"\r\n");
    BodyEnd::At(at + len)
}
