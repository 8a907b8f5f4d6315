//! Tests of the receipt of a connection in the server's log: it has what the client and the kernel have counted.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::net::UnixStream,
    process::Command,
};

use rustix::process::Signal;
use serde_json::Value;
use socket2::{SockFilter, SockRef};
use tests::{
    net::Peer,
    programs::{EchoServer, Launch},
    requirements::{self, skip_without},
    wait::wait_until,
};

/// A filter that drops every segment for a socket: it returns 0 (`BPF_RET`).
const DROP_ALL: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];

fn start(args: &[&str]) -> EchoServer {
    Launch::new(&[&["--log-format", "json"], args].concat()).without_port().start()
}

/// Waits for the event of the first close.
fn closed(server: &EchoServer) -> Value {
    let line = server.log().wait_for_line(r#""event":"closed""#);
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Returns the figures that `ss` shows for the server's socket of a connection.
fn ss(server: SocketAddr, client: SocketAddr) -> String {
    let mut command = Command::new("ss");
    command.args(["--tcp", "--info", "--numeric", "--no-header", "src"]);
    command.arg(server.to_string()).arg("dst").arg(client.to_string());
    let output = command.output().expect("the tool was found");
    String::from_utf8(output.stdout).expect("the tool writes text")
}

/// Returns the figures of a connection, in the units of the log, when the peer has acknowledged everything.
fn settled(server: SocketAddr, client: SocketAddr) -> Figures {
    let mut text = String::new();
    wait_until("the peer acknowledges everything", || {
        text = ss(server, client);
        !text.contains("unacked:")
    });
    let figure = |before: &str| {
        let (_, rest) = text.split_once(before)?;
        rest.split(|byte: char| !byte.is_ascii_digit() && byte != '.').next()?.parse::<f64>().ok()
    };
    // `ss` has times in milliseconds, and rates in bits.
    let scaled = |value: Option<f64>, factor: f64| value.map(|value| (value * factor).round());
    Figures {
        rtt_us: scaled(figure(" rtt:"), 1000.0),
        min_rtt_us: scaled(figure(" minrtt:"), 1000.0),
        retransmits: retransmits(&text),
        delivery_rate_bytes_per_second: scaled(figure(" delivery_rate "), 0.125),
    }
}

/// Returns the number of retransmits: `ss` has `retrans:0/2` if there are any.
fn retransmits(ss: &str) -> Option<f64> {
    let Some((_, rest)) = ss.split_once("retrans:") else { return Some(0.0) };
    rest.split_once('/')?.1.split_whitespace().next()?.parse().ok()
}

#[derive(Debug, PartialEq)]
struct Figures {
    rtt_us: Option<f64>,
    min_rtt_us: Option<f64>,
    retransmits: Option<f64>,
    delivery_rate_bytes_per_second: Option<f64>,
}

impl Figures {
    fn of(closed: &Value) -> Self {
        let figure = |name: &str| closed[name].as_f64();
        Self {
            rtt_us: figure("rtt_us"),
            min_rtt_us: figure("min_rtt_us"),
            retransmits: figure("retransmits"),
            delivery_rate_bytes_per_second: figure("delivery_rate_bytes_per_second"),
        }
    }
}

#[test]
fn the_receipt_has_the_counts_of_the_client_and_the_figures_of_the_kernel() {
    if skip_without(&[requirements::ss()]) {
        return;
    }
    let server = start(&["--listen", "tcp://127.0.0.1:0"]);
    let mut peer = server.connect();
    for _ in 0..3 {
        peer.exchange(b"hello\n");
    }
    let figures = settled(server.address(), peer.address());
    peer.half_close();
    peer.expect_end();
    let closed = closed(&server);
    assert_eq!(Figures::of(&closed), figures, "{closed}");
    assert!(figures.rtt_us > Some(0.0) && figures.delivery_rate_bytes_per_second > Some(0.0));
    for (field, value) in [
        ("peer", Value::from(peer.address().to_string())),
        ("listener", "127.0.0.1:0".into()),
        ("protocol", "text".into()),
        ("layers", "".into()),
        ("reason", "fin".into()),
        ("bytes_received", 18.into()),
        ("bytes_sent", 18.into()),
        ("messages_received", 3.into()),
        ("messages_sent", 3.into()),
    ] {
        assert_eq!(closed[field], value, "{field} of {closed}");
    }
    let text = format!("Connection with {} closed", peer.address());
    assert_eq!(closed["message"], text, "the text is that of the original");
}

#[test]
fn a_path_that_loses_segments_shows_in_the_retransmits() {
    if skip_without(&[requirements::ss()]) {
        return;
    }
    let server = start(&["--listen", "tcp://127.0.0.1:0"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    let _ = settled(server.address(), peer.address());
    SockRef::from(&*peer.stream()).attach_filter(&DROP_ALL).expect("the kernel has socket filters");
    peer.send(b"lost at first\n");
    wait_until("the server sends its echo again", || {
        retransmits(&ss(server.address(), peer.address())) > Some(0.0)
    });
    SockRef::from(&*peer.stream()).detach_filter().expect("the filter is attached");
    peer.expect(b"lost at first\n");
    let figures = settled(server.address(), peer.address());
    peer.half_close();
    peer.expect_end();
    let closed = closed(&server);
    assert_eq!(Figures::of(&closed), figures, "{closed}");
    assert!(closed["retransmits"].as_u64() > Some(0), "{closed}");
}

#[test]
fn a_unix_socket_has_no_figures_of_the_kernel() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("echo.sock");
    let url = format!("unix://{}", path.display());
    let server = start(&["--listen", &url, "--log-receipts", "on"]);
    let mut stream = UnixStream::connect(&path).expect("the server listens");
    stream.write_all(b"hello\n").expect("the server reads");
    stream.read_exact(&mut [0; 6]).expect("an echo");
    drop(stream);
    let closed = closed(&server);
    let none = Figures {
        rtt_us: None,
        min_rtt_us: None,
        retransmits: None,
        delivery_rate_bytes_per_second: None,
    };
    assert_eq!(Figures::of(&closed), none);
    let text = closed["message"].as_str().expect("a record has a text");
    assert!(text.ends_with(&format!("listener {url}, protocol text")), "{text}");
}

#[test]
fn the_receipt_names_the_layers_of_the_connection() {
    let server = start(&["--listen", "http://127.0.0.1:0?proxy=required", "--log-receipts", "on"]);
    let mut peer = server.connect();
    peer.send(
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n\
        GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let _ = peer.read_until("\r\n\r\n");
    // An empty close frame with a mask.
    peer.send(&[0x88, 0x80, 1, 2, 3, 4]);
    peer.read_to_end();
    drop(peer);
    let closed = closed(&server);
    assert_eq!(closed["layers"], "proxy,http,websocket");
    assert_eq!(closed["protocol"], "http");
    let text = closed["message"].as_str().expect("a record has a text");
    let expected = "listener http://127.0.0.1:0, protocol http, layers proxy,http,websocket; ";
    assert!(text.contains(expected), "{text}");
}

/// Exchanges a line and ends the stream. Returns what the log has about the end.
fn end_of_session(server: &EchoServer) -> String {
    let mut peer: Peer = server.connect();
    peer.exchange(b"hello\n");
    let name = peer.address().to_string().replace('.', r"\.");
    peer.half_close();
    peer.expect_end();
    let line = server.log().wait_for_line(&format!("Connection with {name} closed"));
    line.split_once(" closed").expect("the line matches the pattern").1.to_owned()
}

#[test]
fn a_reload_switches_receipts_in_the_text_on_and_off() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("echo.toml");
    let listen = "listen = ['tcp://127.0.0.1:0']\n";
    fs::write(&file, listen).expect("the file can be written");
    let args = ["--config", file.to_str().expect("the path is UTF-8")];
    let server = Launch::new(&args).without_port().start();
    assert_eq!(end_of_session(&server), "");
    let receipt = "^: by the client \\(fin\\) after \\d+\\.\\d{3} s; received 6 bytes in 1 message, sent 6 bytes in 1 \
                   message; listener 127\\.0\\.0\\.1:0, protocol text; RTT \\d+ us, minimum RTT \\d+ us, \
                   0 retransmits(, delivery rate [0-9.]+ [kMG]?B/s)?$";
    for (value, from, pattern) in [("true", "false", receipt), ("false", "true", "^$")] {
        fs::write(&file, format!("{listen}log-receipts = {value}\n")).expect("as above");
        server.signal(Signal::HUP);
        server.wait_for_log(&format!("Changed log-receipts: {from} -> {value}"));
        let end = end_of_session(&server);
        assert!(tests::log::pattern(pattern).is_match(&end), "{end:?}");
    }
}

/// The format stays that of the start, so its records keep their fields.
#[test]
fn a_reload_of_another_format_keeps_the_figures() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("echo.toml");
    let listen = "listen = ['tcp://127.0.0.1:0']\n";
    fs::write(&file, format!("{listen}log-format = 'json'\n")).expect("the file can be written");
    let args = ["--config", file.to_str().expect("the path is UTF-8")];
    let server = Launch::new(&args).without_port().start();
    fs::write(&file, listen).expect("as above");
    server.signal(Signal::HUP);
    server.wait_for_log("'log-format' differs from its value at the start");
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    drop(peer);
    assert!(closed(&server)["retransmits"].is_u64());
}
