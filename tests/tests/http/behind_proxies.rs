//! What differs behind a proxy: the scheme and the name that a browser sees, and bodies that are longer than its buffers.

use std::{io::Write as _, net::SocketAddr, thread};

use tests::{
    net::{Certificate, TestCa, assert_same_bytes},
    payload::Random,
    programs::{EchoServer, Finished, HttpProxy, Program, binaries::echo_client},
    requirements::{curl, haproxy, nginx, skip_without},
    system::procfs,
};

use crate::{
    peers::{Server, run_curl},
    requests::read_head,
};

/// Name of the server for its clients.
const NAME: &str = "echo.example.com";

/// Memory by which the server may grow while it serves 100 MB, in bytes.
const GROWTH: u64 = 8 * 1024 * 1024;

/// The answer to a page that may not connect.
const REFUSED: &str = "status 403 (Forbidden)";

const MB: usize = 1024 * 1024;

fn start(parameters: &str) -> EchoServer {
    let listen = format!("http://127.0.0.1:0{parameters}");
    EchoServer::start_with(&["--listen", &listen, "--log-messages", "off"])
}

/// Starts nginx, which ends TLS and passes the `Host` on.
fn nginx_with_tls(certificate: &Certificate, server: SocketAddr) -> HttpProxy {
    let lines = "ssl_certificate %; ssl_certificate_key %;";
    HttpProxy::nginx(certificate, "ssl", ("http", server), lines)
}

/// Opens a WebSocket as a page of this origin does, and sends a message.
fn open(proxy: &HttpProxy, ca: &TestCa, origin: &str) -> Finished {
    let url = format!("wss://localhost:{}", proxy.address().port());
    Program::run_client(&[&url, "--tls-ca", ca.file(), "--ws-origin", origin, "-m", "hello"])
}

/// Requests the page as a browser does that knows the server by its name. Returns the status.
fn status_of_page(proxy: &HttpProxy, ca: &TestCa) -> String {
    let url = format!("https://localhost:{}/", proxy.address().port());
    let args = format!(
        "--cacert {} -H Accept:text/html -H Host:{NAME} -o /dev/null -w %{{http_code}}",
        ca.file()
    );
    String::from_utf8(run_curl(&args, &url, b"")).expect("a status is text")
}

#[test]
fn behind_a_proxy_that_ends_tls_the_page_needs_its_name_and_its_origin() {
    if skip_without(&[nginx(), curl()]) {
        return;
    }
    let ca = TestCa::new();
    let origin = format!("https://{NAME}");
    let server = start(&format!("?hosts={NAME}&origins={origin}"));
    let proxy = nginx_with_tls(&ca.localhost(), server.address());
    assert_eq!(status_of_page(&proxy, &ca), "200");
    let ended = open(&proxy, &ca, &origin);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    for other in [&format!("http://{NAME}"), "https://example.com"] {
        let ended = open(&proxy, &ca, other);
        assert!(ended.stderr.contains(REFUSED), "{other}: {ended:?}");
    }
}

#[test]
fn behind_a_proxy_that_encrypts_again_the_origin_is_the_own_one() {
    if skip_without(&[nginx()]) {
        return;
    }
    let Server { ca, certificate, process } = Server::start("https", "");
    let lines = format!(
        "ssl_certificate %; ssl_certificate_key %; proxy_ssl_trusted_certificate {};",
        ca.file()
    );
    let proxy = HttpProxy::nginx(&certificate, "ssl", ("https", process.address()), &lines);
    let ended = open(&proxy, &ca, &format!("https://localhost:{}", proxy.address().port()));
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
}

/// The server sees `http`, and the browser names an origin with `https`.
#[test]
fn behind_a_proxy_that_ends_tls_an_origin_with_https_is_not_the_own_one() {
    if skip_without(&[nginx(), curl()]) {
        return;
    }
    let ca = TestCa::new();
    let server = start(&format!("?hosts={NAME}"));
    let proxy = nginx_with_tls(&ca.localhost(), server.address());
    let origin = format!("https://localhost:{}", proxy.address().port());
    for origin in [&origin, &format!("https://{NAME}")] {
        let ended = open(&proxy, &ca, origin);
        assert!(ended.stderr.contains(REFUSED), "{origin}: {ended:?}");
    }
    let server = start("");
    let proxy = nginx_with_tls(&ca.localhost(), server.address());
    assert_eq!(status_of_page(&proxy, &ca), "421");
}

#[test]
fn haproxy_passes_a_body_of_100_mb_in_little_memory() {
    if skip_without(&[haproxy()]) {
        return;
    }
    let server = start("");
    let option = server.address().to_string();
    let proxy = HttpProxy::haproxy(&TestCa::new().localhost(), "", &option, "");
    let mut peer = proxy.connect();
    let before = procfs::resident_memory(server.pid());
    let part = Random::new(1).bytes(MB);
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 100 * MB);
    peer.send(head.as_bytes());
    let mut writer = peer.stream().try_clone().expect("a socket can be cloned");
    thread::scope(|scope| {
        scope.spawn(|| (0..100).for_each(|_| writer.write_all(&part).expect("it is read")));
        let head = read_head(&mut peer);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        (0..100).for_each(|_| peer.expect(&part));
    });
    let grown = procfs::peak_memory(server.pid()).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes");
}

/// A POST of this length stalls: nginx sends no more of a body when the response has begun and its socket is full.
#[test]
fn nginx_passes_a_message_of_20_mb() {
    if skip_without(&[nginx()]) {
        return;
    }
    let server = start("");
    let proxy = HttpProxy::nginx(&TestCa::new().localhost(), "", ("http", server.address()), "");
    let url = format!("ws://{}", proxy.address());
    let mut line = Random::new(2).bytes(20 * MB);
    line.retain(|&byte| byte != b'\n');
    let mut filter = Program::start(echo_client(), &[&url]);
    filter.feed_all(line.clone());
    let ended = filter.finish();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert_same_bytes(&ended.stdout, &line);
}
