//! The PROXY header, by which a proxy says for whom it has connected: version 1 is a line of text,
//! version 2 is binary. The rules are those of HAProxy's `proxy-protocol.txt`, sections 2.1 and 2.2.
//!
//! It is shown what has come of a connection so far, and says whether that is a header, may become one,
//! or never will. It knows neither sockets nor clocks, and nobody's limits: how long a header may be it
//! is told.

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use common::escape::Escaped;
use crc::{CRC_32_ISCSI, Crc};
use thiserror::Error;

/// A whole header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// So many bytes of what has come are the header; what is behind them is the client's.
    pub(crate) len: usize,
    /// `None`: the proxy speaks for itself, as for a health check, or cannot say for whom it speaks.
    pub(crate) source: Option<Source>,
}

/// Who has connected to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An IPv4 address in the form of an IPv6 one is an IPv4 address.
    Inet(SocketAddr),
    /// The name of a Unix socket, which is any bytes: a path, or behind a NUL a name outside of the file
    /// system (`unix(7)`).
    Unix(Box<[u8]>),
}

/// Why what has come is no header, nor ever will be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Malformed {
    #[error("it is none")]
    Missing,
    #[error("'PROXY ' is followed by neither TCP4, TCP6 nor UNKNOWN")]
    Protocol,
    #[error("it holds a byte that no address has, or is not ended by CR and LF")]
    Character,
    #[error("its line is longer than {LONGEST_LINE} bytes")]
    Line,
    #[error("it does not have two addresses and two ports, one space before each")]
    Fields,
    #[error("'{0}' is no address of its family")]
    Address(String),
    #[error("'{0}' is no port")]
    Port(String),
    #[error("it is binary, and its version is {0}; that of a binary header has to be 2")]
    Version(u8),
    #[error("its command is {0}, and there is none but 0 and 1")]
    Command(u8),
    #[error("its family and protocol are {0:#04x}, which mean nothing")]
    Family(u8),
    #[error(
        "its length field says {0} bytes, which with the {FIXED} before are over the limit of {1}"
    )]
    TooLong(usize, usize),
    #[error("its length field says {0} bytes, and its addresses alone have {1}")]
    TooShort(usize, usize),
    #[error("one of its fields goes on beyond its end")]
    Field,
    #[error("its checksum is wrong")]
    Checksum,
}

/// The most bytes of version 1: its longest line with everything in it, and the line end.
const LONGEST_LINE: usize = 107;

const TCP4: &[u8] = b"PROXY TCP4 ";
const TCP6: &[u8] = b"PROXY TCP6 ";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN";

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and protocol, and the length of what follows.
const FIXED: usize = 16;
/// A field that holds the CRC32c of the whole header.
const CHECKSUM: u8 = 3;
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The header with which these bytes begin; `None`: it is not whole yet. `longest` is how many bytes
/// one of version 2 may have.
///
/// What holds for some bytes holds for them with others behind, so it does not matter how they are split.
///
/// # Errors
///
/// At the first byte that is wrong; for an address or a port, at the end of its line.
pub(crate) fn parse(bytes: &[u8], longest: usize) -> Result<Option<Header>, Malformed> {
    if begins(bytes, SIGNATURE) {
        binary(bytes, longest)
    } else if begins(bytes, b"PROXY ") {
        line(bytes)
    } else {
        Err(Malformed::Missing)
    }
}

/// Whether the bytes begin so, as far as they go.
fn begins(bytes: &[u8], so: &[u8]) -> bool {
    bytes.iter().zip(so).all(|(byte, expected)| byte == expected)
}

/// Version 1.
fn line(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let end = bytes.windows(2).take(LONGEST_LINE - 1).position(|pair| pair == b"\r\n");
    if end.is_none() && bytes.len() >= LONGEST_LINE {
        return Err(Malformed::Line);
    }
    // Up to a line end, or half of one that may become whole: then all of the text is there.
    let to_end = end.map(|end| &bytes[..end]).or_else(|| bytes.strip_suffix(b"\r"));
    let (text, is_whole) = (to_end.unwrap_or(bytes), to_end.is_some());
    let source = if begins(text, TCP4) {
        inet::<Ipv4Addr>(text.get(TCP4.len()..), is_whole)?
    } else if begins(text, TCP6) {
        inet::<Ipv6Addr>(text.get(TCP6.len()..), is_whole)?
    } else if begins(text, UNKNOWN) {
        // What stands behind it is to be ignored.
        let is_word = text.get(UNKNOWN.len()).is_none_or(|&byte| byte == b' ');
        if !is_word || is_whole && text.len() < UNKNOWN.len() {
            return Err(Malformed::Protocol);
        }
        None
    } else {
        return Err(Malformed::Protocol);
    };
    Ok(end.map(|end| Header { len: end + 2, source }))
}

/// What `PROXY TCP4 ` is followed by, up to the line end if it is whole.
fn inet<Ip: FromStr + Into<IpAddr>>(
    text: Option<&[u8]>,
    is_whole: bool,
) -> Result<Option<Source>, Malformed> {
    let of_addresses = |byte: &u8| byte.is_ascii_hexdigit() || b".: ".contains(byte);
    let text = text.unwrap_or_default();
    let text = text.iter().all(of_addresses).then(|| str::from_utf8(text).ok()).flatten();
    let text = text.ok_or(Malformed::Character)?;
    // Addresses are looked at when they are there to the end: "1.2.3.4" may become "1.2.3.45".
    if !is_whole {
        return Ok(None);
    }
    let fields: Vec<&str> = text.split(' ').collect();
    let [source, destination, source_port, destination_port] = fields[..] else {
        return Err(Malformed::Fields);
    };
    let (source, source_port) = (address::<Ip>(source)?, port(source_port)?);
    // Where the client has connected to is none of our business, but it has to be somewhere.
    address::<Ip>(destination)?;
    port(destination_port)?;
    Ok(Some(Source::inet(source, source_port)))
}

