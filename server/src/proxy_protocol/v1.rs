//! Version 1: a line of text.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::{
    header::{Header, MAX_LINE, Malformed, may_begin_with},
    source::Source,
};

const TCP4: &[u8] = b"PROXY TCP4 ";
const TCP6: &[u8] = b"PROXY TCP6 ";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN";
const UNIX: &[u8] = b"unix:";

/// Parses a line that begins with `PROXY `, or with a part of it.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let end = bytes.windows(2).take(MAX_LINE - 1).position(|pair| pair == b"\r\n");
    if end.is_none() && bytes.len() >= MAX_LINE {
        return Err(Malformed::Line);
    }
    // The text is complete at a line end, or at the first half of one.
    let to_end = end.map(|end| &bytes[..end]).or_else(|| bytes.strip_suffix(b"\r"));
    let (text, is_complete) = (to_end.unwrap_or(bytes), to_end.is_some());
    let source = if may_begin_with(text, TCP4) {
        parse_addresses::<Ipv4Addr>(text.get(TCP4.len()..), is_complete)?
    } else if may_begin_with(text, TCP6) {
        parse_addresses::<Ipv6Addr>(text.get(TCP6.len()..), is_complete)?
    } else if may_begin_with(text, UNKNOWN) {
        // The text after it is ignored, by the specification.
        let is_word = text.get(UNKNOWN.len()).is_none_or(|&byte| byte == b' ');
        if !is_word || is_complete && text.len() < UNKNOWN.len() {
            return Err(Malformed::Protocol);
        }
        None
    } else {
        return Err(Malformed::Protocol);
    };
    Ok(end.map(|end| Header { len: end + 2, source }))
}

/// Parses the addresses and ports after `PROXY TCP4 `.
///
/// The word names the family of the source. nginx writes the address of its own socket as the destination, whatever
/// the family: of a listener on `[::]`, or of a Unix socket, if the source comes from another PROXY header.
fn parse_addresses<Ip: FromStr + Into<IpAddr>>(
    text: Option<&[u8]>,
    is_complete: bool,
) -> Result<Option<Source>, Malformed> {
    let text = text.unwrap_or_default();
    let mut fields = text.split(|&byte| byte == b' ').enumerate();
    let is_allowed = fields.all(|(index, field)| {
        field.iter().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(byte))
            || index == 1 && may_begin_with(field, UNIX) && field.iter().all(u8::is_ascii_graphic)
    });
    let text = is_allowed.then(|| str::from_utf8(text).ok()).flatten();
    let text = text.ok_or(Malformed::Character)?;
    // "1.2.3.4" may become "1.2.3.45".
    if !is_complete {
        return Ok(None);
    }
    let fields: Vec<&str> = text.split(' ').collect();
    let [source, destination, source_port, destination_port] = fields[..] else {
        return Err(Malformed::Fields);
    };
    let (source, source_port) = (parse_address::<Ip>(source)?, parse_port(source_port)?);
    // The destination is not used, but must be valid.
    if !destination.as_bytes().starts_with(UNIX) && destination.parse::<IpAddr>().is_err() {
        return Err(Malformed::Destination(destination.to_owned()));
    }
    parse_port(destination_port)?;
    Ok(Some(Source::inet(source, source_port)))
}

fn parse_address<Ip: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, Malformed> {
    text.parse().map(Ip::into).map_err(|_| Malformed::Address(text.to_owned()))
}

/// Refuses leading zeros, which some programs read as octal.
fn parse_port(text: &str) -> Result<u16, Malformed> {
    let port = text.parse().ok().filter(|port: &u16| port.to_string() == text);
    port.ok_or_else(|| Malformed::Port(text.to_owned()))
}
