//! A header of either version, and the errors of both.

use thiserror::Error;

use super::source::Source;

/// Maximum length in bytes of version 1: the longest line with all fields, and its line end.
pub(super) const MAX_LINE: usize = 107;

/// Length in bytes of the fixed part of version 2: the signature, version and command, family and protocol,
/// and the length field.
pub(super) const FIXED: usize = 16;

/// A complete header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Number of bytes of the header; the bytes after it belong to the client.
    pub(crate) len: usize,
    /// `None`: the proxy connects for itself, as for a health check, or does not know its client.
    pub(crate) source: Option<Source>,
}

/// Reason why bytes cannot become a valid header.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Malformed {
    #[error("it has no signature")]
    Missing,
    #[error("'PROXY ' is not followed by TCP4, TCP6 or UNKNOWN")]
    Protocol,
    #[error("it contains a byte that no address has, or does not end with CR LF")]
    Character,
    #[error("its line is longer than {MAX_LINE} bytes")]
    Line,
    #[error("it does not have two addresses and two ports, each after one space")]
    Fields,
    #[error("'{0}' is not an address of its family")]
    Address(String),
    #[error("'{0}' is not an address")]
    Destination(String),
    #[error("'{0}' is not a port")]
    Port(String),
    #[error("it is binary and its version is {0}; the only binary version is 2")]
    Version(u8),
    #[error("its command is {0}; the only commands are 0 and 1")]
    Command(u8),
    #[error("its family and protocol byte is {0:#04x}, which is not assigned")]
    Family(u8),
    #[error(
        "its length field is {0}, which with the {FIXED} bytes before is over the limit of {1}"
    )]
    TooLong(usize, usize),
    #[error("its length field is {0}, but its addresses need {1} bytes")]
    TooShort(usize, usize),
    #[error("one of its fields extends beyond its end")]
    Field,
    #[error("its checksum is wrong")]
    Checksum,
}

/// Returns whether `bytes` begin with `prefix`, or are the beginning of it.
pub(super) fn may_begin_with(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.iter().zip(prefix).all(|(byte, expected)| byte == expected)
}
