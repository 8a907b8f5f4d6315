//! The PROXY protocol: the header in which a proxy names the client that it serves.
//!
//! Owns the parsers of version 1 (text) and version 2 (binary), by HAProxy's `proxy-protocol.txt`, sections 2.1
//! and 2.2. Must not know sockets, clocks or limits.
//!
//! Read [`parse()`] first. The parsers are our own: the available crates accept numbers and spaces that the
//! specification forbids, or refuse a header that is split before its last port.

mod header;
mod parse;
mod source;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

pub(crate) use self::{
    header::{Header, Malformed},
    parse::parse,
    source::Source,
};
