//! Other programs as clients of HTTP and WebSocket, and proxies in front of the server.

use std::{fs, net::SocketAddr, process::Command};

use tempfile::TempDir;
use tests::{
    net::{Certificate, TestCa, assert_same_bytes},
    payload::Random,
    programs::{EchoServer, Finished, HttpProxy, Launch, Program},
    requirements::{curl, haproxy, nginx, node_module, python_module, skip_without},
};

/// Size of a large body.
const LARGE: usize = 100 * 1024 * 1024;

/// A server with this scheme, whose certificate has a CA of its own.
pub(crate) struct Server {
    pub(crate) ca: TestCa,
    pub(crate) certificate: Certificate,
    pub(crate) process: EchoServer,
}

impl Server {
    pub(crate) fn start(scheme: &str, parameters: &str) -> Self {
        let ca = TestCa::new();
        let certificate = ca.localhost();
        let Certificate { certificate_file, key_file, .. } = &certificate;
        let tls = format!("&cert={}&key={}", certificate_file.display(), key_file.display());
        let tls = if scheme == "https" { tls.as_str() } else { "" };
        let listen = format!("{scheme}://127.0.0.1:0?deflate=on{parameters}{tls}");
        let args = ["--listen", &listen, "--log-messages", "off"];
        Self { ca, certificate, process: Launch::new(&args).without_port().start() }
    }

    fn address(&self) -> SocketAddr {
        self.process.address()
    }
}

/// Runs a program, which must succeed.
#[track_caller]
fn run(command: Command, input: &[u8]) -> Finished {
    let mut program = Program::spawn(command);
    program.feed_all(input.to_vec());
    let finished = program.finish();
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    finished
}

/// Runs curl with these arguments, separated by spaces, for this address.
#[track_caller]
pub(crate) fn run_curl(args: &str, url: &str, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60"]);
    command.args(args.split_whitespace()).arg(url);
    run(command, input).stdout
}

