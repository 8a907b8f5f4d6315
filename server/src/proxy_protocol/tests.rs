//! Valid and invalid headers of both versions.

use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::{
    header::{FIXED, Malformed},
    parse::parse,
    source::Source,
    v2::{CHECKSUM, CRC32C, SIGNATURE},
};

const MAX_LEN: usize = 1024;

const LINES: [&str; 13] = [
    "PROXY TCP4 203.0.113.7 10.0.0.1 5000 65432\r\n",
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
    "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n",
    "PROXY TCP6 2001:db8::7 2001:DB8::1 5000 65432\r\n",
    "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:10.0.0.1 5000 65432\r\n",
    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    "PROXY UNKNOWN\r\n",
    "PROXY UNKNOWN a lone \r, a lone \n, and \x7f\r\n",
    // 107 bytes, the maximum.
    "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    // As nginx sends them, with the address of its own socket as the destination.
    "PROXY TCP4 203.0.113.7 ::ffff:10.0.0.1 5000 65432\r\n",
    "PROXY TCP4 203.0.113.7 2001:db8::1 5000 65432\r\n",
    "PROXY TCP6 2001:db8::7 10.0.0.1 5000 65432\r\n",
    "PROXY TCP4 203.0.113.7 unix:/run/nginx-1.sock 5000 0\r\n",
];

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &len, rest].concat()
}

fn inet() -> Vec<u8> {
    let addresses = [203, 0, 113, 7, 10, 0, 0, 1];
    [&addresses[..], &5000_u16.to_be_bytes(), &65432_u16.to_be_bytes()].concat()
}

fn inet6(source: &str) -> Vec<u8> {
    let ip = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    [&ip(source)[..], &ip("2001:db8::1"), &5000_u16.to_be_bytes(), &[0xff, 0x98]].concat()
}

fn unix(name: &[u8]) -> Vec<u8> {
    let mut addresses = [0; 216];
    addresses[..name.len()].copy_from_slice(name);
    addresses.to_vec()
}

/// The header that HAProxy 2.6 sends with `send-proxy-v2 proxy-v2-options crc32c,unique-id`.
fn with_fields() -> Vec<u8> {
    let fields = [&[0x03, 0, 4, 0, 0, 0, 0][..], &[0x05, 0, 3], b"abc", &[0x04, 0, 0]].concat();
    let mut header = v2(0x21, 0x11, &[inet(), fields].concat());
    let checksum = CRC32C.checksum(&header).to_be_bytes();
    header[FIXED + 12 + 3..][..4].copy_from_slice(&checksum);
    header
}

fn valid() -> Vec<Vec<u8>> {
    let lines = LINES.iter().map(|line| line.as_bytes().to_vec());
    let binary = [
        v2(0x21, 0x11, &inet()),
        v2(0x21, 0x12, &inet()),
        v2(0x21, 0x21, &inet6("2001:db8::7")),
        v2(0x21, 0x31, &unix(b"/run/app.sock")),
        v2(0x20, 0x00, b""),
        v2(0x20, 0xff, b"to be skipped"),
        v2(0x21, 0x00, b"to be skipped"),
        with_fields(),
    ];
    lines.chain(binary).collect()
}

fn source(bytes: &[u8]) -> Option<Source> {
    parse(bytes, MAX_LEN).unwrap().expect("the header is complete").source
}

fn error(bytes: &[u8]) -> Malformed {
    parse(bytes, MAX_LEN).unwrap_err()
}

/// Returns `text` with the first `part` replaced.
fn replaced(text: &str, part: &str, other: &str) -> Vec<u8> {
    assert!(text.contains(part));
    text.replacen(part, other, 1).into_bytes()
}

