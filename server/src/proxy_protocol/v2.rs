//! Version 2: binary.

use crc::{CRC_32_ISCSI, Crc};

use super::{
    header::{FIXED, Header, Malformed},
    source::Source,
};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Type of the field that holds the CRC32c of the whole header.
pub(super) const CHECKSUM: u8 = 3;

pub(super) const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Parses a binary header that begins with the signature, or with a part of it.
pub(super) fn parse(bytes: &[u8], max_len: usize) -> Result<Option<Header>, Malformed> {
    let fixed = |at: usize| bytes.get(SIGNATURE.len() + at).copied();
    let Some(version_and_command) = fixed(0) else { return Ok(None) };
    let is_local = match (version_and_command >> 4, version_and_command & 0xf) {
        (2, 0) => true,
        (2, 1) => false,
        (2, command) => return Err(Malformed::Command(command)),
        (version, _) => return Err(Malformed::Version(version)),
    };
    let Some(family_and_protocol) = fixed(1) else { return Ok(None) };
    let family = Family::parse(family_and_protocol, is_local)?;
    let (Some(high), Some(low)) = (fixed(2), fixed(3)) else { return Ok(None) };
    let announced = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED + announced;
    if len > max_len {
        return Err(Malformed::TooLong(announced, max_len));
    }
    let addresses = family.addresses_len();
    if announced < addresses {
        return Err(Malformed::TooShort(announced, addresses));
    }
    let Some(header) = bytes.get(..len) else { return Ok(None) };
    let source = match family {
        // The length of the addresses is unknown, so the fields after them cannot be found.
        Family::Unspecified => None,
        Family::Inet | Family::Inet6 | Family::Unix => {
            check_fields(header, FIXED + addresses)?;
            family.source(&header[FIXED..FIXED + addresses])
        }
    };
    Ok(Some(Header { len, source }))
}

/// Address family of a header.
#[derive(Clone, Copy)]
enum Family {
    Unspecified,
    Inet,
    Inet6,
    Unix,
}

impl Family {
    fn parse(family_and_protocol: u8, is_local: bool) -> Result<Self, Malformed> {
        Ok(match (family_and_protocol >> 4, family_and_protocol & 0xf) {
            // The proxy connects for itself; the addresses have no meaning.
            _ if is_local => Self::Unspecified,
            (0..=3, 0) | (0, 1 | 2) => Self::Unspecified,
            (1, 1 | 2) => Self::Inet,
            (2, 1 | 2) => Self::Inet6,
            (3, 1 | 2) => Self::Unix,
            _ => return Err(Malformed::Family(family_and_protocol)),
        })
    }

    /// Returns the length in bytes of the two addresses and ports.
    fn addresses_len(self) -> usize {
        match self {
            Self::Unspecified => 0,
            Self::Inet => 2 * (4 + 2),
            Self::Inet6 => 2 * (16 + 2),
            Self::Unix => 2 * 108,
        }
    }

    /// Returns the first of the two addresses, which precede the two ports.
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
                // An abstract name begins with a NUL; every name ends before the next NUL.
                let end = name.iter().skip(1).position(|&byte| byte == 0);
                let name = &name[..end.map_or(name.len(), |end| end + 1)];
                // Most clients are not bound to a name.
                (name != [0]).then(|| Source::Unix(name.into()))
            }
        }
    }
}

/// Checks the fields after the addresses: each is a type, a length of two bytes, and a value. Only the checksum
/// is used, which a receiver must check.
fn check_fields(header: &[u8], start: usize) -> Result<(), Malformed> {
    let mut at = start;
    while at < header.len() {
        let [kind, high, low, rest @ ..] = &header[at..] else { return Err(Malformed::Field) };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let value = rest.get(..len).ok_or(Malformed::Field)?;
        at += 3;
        if *kind == CHECKSUM {
            // The checksum is computed with zeros in its place.
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
