//! The answer to a request, as an endpoint gives it.

use crate::http::{ConnectionInfo, Refusal, Response, Status, refused};

/// Headers of each response: it must not be cached, and its type must not be guessed.
const HEADERS: &str = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

const TEXT: &str = "text/plain; charset=utf-8";

/// The status and the body of a response.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::admin) struct Answer {
    pub(in crate::admin) status: Status,
    pub(in crate::admin) content_type: &'static str,
    pub(in crate::admin) body: Vec<u8>,
    /// The methods that are named if the method of the request is not allowed.
    pub(in crate::admin) allowed: &'static str,
}

/// The methods of an endpoint that changes nothing.
const READING: &str = "GET, HEAD";

impl Answer {
    /// Returns a text with the status 200.
    pub(in crate::admin) fn text(body: impl Into<Vec<u8>>) -> Self {
        let (status, content_type, body) = (Status::Ok, TEXT, body.into());
        Self { status, content_type, body, allowed: READING }
    }

    /// Returns a document in JSON.
    pub(in crate::admin) fn json(body: Vec<u8>) -> Self {
        Self { content_type: "application/json", ..Self::text(body) }
    }

    /// Returns the answer after a panic in an endpoint.
    pub(in crate::admin) fn internal_error() -> Self {
        let rule = "a bug in the server; its log has the details";
        refused(Status::InternalError, rule).into()
    }

    /// Returns the bytes of the response.
    pub(super) fn to_bytes(
        &self,
        is_head: bool,
        connection: Option<&'static str>,
        info: &ConnectionInfo,
    ) -> Vec<u8> {
        let allow = match self.status {
            Status::MethodNotAllowed => format!("Allow: {}\r\n", self.allowed),
            _ => String::new(),
        };
        let response = Response {
            status: self.status,
            headers: &[HEADERS, &allow].concat(),
            content_type: self.content_type,
            body: &self.body,
            is_head,
            connection,
        };
        response.to_bytes(info)
    }
}

impl From<Refusal> for Answer {
    fn from(Refusal { status, rule }: Refusal) -> Self {
        let body = format!("{}: {rule}\n", status.line()).into_bytes();
        Self { status, ..Self::text(body) }
    }
}
