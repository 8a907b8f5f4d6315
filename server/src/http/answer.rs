//! The answer to a request without a body: the page for a browser, or the request itself.

use super::{
    connection_info::ConnectionInfo,
    head::Head,
    page::{self, Page},
    reflection::{to_json, to_text},
    response::{Refusal, Response, Status},
    upgrade::check_own_host,
};
use crate::{
    config::Http,
    session::{Next, Reason},
};

/// Headers of a reflected request, which a cache must neither keep nor give to a client of another kind.
const REFLECTION: &str =
    "Vary: Accept, User-Agent\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

/// Returns the response to a request without a body.
///
/// # Errors
///
/// If a browser asks for the page under a name that is not one of this server.
pub(super) fn answer(
    head: &Head<'_>,
    connection: Option<&'static str>,
    page: Page,
    config: &Http,
    info: &ConnectionInfo,
) -> Result<Vec<u8>, Refusal> {
    let mut response = Response {
        status: Status::Ok,
        headers: "",
        content_type: "",
        body: &[],
        is_head: head.method == "HEAD",
        connection,
    };
    if head.method == "OPTIONS" {
        response.status = Status::NoContent;
        response.headers = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n";
        return Ok(response.to_bytes(info));
    }
    if let Some(file) = page_file(head, page) {
        check_own_host(head, &config.hosts, Status::Misdirected)?;
        let headers = [page::HEADERS, &info.cookie].concat();
        response.headers = &headers;
        (response.content_type, response.body) = (file.content_type, file.body);
        return Ok(response.to_bytes(info));
    }
    let body;
    if wants_text(head) {
        body = to_text(head, info);
        response.content_type = "text/plain; charset=utf-8";
    } else {
        body = to_json(head, info);
        response.content_type = "application/json";
    }
    response.headers = REFLECTION;
    response.body = &body;
    Ok(response.to_bytes(info))
}

/// Returns the file that the request asks for: the page itself only for a browser.
fn page_file(head: &Head<'_>, page: Page) -> Option<page::File> {
    let is_reading = matches!(head.method, "GET" | "HEAD");
    let is_browser = || head.options("accept").any(|media| media.starts_with("text/html"));
    page.find(head.path).filter(|_| is_reading && (head.path != "/" || is_browser()))
}

/// Returns whether the client is a person at a terminal, or asks for text.
fn wants_text(head: &Head<'_>) -> bool {
    let mut accepted = head.options("accept");
    if head.options("accept").any(|media| media.starts_with("application/json")) {
        return false;
    }
    let is_curl = head.value("user-agent").is_some_and(|agent| agent.starts_with(b"curl/"));
    is_curl || accepted.any(|media| media.starts_with("text/plain"))
}

/// Returns the continuation after a response.
pub(super) fn end_of_request(keeps_alive: bool, is_draining: bool) -> Next {
    match (keeps_alive, is_draining) {
        (_, true) => Next::Close(Reason::Drain),
        (true, false) => Next::Continue,
        (false, false) => Next::Close(Reason::Complete),
    }
}