/// Sends bodies and requests in all the ways of curl.
fn expect_curl_to_work(url: &str, tls: &str) {
    let body = Random::new(1).bytes(300_000);
    for args in [
        "-T -",
        "--http1.0 --data-binary @-",
        "--http1.0 -T - -H Content-Length:300000 -H Transfer-Encoding:",
        "--data-binary @- -H Expect:",
        "--data-binary @- -H Expect:100-continue --expect100-timeout 30",
        "-X PATCH --data-binary @-",
        "-T - -H Transfer-Encoding:chunked",
    ] {
        let received = run_curl(&format!("{tls} {args}"), url, &body);
        assert_same_bytes(&received, &body);
    }
    let text = |args: &str| {
        let received = run_curl(&format!("{tls} {args}"), url, b"");
        String::from_utf8(received).expect("it is text")
    };
    assert!(text("-H X-Mine:value").to_ascii_lowercase().contains("\nx-mine: value\n"));
    assert!(text("--head").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(text("-i -X OPTIONS").starts_with("HTTP/1.1 204 No Content\r\n"));
    assert!(text("--http1.0").contains("GET / HTTP/1."));
    assert!(text("-H Accept:application/json").contains(r#""method": "GET""#));
    assert!(text("--http2").contains("GET / HTTP/"), "h2c is not offered, and not needed");
}

#[test]
fn curl_works_in_all_its_ways() {
    if skip_without(&[curl()]) {
        return;
    }
    let server = Server::start("http", "");
    expect_curl_to_work(&format!("http://{}", server.address()), "");
    let server = Server::start("https", "");
    let tls = format!("--cacert {}", server.ca.file());
    expect_curl_to_work(&format!("https://localhost:{}", server.address().port()), &tls);
}

#[test]
fn curl_sends_and_receives_a_body_of_100_mb() {
    if skip_without(&[curl()]) {
        return;
    }
    let body = Random::new(1).bytes(1024 * 1024).repeat(LARGE / (1024 * 1024));
    let server = Server::start("http", "");
    let received = run_curl("-T -", &format!("http://{}", server.address()), &body);
    assert_same_bytes(&received, &body);
}

// Each program has the URL as its first argument, and the CA as its second.
const WEBSOCKETS: &str = include_str!("programs/websockets_client.py");
const AIOHTTP: &str = include_str!("programs/aiohttp_client.py");
const WS: &str = include_str!("programs/ws_client.js");

/// Runs a script with messages of all lengths.
#[track_caller]
fn expect_script_to_work(program: &str, script: &str, url: &str, ca: &TestCa) {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("script");
    fs::write(&path, script).expect("the directory is writable");
    let mut command = Command::new(program);
    command.arg(path).arg(url).arg(ca.file());
    run(command, b"");
}

#[test]
fn websockets_of_python_echo_messages_of_all_lengths() {
    if skip_without(&[python_module("websockets", "websockets")]) {
        return;
    }
    let server = Server::start("http", "");
    expect_script_to_work("python3", WEBSOCKETS, &format!("ws://{}", server.address()), &server.ca);
    let server = Server::start("https", "");
    let url = format!("wss://localhost:{}", server.address().port());
    expect_script_to_work("python3", WEBSOCKETS, &url, &server.ca);
}

#[test]
fn aiohttp_of_python_echoes_bodies_and_messages() {
    if skip_without(&[python_module("aiohttp", "aiohttp")]) {
        return;
    }
    let server = Server::start("http", "");
    expect_script_to_work("python3", AIOHTTP, &format!("http://{}", server.address()), &server.ca);
}

#[test]
fn ws_of_node_echoes_messages_of_all_lengths() {
    if skip_without(&[node_module("ws")]) {
        return;
    }
    let server = Server::start("http", "");
    expect_script_to_work("node", WS, &format!("ws://{}", server.address()), &server.ca);
}

/// Tries HTTP with curl, and WebSocket with Python, through a proxy.
#[track_caller]
fn expect_proxy_to_work(proxy: &HttpProxy, is_tls: bool, ca: &TestCa) {
    let port = proxy.address().port();
    let (scheme, tls) =
        if is_tls { ("s", format!("--cacert {}", ca.file())) } else { ("", String::new()) };
    let url = format!("http{scheme}://localhost:{port}/");
    let body = Random::new(1).bytes(3_000_000);
    for args in ["-T -", "--data-binary @-"] {
        assert_same_bytes(&run_curl(&format!("{tls} {args}"), &url, &body), &body);
    }
    let seen = run_curl(&tls, &url, b"");
    let seen = String::from_utf8(seen).expect("it is text").to_ascii_lowercase();
    assert!(seen.contains("\nx-front: "), "{seen}");
    expect_script_to_work("python3", WEBSOCKETS, &format!("ws{scheme}://localhost:{port}"), ca);
}

#[test]
fn nginx_passes_http_and_websockets() {
    if skip_without(&[nginx(), curl(), python_module("websockets", "websockets")]) {
        return;
    }
    for (scheme, is_tls) in [("http", false), ("http", true), ("https", true)] {
        let server = Server::start(scheme, "");
        let listen = if is_tls { "ssl" } else { "" };
        let mut lines = "proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_trusted_certificate CA;"
            .replace("CA", server.ca.file());
        if is_tls {
            lines += "ssl_certificate %; ssl_certificate_key %;";
        }
        let proxy =
            HttpProxy::nginx(&server.certificate, listen, (scheme, server.address()), &lines);
        expect_proxy_to_work(&proxy, is_tls, &server.ca);
    }
}

#[test]
fn haproxy_passes_http_and_websockets_with_and_without_a_proxy_header() {
    if skip_without(&[haproxy(), curl(), python_module("websockets", "websockets")]) {
        return;
    }
    for (scheme, is_tls, parameters, send) in [
        ("http", false, "", ""),
        ("http", true, "&proxy=required", "send-proxy-v2 check inter 2000"),
        ("https", true, "&proxy=required", "send-proxy"),
    ] {
        let server = Server::start(scheme, parameters);
        let bind = if is_tls { "ssl crt %" } else { "" };
        let verify =
            format!("ssl verify required verifyhost localhost ca-file {}", server.ca.file());
        let tls = if scheme == "https" { verify.as_str() } else { "" };
        let option = format!("{} {send} {tls}", server.address());
        let proxy = HttpProxy::haproxy(&server.certificate, bind, &option, "");
        expect_proxy_to_work(&proxy, is_tls, &server.ca);
        let log = server.process.log().text();
        assert!(!log.contains("WARNING"), "also for the health checks: {log}");
    }
}
