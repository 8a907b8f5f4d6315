//! Parser of `/proc/net/tcp`, `/proc/net/udp`, and their IPv6 versions.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
};

/// Fields of one socket.
#[derive(Debug)]
pub(super) struct ProcSocket {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) inode: u64,
    /// Number of dropped datagrams; only of UDP sockets.
    pub(super) drops: Option<u64>,
}

/// Returns all sockets of a protocol, `tcp` or `udp`.
pub(super) fn sockets(protocol: &str, is_ipv4: bool) -> Vec<ProcSocket> {
    let version = if is_ipv4 { "" } else { "6" };
    let text = fs::read_to_string(format!("/proc/net/{protocol}{version}")).unwrap_or_default();
    text.lines().skip(1).filter_map(parse_socket).collect()
}

fn parse_socket(line: &str) -> Option<ProcSocket> {
    let mut fields = line.split_whitespace().skip(1);
    Some(ProcSocket {
        local: parse_address(fields.next()?)?,
        remote: parse_address(fields.next()?)?,
        inode: fields.nth(6)?.parse().ok()?,
        drops: fields.nth(2).and_then(|drops| drops.parse().ok()),
    })
}

/// Parses an address: hexadecimal words of four bytes in the machine's byte order, a colon, and the port.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let words = words
        .as_bytes()
        .chunks_exact(8)
        .map(|word| Some(u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes()));
    let octets = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match <[u8; 4]>::try_from(&octets[..]) {
        Ok(octets) => IpAddr::from(octets),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&octets[..]).ok()?),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_addresses_as_the_system_writes_them() {
        let word = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let text = format!("{}:FF98", word([127, 0, 0, 1]));
        assert_eq!(parse_address(&text), Some(([127, 0, 0, 1], 65432).into()));
        let zero = word([0; 4]);
        let text = format!("{zero}{zero}{zero}{}:0007", word([0, 0, 0, 1]));
        assert_eq!(parse_address(&text), "[::1]:7".parse().ok());
        for invalid in ["", "0100007F", "0100007F:", ":1", "0100:1", "GGGGGGGG:1"] {
            assert_eq!(parse_address(invalid), None, "{invalid}");
        }
    }
}
