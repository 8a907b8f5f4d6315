//! The metrics: their formats, and their figures against what the clients know.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use tempfile::tempdir;
use tests::{
    net::{Peer, mock_server::unused_address},
    programs::{EchoServer, Launch, Report},
    requirements::{promtool, python_module, skip_without},
    wait::{DEADLINE, wait_until},
};

use crate::client::{AdminClient, admin_address, get, start, start_with};

const OPENMETRICS: &str = "Accept: application/openmetrics-text; version=1.0.0\r\n";

/// The metrics of a server at one time.
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn scrape(admin: SocketAddr) -> Self {
        Self(get(admin, "/metrics").body)
    }

    /// Returns the sum of the samples of a metric that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let wanted: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let samples = self.0.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels: Vec<_> = labels.trim_end_matches('}').split("\",").collect();
            let has = |label: &String| {
                labels.iter().any(|other| *other == label || format!("{other}\"") == *label)
            };
            (found == name && wanted.iter().all(has))
                .then(|| value.parse::<u64>().expect("a whole number"))
        });
        samples.sum()
    }
}

/// Returns the metrics in this format.
fn scrape(admin: SocketAddr, accept: &str) -> String {
    let mut client = AdminClient::connect(admin);
    client.send(&format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n"));
    client.response(true).body
}

/// Runs a command with this input, and returns what it prints if it succeeds.
fn filter(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool runs");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout.into_owned() + &stderr
}

/// Everything that a server can have.
fn start_with_all(directory: &Path) -> (EchoServer, SocketAddr) {
    let history = directory.join("history.db");
    start_with(&[
        "--listen",
        "tcp://127.0.0.1:0",
        "--listen",
        "udp://127.0.0.1:0",
        "--listen",
        "https://127.0.0.1:0",
        "--listen",
        "tcp://127.0.0.1:0?protocol=room&proxy=required",
        "--tls-self-signed",
        "--history",
        history.to_str().expect("the path is UTF-8"),
    ])
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    if skip_without(&[promtool()]) {
        return;
    }
    let directory = tempdir().expect("a temporary directory");
    let (_server, admin) = start_with_all(directory.path());
    let findings = filter(Command::new("promtool").args(["check", "metrics"]), &scrape(admin, ""));
    assert_eq!(findings, "");
}

#[test]
fn the_parsers_of_prometheus_for_python_read_both_formats() {
    if skip_without(&[python_module("prometheus_client", "prometheus-client")]) {
        return;
    }
    let directory = tempdir().expect("a temporary directory");
    let (_server, admin) = start_with_all(directory.path());
    let script = "import sys\n\
        from prometheus_client.{}parser import text_string_to_metric_families\n\
        families = list(text_string_to_metric_families(sys.stdin.read()))\n\
        assert all(family.documentation and family.type != 'unknown' for family in families)\n\
        print(sorted(family.name.removesuffix('_info') for family in families))";
    let [openmetrics, prometheus] =
        [("openmetrics.", OPENMETRICS), ("", "")].map(|(parser, accept)| {
            let script = script.replace("{}", parser);
            filter(Command::new("python3").args(["-c", &script]), &scrape(admin, accept))
        });
    assert_eq!(openmetrics, prometheus);
    assert!(openmetrics.matches('\'').count() > 60, "{openmetrics}");
}

#[test]
fn each_metric_equals_what_a_load_has_counted() {
    let (server, admin) = start(&["--log-messages", "off"]);
    let report =
        Report::run(server.address(), "--processes 3 --connections 5 --messages 400 --warmup 0");
    report.expect_success();
    // The workers may learn of the last ends after the load has.
    wait_until("all connections are closed", || {
        Metrics::scrape(admin).sum("echo_connections_open", &[]) == 0
    });
    let metrics = Metrics::scrape(admin);
    let (messages, bytes) = (report.messages(), report.json("/bytes_checked").as_u64());
    assert_eq!(messages, 6000);
    for direction in ["received", "sent"] {
        let label = [("direction", direction)];
        assert_eq!(metrics.sum("echo_messages_total", &label), messages, "{direction}");
        assert_eq!(Some(metrics.sum("echo_bytes_total", &label)), bytes, "{direction}");
    }
    // The connection by which the load finds out that a server answers is one more.
    let accepted = metrics.sum("echo_connections_accepted_total", &[]);
    assert!((15..=16).contains(&accepted), "{accepted}");
    assert_eq!(metrics.sum("echo_connections_closed_total", &[("reason", "fin")]), accepted);
    assert_eq!(metrics.sum("echo_dispatch_wait_seconds_count", &[]), accepted);
    assert!(metrics.sum("echo_event_loop_iteration_seconds_count", &[]) > 0);
    let latencies = metrics.sum("echo_latency_seconds_count", &[]);
    assert!(latencies > 0 && latencies <= messages, "{latencies}");
    assert_eq!(metrics.sum("echo_panics_total", &[]), 0);
}

#[test]
fn connections_are_counted_by_listener_and_by_their_end() {
    let (server, admin) = start_with(&[
        "--listen",
        "tcp://127.0.0.1:0?max-connections=1",
        "--listen",
        "tcp://127.0.0.1:0?proxy=required&protocol=raw",
    ]);
    let first = &server.addresses()[0];
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    assert_eq!(Metrics::scrape(admin).sum("echo_connections_open", &[("listener", first)]), 1);
    let mut refused = server.connect();
    assert!(refused.read_until("\r\n").starts_with("Server is full"));
    peer.send(b"exit\n");
    peer.expect_to_end(b"Goodbye!\n");
    drop(peer);
    let second: SocketAddr = server.addresses()[1].parse().expect("an address");
    let mut stranger = Peer::connect(second);
    stranger.send(b"GET / HTTP/1.1\r\n\r\n");
    stranger.expect_end();
    server.wait_for_log("sent no PROXY header");
    let of = |name, labels: &[(&str, &str)]| Metrics::scrape(admin).sum(name, labels);
    wait_until("the close is counted", || {
        of("echo_connections_closed_total", &[("listener", first), ("reason", "exit")]) == 1
    });
    let limit = ("reason", "listener-max-connections");
    assert_eq!(of("echo_connections_refused_total", &[("listener", first), limit]), 1);
    assert_eq!(of("echo_proxy_headers_refused_total", &[("reason", "missing")]), 1);
    assert_eq!(of("echo_connections_closed_total", &[("reason", "proxy-header")]), 1);
    assert_eq!(of("echo_connections_open", &[]), 0);
}

#[test]
fn a_line_that_arrives_in_pieces_takes_no_message_back() {
    let (server, admin) = start(&[]);
    let mut peer = server.connect();
    let messages = || {
        let metrics = Metrics::scrape(admin);
        ["received", "sent"]
            .map(|direction| metrics.sum("echo_messages_total", &[("direction", direction)]))
    };
    let mut counts = Vec::new();
    for piece in [&b"one"[..], b" two", b" three\n", b"four\n", b"five\n", b"six\n"] {
        peer.exchange(piece);
        counts.push(messages());
    }
    // A peer may receive an echo before the worker has counted it.
    peer.half_close();
    peer.expect_end();
    wait_until("it is closed", || Metrics::scrape(admin).sum("echo_connections_open", &[]) == 0);
    counts.push(messages());
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.last(), Some(&[4, 4]), "one, and three more lines");
}

