//! A client of the admin listener.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
};

use rustix::process::Signal;
use serde_json::Value;
use tests::{programs::EchoServer, wait::DEADLINE};

/// A connection to an admin listener over which requests follow each other.
pub(crate) struct AdminClient<Stream = TcpStream>(BufReader<Stream>);

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(": ")?;
            other.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Returns the address of the admin listener of a server.
pub(crate) fn admin_address(server: &EchoServer) -> SocketAddr {
    let line = server.log().wait_for_line("Admin listener started on http://");
    let address = line.rsplit('/').next().unwrap_or_default();
    address.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Starts a server with an admin listener on a free port, and returns its address.
pub(crate) fn start(args: &[&str]) -> (EchoServer, SocketAddr) {
    let server = EchoServer::start(&[&["--admin", "http://127.0.0.1:0"], args].concat());
    let admin = admin_address(&server);
    (server, admin)
}

/// Starts a server with an admin listener and these listeners.
pub(crate) fn start_with(args: &[&str]) -> (EchoServer, SocketAddr) {
    let server = EchoServer::start_with(&[&["--admin", "http://127.0.0.1:0"], args].concat());
    let admin = admin_address(&server);
    (server, admin)
}

/// Sends a GET on a connection of its own.
pub(crate) fn get(admin: SocketAddr, target: &str) -> Response {
    AdminClient::connect(admin).get(target)
}

impl AdminClient {
    pub(crate) fn connect(admin: SocketAddr) -> Self {
        let stream = TcpStream::connect(admin).expect("the admin listener accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
        Self(BufReader::new(stream))
    }
}

impl AdminClient<UnixStream> {
    pub(crate) fn connect_unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the admin listener accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
        Self(BufReader::new(stream))
    }
}

/// A stream that can be written while a reader owns it.
pub(crate) trait Duplex: Read + Write {}

impl Duplex for TcpStream {}
impl Duplex for UnixStream {}

impl<Stream: Duplex> AdminClient<Stream> {
    pub(crate) fn send(&mut self, bytes: &str) {
        self.0.get_mut().write_all(bytes.as_bytes()).expect("the server reads");
    }

    /// Sends a GET, and returns the response.
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.request("GET", target)
    }

    pub(crate) fn request(&mut self, method: &str, target: &str) -> Response {
        self.send(&format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
        self.response(method != "HEAD")
    }

    /// Reads a response.
    pub(crate) fn response(&mut self, has_body: bool) -> Response {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).expect("a response");
            assert!(read > 0, "the stream ends after {head:?}");
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {head}"));
        let mut response = Response { status, head, body: String::new() };
        let len = response.header("Content-Length").expect("each response has its length");
        let mut body = vec![0; if has_body { len.parse().expect("a number") } else { 0 }];
        self.0.read_exact(&mut body).expect("a complete response");
        response.body = String::from_utf8(body).expect("a response is text");
        response
    }

    /// Expects the end of the stream, without any more bytes.
    pub(crate) fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("the end of the stream");
        assert!(rest.is_empty(), "{}", rest.escape_ascii());
    }
}

/// Sends a server the signal to shut down, and waits until it has it.
pub(crate) fn shut_down(server: &EchoServer, log: &str) {
    server.signal(Signal::TERM);
    server.wait_for_log(log);
}
