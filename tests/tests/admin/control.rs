//! Requests that change something, and those that the listener refuses from every client.

use std::{net::SocketAddr, os::unix::net::UnixStream};

use tempfile::tempdir;
use tests::programs::EchoServer;

use crate::client::{AdminClient, Response, get, start};

const PUT: &str = "PUT /faults HTTP/1.1\r\nHost: 127.0.0.1:9\r\n";

fn send(admin: SocketAddr, request: &str) -> Response {
    let mut client = AdminClient::connect(admin);
    client.send(request);
    client.response(true)
}

/// Returns the faults of the only listener.
fn faults(admin: SocketAddr) -> String {
    get(admin, "/faults").json()["listeners"][0]["faults"].to_string()
}

#[test]
fn faults_are_set_by_put_and_cleared_by_delete() {
    let (server, admin) = start(&[]);
    assert_eq!(faults(admin), "null");
    let body = "delay=1ms&drop=1%\n";
    let set = send(admin, &format!("{PUT}Content-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!((set.status, set.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(set.json()["listeners"][0]["listener"], server.address().to_string());
    assert_eq!(faults(admin), "\"delay=1ms&drop=1%\"");
    let mut client = AdminClient::connect(admin);
    assert_eq!(client.request("DELETE", "/faults").status, 200);
    // The connection goes on.
    assert_eq!(client.get("/livez").status, 200);
    assert_eq!(faults(admin), "null");
}

#[test]
fn a_body_may_arrive_in_parts_and_the_next_request_with_it() {
    let (_server, admin) = start(&[]);
    let request = format!(
        "{PUT}Content-Type: Text/Plain; charset=utf-8\r\nContent-Length: 8\r\n\r\ndrop=10%"
    );
    let mut client = AdminClient::connect(admin);
    for byte in request.chars() {
        client.send(&byte.to_string());
    }
    assert_eq!(client.response(true).status, 200);
    client.send(&format!("{request}GET /faults HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(client.response(true).status, 200);
    assert_eq!(client.response(true).json()["listeners"][0]["faults"], "drop=10%");
}

#[test]
fn a_page_of_another_host_changes_nothing() {
    let (_server, admin) = start(&[]);
    let delay = "Content-Length: 9\r\n\r\ndelay=1ms";
    for origin in ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:9", ""] {
        let refused = send(admin, &format!("{PUT}Origin: {origin}\r\n{delay}"));
        assert_eq!(refused.status, 403, "{origin}: {refused:?}");
        assert!(refused.body.contains("may not change this server"), "{refused:?}");
    }
    let two = "Origin: http://127.0.0.1:9\r\nOrigin: http://evil.example\r\n";
    assert_eq!(send(admin, &format!("{PUT}{two}{delay}")).status, 403);
    // A name that somebody else has made resolve to this address.
    let rebound = format!(
        "PUT /faults HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n{delay}"
    );
    assert_eq!(send(admin, &rebound).status, 421);
    // The question that a browser asks before a PUT to another host has an answer that allows nothing.
    let preflight = "OPTIONS /faults HTTP/1.1\r\nHost: 127.0.0.1:9\r\nOrigin: http://evil.example\r\n\
                     Access-Control-Request-Method: PUT\r\n\r\n";
    let answer = send(admin, preflight);
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("Allow"), Some("GET, HEAD, PUT, DELETE"));
    assert!(!answer.head.contains("Access-Control"), "{answer:?}");
    assert_eq!(faults(admin), "null");
    let own = send(admin, &format!("{PUT}Origin: http://127.0.0.1:9\r\n{delay}"));
    assert_eq!(own.status, 200, "{own:?}");
}

#[test]
fn a_body_with_two_types_is_refused() {
    let (_server, admin) = start(&[]);
    let types = "Content-Type: text/plain\r\n".repeat(2);
    let refused = send(admin, &format!("{PUT}{types}Content-Length: 9\r\n\r\ndelay=1ms"));
    assert_eq!(refused.status, 415, "{refused:?}");
    assert_eq!(faults(admin), "null");
}

#[test]
fn requests_with_another_method_or_body_are_refused_and_change_nothing() {
    let (_server, admin) = start(&[]);
    let long = "x".repeat(4097);
    for (request, status, message) in [
        (PUT.replace("PUT", "POST") + "Content-Length: 9\r\n\r\ndelay=1ms", 405, "PUT to set"),
        (PUT.replace("PUT", "PATCH") + "\r\n", 405, "DELETE to clear them"),
        (PUT.replace("/faults", "/livez") + "\r\n", 405, "use GET or HEAD"),
        (PUT.replace("/faults", "/faults/") + "\r\n", 405, "use GET or HEAD"),
        (PUT.replace("PUT", "GET") + "Content-Length: 1\r\n\r\nx", 413, "takes no body"),
        (PUT.replace("PUT", "DELETE") + "Content-Length: 1\r\n\r\nx", 413, "takes no body"),
        (format!("{PUT}Content-Length: 4097\r\n\r\n{long}"), 413, "longer than 4096 bytes"),
        (format!("{PUT}Content-Length: 99999999999\r\n\r\n"), 413, "longer than 4096 bytes"),
        (
            format!("{PUT}Transfer-Encoding: chunked\r\n\r\n9\r\ndelay=1ms\r\n0\r\n\r\n"),
            411,
            "needs a Content-Length",
        ),
        (
            format!("{PUT}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400,
            "both Content-Length and Transfer-Encoding",
        ),
        (format!("{PUT}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"), 417, "without waiting"),
        (
            format!(
                "{PUT}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\ndelay=1ms"
            ),
            415,
            "the body is text/plain",
        ),
        (format!("{PUT}\r\n"), 400, "the body has no faults"),
        (format!("{PUT}Content-Length: 2\r\n\r\n\n\n"), 400, "the body has no faults"),
        (format!("{PUT}Content-Length: 5\r\n\r\nlag=1"), 400, "'lag=1': unknown fault"),
        (
            PUT.replace("/faults", "/faults?listener=tcp://127.0.0.1:1") + "\r\n",
            404,
            "no listener has the address 'tcp://127.0.0.1:1'; the listeners are 127.0.0.1:",
        ),
        (PUT.replace("/faults", "/faults?all=on") + "\r\n", 400, "the only one is listener"),
    ] {
        let refused = send(admin, &request);
        let head = request.lines().next().unwrap_or_default();
        assert_eq!(refused.status, status, "{head}: {refused:?}");
        assert!(refused.body.contains(message), "{head}: {refused:?}");
        assert_eq!(faults(admin), "null", "{head}");
    }
}

#[test]
fn a_unix_socket_allows_changes_and_control_off_forbids_them() {
    let directory = tempdir().expect("a temporary directory");
    for (name, query, status) in [("a", "", 200), ("b", "?control=off", 403)] {
        let path = directory.path().join(name);
        let admin = format!("unix://{}{query}", path.display());
        let server = EchoServer::start(&["--admin", &admin]);
        server.wait_for_log("Admin listener started on unix://");
        let mut client = AdminClient::<UnixStream>::connect_unix(&path);
        client.send("PUT /faults HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\ndelay=1ms");
        let response = client.response(true);
        assert_eq!(response.status, status, "{response:?}");
        if status == 403 {
            assert!(response.body.contains("has control=off"), "{response:?}");
            assert_eq!(client.get("/faults").json()["listeners"][0]["faults"].to_string(), "null");
        }
    }
}