#[test]
fn what_a_room_sends_is_counted_as_its_members_receive_it() {
    let (server, admin) = start_with(&["--listen", "tcp://127.0.0.1:0?protocol=room"]);
    let [mut ann, mut bob] = ["ann", "bob"].map(|name| {
        let mut member = server.connect();
        member.send(format!("/name {name}\n").as_bytes());
        member.read_until(name);
        member
    });
    for _ in 0..5 {
        ann.send(b"hello\n");
        bob.read_until("hello");
        ann.read_until("hello");
    }
    ann.half_close();
    bob.half_close();
    drop((ann.read_to_end(), bob.read_to_end()));
    wait_until("both are closed", || Metrics::scrape(admin).sum("echo_connections_open", &[]) == 0);
    let (metrics, log) = (Metrics::scrape(admin), server.log().text());
    let sent = metrics.sum("echo_messages_total", &[("direction", "sent")]);
    assert_eq!(sent, metrics.sum("echo_room_deliveries_total", &[]), "{log}");
    assert!(sent >= 10, "{sent}");
}

#[test]
fn datagrams_are_counted_by_listener() {
    let (server, admin) = start_with(&["--listen", "udp://127.0.0.1:0?rate=1"]);
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    peer.connect(server.addresses()[0].trim_start_matches("udp://")).expect("an address");
    peer.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
    peer.send(b"hello").expect("the socket has room");
    assert_eq!(peer.recv(&mut [0; 16]).expect("an answer"), 5);
    peer.send(b"again").expect("the socket has room");
    server.wait_for_log("Did not answer a datagram");
    let metrics = Metrics::scrape(admin);
    assert_eq!(metrics.sum("echo_datagrams_received_total", &[]), 1);
    assert_eq!(metrics.sum("echo_datagrams_answered_total", &[]), 1);
    assert_eq!(metrics.sum("echo_datagrams_refused_total", &[("reason", "rate")]), 1);
    let sent = [("protocol", "udp"), ("direction", "sent")];
    assert_eq!(metrics.sum("echo_bytes_total", &sent), 5);
}

#[test]
fn the_counters_of_a_listener_go_on_after_it_was_closed_and_opened_again() {
    let directory = tempdir().expect("a temporary directory");
    let file = directory.path().join("echo.toml");
    let write = |listen: &str| {
        fs::write(&file, format!("listen = [{listen}]\n")).expect("the file can be written");
    };
    let address = unused_address();
    let (stays, closes) = ("'tcp://127.0.0.1:0?protocol=raw'", format!("'tcp://{address}'"));
    write(&format!("{stays}, {closes}"));
    let config = file.to_str().expect("the path is UTF-8");
    let args = ["--config", config, "--admin", "http://127.0.0.1:0"];
    let server = Launch::new(&args).without_port().start();
    let admin = admin_address(&server);
    let echo = || {
        Peer::connect(address).exchange(b"hello\n");
    };
    let received = || {
        let listener = address.to_string();
        Metrics::scrape(admin)
            .sum("echo_messages_total", &[("listener", &listener), ("direction", "received")])
    };
    echo();
    assert_eq!(received(), 1);
    write(stays);
    server.signal(Signal::HUP);
    server.wait_for_log(&format!("No longer listening on {address}"));
    assert_eq!(received(), 1);
    write(&format!("{stays}, {closes}"));
    server.signal(Signal::HUP);
    let _ = server.log().wait_for_lines(&format!("Echo server started on {address}"), 2);
    echo();
    assert_eq!(received(), 2);
}
