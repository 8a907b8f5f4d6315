//! Address of a listener or a server: TCP, UDP, or a Unix socket, and its form as a URL (RFC 3986).
//!
//! Parses texts. Must not know what a server does with its parameters, and resolves no name.
//!
//! Read [`Endpoint`] first; `url.rs` parses it, and `host.rs` checks the host in it.

#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod endpoint;
mod host;
mod scheme;
mod url;

pub use self::{
    endpoint::{Endpoint, HostPort, SOCKET_PATH},
    host::{HostError, parse_host, split_zone},
    scheme::Scheme,
    url::{HOST_FORM, Url, UrlError},
};
