//! The PROXY header: recognized at its last byte for every split of the input.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use crate::proxy_header::{Header, Source, parse};

/// Maximum length of a binary header, less than that of inputs.
const MAX_LEN: usize = 1024;

/// Checks the first bytes of a connection, in pieces of every length.
///
/// # Panics
///
/// If a header is not recognized, is recognized where there is none, or has another meaning.
pub fn check(input: &[u8]) {
    let expected = line(input).or_else(|| binary(input));
    let mut is_refused = false;
    for len in 0..=input.len() {
        let shown = input[..len].escape_ascii();
        let parsed = parse(&input[..len], MAX_LEN);
        assert!(parsed.is_err() || !is_refused, "{shown} was refused before");
        is_refused = parsed.is_err();
        assert!(expected.is_none() || !is_refused, "{shown} may become a header");
        let whole = expected.clone().filter(|header| header.len <= len);
        assert_eq!(parsed.unwrap_or_default(), whole, "{shown}");
    }
    assert!(
        expected.is_some() || is_refused || input.len() < MAX_LEN,
        "the parser waits for more bytes without a reason"
    );

    if let Some(source) = expected.and_then(|header| header.source) {
        let shown = source.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert_eq!(source.ip().is_none(), shown.starts_with("unix:"), "{shown}");
    }
}

/// Parses version 1: words on a line.
fn line(input: &[u8]) -> Option<Header> {
    let end = input.windows(2).position(|pair| pair == b"\r\n")?;
    let line = String::from_utf8_lossy(&input[..end]);
    let source = match line.split(' ').collect::<Vec<_>>()[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, from, to, port, other] => {
            let from = match family {
                "TCP4" => ip::<Ipv4Addr>(from)?,
                "TCP6" => ip::<Ipv6Addr>(from)?,
                _ => return None,
            };
            destination(to)?;
            number(other)?;
            Some((from, number(port)?))
        }
        _ => return None,
    };
    let source = source.map(|(from, port)| Source::Inet(SocketAddr::new(from, port)));
    let len = end + 2;
    (len <= 107).then_some(Header { len, source })
}

fn ip<Ip: FromStr + Into<IpAddr>>(text: &str) -> Option<IpAddr> {
    let ip: Ip = text.parse().ok()?;
    Some(ip.into().to_canonical())
}

/// Accepts an address of either family, or the path of a Unix socket.
fn destination(text: &str) -> Option<()> {
    let is_path = text.starts_with("unix:") && text.bytes().all(|byte| byte.is_ascii_graphic());
    (is_path || text.parse::<IpAddr>().is_ok()).then_some(())
}

fn number(text: &str) -> Option<u16> {
    let is_canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_canonical)
}

/// Parses version 2: 16 bytes, with the length of the rest in the last two.
fn binary(input: &[u8]) -> Option<Header> {
    let rest = input.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n")?;
    let [command, family, high, low, rest @ ..] = rest else { return None };
    let announced = usize::from(*high) * 256 + usize::from(*low);
    let len = 16 + announced;
    let block = rest.get(..announced).filter(|_| len <= MAX_LEN)?;
    let (source, addresses) = match (command, family) {
        (0x20, _) | (0x21, 0 | 1 | 2 | 0x10 | 0x20 | 0x30) => {
            return Some(Header { len, source: None });
        }
        (0x21, 0x11 | 0x12) => (Some(inet(Ipv4Addr::from(*block.first_chunk()?), block, 8)?), 12),
        (0x21, 0x21 | 0x22) => (Some(inet(Ipv6Addr::from(*block.first_chunk()?), block, 32)?), 36),
        (0x21, 0x31 | 0x32) => (unix(block.first_chunk()?), 216),
        _ => return None,
    };
    are_fields_complete(&input[..len], 16 + addresses).then_some(Header { len, source })
}

fn inet(ip: impl Into<IpAddr>, block: &[u8], port: usize) -> Option<Source> {
    let port = u16::from_be_bytes(*block.get(port..)?.first_chunk()?);
    Some(Source::Inet(SocketAddr::new(ip.into().to_canonical(), port)))
}

fn unix(name: &[u8; 108]) -> Option<Source> {
    let start = usize::from(name[0] == 0);
    let text = name[start..].split(|&byte| byte == 0).next().unwrap_or_default();
    (!text.is_empty()).then(|| Source::Unix(name[..start + text.len()].into()))
}

/// Returns true if each field has a type, a length and a value, and if the checksum is correct. The checksum is
/// computed with zeros in its place.
fn are_fields_complete(header: &[u8], at: usize) -> bool {
    if at == header.len() {
        return true;
    }
    let Some([kind, high, low]) = header.get(at..).and_then(<[u8]>::first_chunk) else {
        return false;
    };
    let (start, next) = (at + 3, at + 3 + usize::from(*high) * 256 + usize::from(*low));
    let is_correct = header.get(start..next).is_some_and(|value| {
        let mut zeroed = header.to_vec();
        zeroed[start..next].fill(0);
        *kind != 3 || value == crc32c(&zeroed).to_be_bytes()
    });
    is_correct && are_fields_complete(header, next)
}

/// Computes the CRC32c bit by bit (RFC 3720, B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}
