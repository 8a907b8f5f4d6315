//! The bytes of responses.

use std::fmt::Write as _;

use super::{
    connection_info::ConnectionInfo,
    status::{Refusal, Status},
};

/// The head of a response, and a body that is known from the beginning.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub(super) status: Status,
    /// Further headers, a line each, with their ends.
    pub(super) headers: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: &'a [u8],
    /// The client asks for the head only.
    pub(super) is_head: bool,
    /// Whether the connection continues: `Some` names it to the client.
    pub(super) connection: Option<&'static str>,
}

impl Response<'_> {
    pub(super) fn to_bytes(&self, info: &ConnectionInfo) -> Vec<u8> {
        let mut head = begin(self.status, self.connection, info);
        if !self.content_type.is_empty() {
            let _ = write!(head, "Content-Type: {}\r\n", self.content_type);
        }
        if self.status != Status::NoContent {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        head.push_str(self.headers);
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !self.is_head {
            bytes.extend_from_slice(self.body);
        }
        bytes
    }
}

/// Returns the beginning of a head: the status line, the server, the date, and what concerns the connection.
pub(super) fn begin(
    status: Status,
    connection: Option<&'static str>,
    info: &ConnectionInfo,
) -> String {
    let mut head = String::with_capacity(256);
    let _ = write!(head, "HTTP/1.1 {}\r\nServer: echo-server\r\n", status.line());
    head.push_str(&info.date);
    if let Some(connection) = connection {
        let _ = write!(head, "Connection: {connection}\r\n");
    }
    head
}

/// Returns the response to a request that is refused, after which the connection closes.
pub(super) fn refuse(refusal: &Refusal, is_head: bool, info: &ConnectionInfo) -> Vec<u8> {
    let headers = match refusal.status {
        Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        _ => "",
    };
    let body = format!("{}: {}\n", refusal.status.line(), refusal.rule);
    let response = Response {
        status: refusal.status,
        headers,
        content_type: "text/plain; charset=utf-8",
        body: body.as_bytes(),
        is_head,
        connection: Some("close"),
    };
    response.to_bytes(info)
}