fn address<Ip: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, Malformed> {
    text.parse().map(Ip::into).map_err(|_| Malformed::Address(text.to_owned()))
}

/// Without zeros before it, which would make it octal to some.
fn port(text: &str) -> Result<u16, Malformed> {
    let port = text.parse().ok().filter(|port: &u16| port.to_string() == text);
    port.ok_or_else(|| Malformed::Port(text.to_owned()))
}

/// Version 2.
fn binary(bytes: &[u8], longest: usize) -> Result<Option<Header>, Malformed> {
    let fixed = |at: usize| bytes.get(SIGNATURE.len() + at).copied();
    let Some(version_and_command) = fixed(0) else { return Ok(None) };
    let is_local = match (version_and_command >> 4, version_and_command & 0xf) {
        (2, 0) => true,
        (2, 1) => false,
        (2, command) => return Err(Malformed::Command(command)),
        (version, _) => return Err(Malformed::Version(version)),
    };
    let Some(family_and_protocol) = fixed(1) else { return Ok(None) };
    let family = match (family_and_protocol >> 4, family_and_protocol & 0xf) {
        // The proxy is there for itself, and what it says of addresses means nothing.
        _ if is_local => Family::Unspecified,
        (0..=3, 0) | (0, 1 | 2) => Family::Unspecified,
        (1, 1 | 2) => Family::Inet,
        (2, 1 | 2) => Family::Inet6,
        (3, 1 | 2) => Family::Unix,
        _ => return Err(Malformed::Family(family_and_protocol)),
    };
    let (Some(high), Some(low)) = (fixed(2), fixed(3)) else { return Ok(None) };
    let announced = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED + announced;
    if len > longest {
        return Err(Malformed::TooLong(announced, longest));
    }
    let addresses = family.addresses();
    if announced < addresses {
        return Err(Malformed::TooShort(announced, addresses));
    }
    let Some(header) = bytes.get(..len) else { return Ok(None) };
    let source = match family {
        // Where addresses end nobody knows, so fields cannot be found either.
        Family::Unspecified => None,
        Family::Inet | Family::Inet6 | Family::Unix => {
            check_fields(header, FIXED + addresses)?;
            family.source(&header[FIXED..FIXED + addresses])
        }
    };
    Ok(Some(Header { len, source }))
}

/// What kind of addresses a header of version 2 has.
#[derive(Clone, Copy)]
enum Family {
    Unspecified,
    Inet,
    Inet6,
    Unix,
}

impl Family {
    /// How many bytes the two addresses and ports have.
    fn addresses(self) -> usize {
        match self {
            Self::Unspecified => 0,
            Self::Inet => 2 * (4 + 2),
            Self::Inet6 => 2 * (16 + 2),
            Self::Unix => 2 * 108,
        }
    }

    /// The first of the two addresses, which stand before the two ports.
    fn source(self, addresses: &[u8]) -> Option<Source> {
        let port = |at: usize| u16::from_be_bytes([addresses[at], addresses[at + 1]]);
        match self {
            Self::Unspecified => None,
            Self::Inet => {
                let ip = *addresses.first_chunk::<4>()?;
                Some(Source::inet(ip.into(), port(2 * ip.len())))
            }
            Self::Inet6 => {
                let ip = *addresses.first_chunk::<16>()?;
                Some(Source::inet(ip.into(), port(2 * ip.len())))
            }
            Self::Unix => {
                let name = &addresses[..addresses.len() / 2];
                // A name outside of the file system begins with a NUL, and any ends before one.
                let end = name.iter().skip(1).position(|&byte| byte == 0);
                let name = &name[..end.map_or(name.len(), |end| end + 1)];
                // Most who connect have no name.
                (name != [0]).then(|| Source::Unix(name.into()))
            }
        }
    }
}

/// Goes over the fields behind the addresses: each is a type, a length of two bytes, and a value. They are
/// for others, but for the checksum, which whoever knows of it has to check.
fn check_fields(header: &[u8], start: usize) -> Result<(), Malformed> {
    let mut at = start;
    while at < header.len() {
        let [kind, high, low, rest @ ..] = &header[at..] else { return Err(Malformed::Field) };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let value = rest.get(..len).ok_or(Malformed::Field)?;
        at += 3;
        if *kind == CHECKSUM {
            // It is the checksum of a header in which it is zero.
            let mut digest = CRC32C.digest();
            digest.update(&header[..at]);
            digest.update(&[0; 4]);
            digest.update(header.get(at + 4..).unwrap_or_default());
            if value != digest.finalize().to_be_bytes() {
                return Err(Malformed::Checksum);
            }
        }
        at += len;
    }
    Ok(())
}

impl Source {
    fn inet(ip: IpAddr, port: u16) -> Self {
        Self::Inet(SocketAddr::new(ip.to_canonical(), port))
    }

    /// The address that limits count by, if there is one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Inet(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            // Spelled with an `@` in place of the NUL, as `ss` and systemd do.
            Self::Unix(name) => match &name[..] {
                [0, name @ ..] => write!(f, "unix:@{}", Word(name)),
                path => write!(f, "unix://{}", Word(path)),
            },
        }
    }
}

/// A name that stays one word: behind a blank or in parentheses a log line says what the server knows, and
/// a name must not look like that.
struct Word<'a>(&'a [u8]);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in Escaped(self.0).to_string().chars() {
            match char {
                ' ' | '(' | ')' => write!(f, "\\x{:02x}", u32::from(char))?,
                blank if blank.is_whitespace() => write!(f, "{}", blank.escape_unicode())?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