#[test]
fn every_header_names_its_source() {
    let inet = |text: &str| Some(Source::Inet(text.parse().unwrap()));
    let expected = [
        inet("203.0.113.7:5000"),
        inet("255.255.255.255:65535"),
        inet("0.0.0.0:0"),
        inet("[2001:db8::7]:5000"),
        inet("203.0.113.7:5000"),
        inet("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        None,
        None,
        None,
        inet("203.0.113.7:5000"),
        inet("203.0.113.7:5000"),
        inet("[2001:db8::7]:5000"),
        inet("203.0.113.7:5000"),
        inet("203.0.113.7:5000"),
        inet("203.0.113.7:5000"),
        inet("[2001:db8::7]:5000"),
        Some(Source::Unix((*b"/run/app.sock").into())),
        None,
        None,
        None,
        inet("203.0.113.7:5000"),
    ];
    let named: Vec<_> = valid().iter().map(|header| source(header)).collect();
    assert_eq!(named, expected);
    assert_eq!(source(&v2(0x21, 0x21, &inet6("::ffff:203.0.113.7"))), inet("203.0.113.7:5000"));
}

#[test]
fn a_header_is_incomplete_until_its_last_byte_and_ends_there() {
    for header in valid() {
        for len in 0..header.len() {
            assert_eq!(
                parse(&header[..len], MAX_LEN),
                Ok(None),
                "{}",
                header[..len].escape_ascii()
            );
        }
        for rest in [&b""[..], b"exit\n", &header] {
            let parsed = parse(&[&header, rest].concat(), MAX_LEN).unwrap().unwrap();
            assert_eq!(parsed.len, header.len(), "{}", header.escape_ascii());
        }
    }
}

/// Every byte but those of addresses, ports and ignored text is fixed.
#[test]
fn a_wrong_fixed_byte_is_found_at_that_byte() {
    let fixed: [(Vec<u8>, &[u8]); 5] = [
        (LINES[0].into(), b"PROXY TCP4 "),
        (LINES[3].into(), b"PROXY TCP6 "),
        (LINES[6].into(), b"PROXY UNKNOWN\r\n"),
        (v2(0x21, 0x11, &inet()), SIGNATURE),
        (v2(0x20, 0x00, b""), SIGNATURE),
    ];
    for (header, fixed) in fixed {
        assert!(header.starts_with(fixed));
        for at in 0..fixed.len() {
            for byte in (0..=255).filter(|&byte| byte != header[at]) {
                let mut other = header[..=at].to_vec();
                other[at] = byte;
                // These are the beginning of another valid header.
                let valid_beginnings = [
                    &b"\r"[..],
                    b"P",
                    b"PROXY T",
                    b"PROXY U",
                    b"PROXY TCP4",
                    b"PROXY TCP6",
                    b"PROXY UNKNOWN ",
                ];
                let is_valid = valid_beginnings.contains(&&other[..]);
                let is_refused = parse(&other, MAX_LEN).is_err();
                assert!(is_refused != is_valid, "{}", other.escape_ascii());
            }
        }
    }
    // The line end: a digit in its place is part of a port.
    for (line, at) in [LINES[0], LINES[3]].iter().flat_map(|line| [(line, 2), (line, 1)]) {
        for byte in (0..=255).filter(|byte| !b"\r\n".contains(byte)) {
            let mut other = line.as_bytes().to_vec();
            let at = other.len() - at;
            other[at] = byte;
            other.extend_from_slice(b"\r\n");
            assert!(parse(&other, MAX_LEN).is_err(), "{}", other.escape_ascii());
        }
    }
}

#[test]
fn an_invalid_line_is_refused() {
    use Malformed::{Address, Character, Destination, Fields, Line, Missing, Port, Protocol};
    let line = LINES[0];
    for (part, other, reason) in [
        ("PROXY", "proxy", Missing),
        ("PROXY ", "PROXY  ", Protocol),
        ("TCP4", "tcp4", Protocol),
        ("TCP4", "TCP5", Protocol),
        ("TCP4", "UNKNOWNS", Protocol),
        ("TCP4", "UNKNOW", Protocol),
        ("TCP4", "TCP6", Address("203.0.113.7".into())),
        ("TCP4 ", "TCP4  ", Fields),
        ("65432", "65432 ", Fields),
        (" 65432", "", Fields),
        ("TCP4 203.0.113.7 10.0.0.1 5000 65432", "TCP4", Fields),
        ("TCP4 203.0.113.7 10.0.0.1 5000 65432", "", Fields),
        ("7 10", "7\t10", Character),
        ("\r\n", "\n", Character),
        ("\r\n", "\r", Character),
        ("\r\n", "\r\r\n", Character),
        ("203", "0203", Address("0203.0.113.7".into())),
        ("203", "256", Address("256.0.113.7".into())),
        ("203.", "", Address("0.113.7".into())),
        ("10.0.0.1", "::1::", Destination("::1::".into())),
        ("203.0.113.7", "::1", Address("::1".into())),
        ("203.0.113.7", "unix:/run/a", Character),
        ("10.0.0.1", "unix", Destination("unix".into())),
        ("10.0.0.1", "unix:/run/\x7f", Character),
        ("10.0.0.1", "unix:/run/\u{e9}", Character),
        ("10.0.0.1", "host", Character),
        ("5000", "05000", Port("05000".into())),
        ("5000", "65536", Port("65536".into())),
        ("5000", "+5000", Character),
        ("5000", "-1", Character),
        ("65432", "0xff", Character),
        ("65432", "ff", Port("ff".into())),
    ] {
        // More bytes follow, since an incomplete line end could still become a valid one.
        let other = [replaced(line, part, other), b"hello".to_vec()].concat();
        assert_eq!(error(&other), reason, "{}", other.escape_ascii());
    }
    for (part, other) in
        [("db8::7", "db8:::7"), ("db8::7", "db80g::7"), ("db8::7", "db8::7::"), ("::7", "::00007")]
    {
        assert!(parse(&replaced(LINES[3], part, other), MAX_LEN).is_err(), "{other}");
    }
    let longer = replaced(LINES[8], "UNKNOWN", "UNKNOWN ");
    assert_eq!(error(&longer), Line);
    assert_eq!(error(&longer[..107]), Line);
    assert_eq!(parse(&longer[..106], MAX_LEN), Ok(None));
}

#[test]
fn an_invalid_binary_header_is_refused() {
    use Malformed::{Checksum, Command, Family, Field, TooLong, TooShort, Version};
    let with = |more: &[u8]| v2(0x21, 0x11, &[&inet(), more].concat());
    for (bytes, reason) in [
        (v2(0x11, 0x11, &inet()), Version(1)),
        (v2(0x31, 0x11, &inet()), Version(3)),
        (v2(0x22, 0x11, &inet()), Command(2)),
        (v2(0x21, 0x13, &inet()), Family(0x13)),
        (v2(0x21, 0x41, &inet()), Family(0x41)),
        (v2(0x21, 0x03, &inet()), Family(0x03)),
        (v2(0x21, 0x11, &inet()[1..]), TooShort(11, 12)),
        (v2(0x21, 0x21, &inet()), TooShort(12, 36)),
        (v2(0x21, 0x31, &inet()), TooShort(12, 216)),
        (v2(0x20, 0x00, &[0; 1009]), TooLong(1009, 1024)),
        (with(&[0]), Field),
        (with(&[0xee, 0, 2, 1]), Field),
        (with(&[CHECKSUM, 0, 0]), Checksum),
        (with(&[CHECKSUM, 0, 4, 0, 0, 0, 0]), Checksum),
    ] {
        assert_eq!(error(&bytes), reason, "{}", bytes.escape_ascii());
    }
    assert_eq!(source(&v2(0x20, 0x00, &[0; 1008])), None);
    // A length over the limit is refused before the rest arrives.
    assert_eq!(error(&v2(0x20, 0x00, &[0; 1009])[..16]), TooLong(1009, 1024));
}

#[test]
fn the_checksum_covers_every_byte() {
    let header = with_fields();
    for at in FIXED..header.len() {
        for bit in 0..8 {
            let mut other = header.clone();
            other[at] ^= 1 << bit;
            // A changed type or length of the checksum field may hide the checksum.
            let is_checked = !(FIXED + 12..FIXED + 15).contains(&at);
            assert!(!is_checked || parse(&other, MAX_LEN).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_source_is_displayed_as_a_single_printable_word() {
    for (name, shown) in [
        (&b"/run/app.sock"[..], Some("unix:///run/app.sock")),
        (b"\0app", Some("unix:@app")),
        (b"/tmp/\n\x1b[2J", Some(r"unix:///tmp/\n\x1b[2J")),
        (b"/a (through 10.0.0.1:5)", Some(r"unix:///a\x20\x28through\x2010.0.0.1:5\x29")),
        (b"\0a (b)", Some(r"unix:@a\x20\x28b\x29")),
        ("/a\u{a0}\u{3000}é".as_bytes(), Some(r"unix:///a\u{a0}\u{3000}é")),
        (b"", None),
    ] {
        let source = source(&v2(0x21, 0x31, &unix(name)));
        assert_eq!(source.map(|source| source.to_string()).as_deref(), shown);
    }
    let longest = Source::Unix([b'x'; 108].into());
    assert_eq!(source(&v2(0x21, 0x31, &unix(&[b'x'; 108]))), Some(longest));
}

proptest! {
    /// The result is reached at one byte, and more bytes do not change it.
    #[test]
    fn the_result_does_not_depend_on_the_split(
        header in proptest::sample::select(valid()),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        rest in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = [header, rest].concat();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut result = None;
        for len in 0..=bytes.len() {
            let parsed = parse(&bytes[..len], MAX_LEN);
            match &result {
                None if parsed == Ok(None) => {}
                None => {
                    prop_assert!(!matches!(&parsed, Ok(Some(header)) if header.len != len));
                    result = Some(parsed);
                }
                Some(Ok(header)) => prop_assert_eq!(&parsed, &Ok(header.clone())),
                Some(Err(_)) => prop_assert!(parsed.is_err()),
            }
        }
    }
}
