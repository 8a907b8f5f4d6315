//! Login over HTTP: Basic (RFC 7617), Bearer (RFC 6750), the certificate of the client, and the cookie of the page.
//!
//! Owns the credentials of requests and what a connection knows of its user. Must not know who may log in: the folder `login` of
//! the server decides that.
//!
//! A browser cannot send `Authorization` with a WebSocket, so the page gets a cookie, which only pages of this server send.
//!
//! Read `http_login.rs` first.

mod credential;
mod http_login;

pub(super) use self::http_login::HttpLogin;
