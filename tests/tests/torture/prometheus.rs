//! Tests of docs/deploy/prometheus.yml and its alerts with a real Prometheus, which scrapes loaded servers.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tests::{
    deployment::text,
    net::TestCa,
    programs::{EchoServer, Program, Report},
    promql::{dashboard_queries, page_queries},
    requirements::{self, skip_without},
    wait::{DEADLINE, wait_until},
};

/// Queries of an operator. Each must have a result for a loaded server.
const QUERIES: [&str; 12] = [
    "sum by (listener) (rate(echo_messages_total{direction=\"received\"}[1m]))",
    "sum by (listener, direction) (rate(echo_bytes_total[1m]))",
    "histogram_quantile(0.99, sum by (le) (rate(echo_latency_seconds_bucket[1m])))",
    "histogram_quantile(0.99, sum by (le, worker) (rate(echo_event_loop_iteration_seconds_bucket[1m])))",
    "sum by (instance) (echo_connections_open) / on (instance) echo_connections_limit",
    "topk(3, sum by (reason) (increase(echo_connections_closed_total[1h])) > 0)",
    "sum by (instance) (rate(echo_connections_accepted_total[1m]))",
    "max by (instance) (rate(echo_worker_busy_seconds_total[1m]))",
    "histogram_quantile(0.99, sum by (le) (rate(echo_dispatch_wait_seconds_bucket[1m])))",
    "min by (listener) (echo_tls_certificate_expiry_timestamp_seconds - time()) / 86400",
    "process_open_fds / process_max_fds",
    "time() - process_start_time_seconds",
];

/// Running Prometheus. Dropping this kills it.
struct Prometheus {
    address: SocketAddr,
    program: Program,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts it with the files of the page, for these admin listeners. A minute of the files is a quarter of a second.
    fn start(admins: [SocketAddr; 2]) -> Self {
        let directory = tempdir().expect("a temporary directory");
        let [one, other] = admins.map(|address| address.to_string());
        let mut config = text("prometheus.yml");
        for (shown, replacement) in [
            ("scrape_interval: 15s", "scrape_interval: 250ms"),
            ("evaluation_interval: 15s", "evaluation_interval: 250ms"),
            ("scrape_timeout: 5s", "scrape_timeout: 250ms"),
            ("192.0.2.11:9465", &one[..]),
            ("192.0.2.12:9465", &other[..]),
            // Nothing answers at this port.
            ("127.0.0.1:9093", "127.0.0.1:1"),
        ] {
            assert!(config.contains(shown), "{shown} is missing in the file");
            config = config.replace(shown, replacement);
        }
        let alerts = text("prometheus-alerts.yml");
        let lines = alerts.lines().map(|line| match line.split_once("for: ") {
            Some((before, _)) if before.trim().is_empty() => format!("{before}for: 250ms\n"),
            _ => format!("{line}\n"),
        });
        let path = |name: &str| directory.path().join(name);
        fs::write(path("prometheus.yml"), config).expect("the file can be written");
        fs::write(path("prometheus-alerts.yml"), lines.collect::<String>()).expect("as above");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", path("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", path("data").display()));
        command.arg("--web.listen-address=127.0.0.1:0");
        let program = Program::spawn(command);
        let line = program.stderr.wait_for_line("msg=\"Listening on\"");
        let address = line.rsplit("address=").next().unwrap_or_default();
        let address = address.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
        let _ = program.stderr.wait_for_line("Server is ready to receive web requests");
        Self { address, program, _directory: directory }
    }

    /// Returns the data in its answer to a request.
    fn get(&self, target: &str) -> Value {
        let mut stream = TcpStream::connect(self.address).expect("Prometheus listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
        // An answer to HTTP/1.0 has no chunks, and ends with the stream.
        write!(stream, "GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it reads");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("it answers");
        let (_, body) = response.split_once("\r\n\r\n").expect("a head and a body");
        let body: Value = serde_json::from_str(body).unwrap_or_else(|error| {
            panic!("{error}: {response}");
        });
        assert_eq!(body["status"], "success", "{target}: {body}");
        body["data"].clone()
    }

    /// Returns the values of the series of a query.
    fn query(&self, expression: &str) -> Vec<f64> {
        let data = self.get(&format!("/api/v1/query?query={}", percent_encoded(expression)));
        let series = data["result"].as_array().expect("a list of series").clone();
        let value = |series: &Value| series["value"][1].as_str()?.parse().ok();
        series.iter().map(|series| value(series).expect("a series has a value")).collect()
    }

    /// Waits until the query has these values.
    fn wait_for(&self, expression: &str, values: &[f64]) {
        wait_until(expression, || self.query(expression) == values);
    }

    /// Waits until the alert fires for this server.
    fn wait_for_alert(&self, alert: &str, admin: SocketAddr) {
        let labels = format!("alertname=\"{alert}\",alertstate=\"firing\",instance=\"{admin}\"");
        self.wait_for(&format!("count(ALERTS{{{labels}}})"), &[1.0]);
    }
}

/// Encodes a query for a URL.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"))
}

/// Returns the address of the admin listener of a server.
fn admin(server: &EchoServer) -> SocketAddr {
    let line = server.log().wait_for_line("Admin listener started on http://");
    let address = line.rsplit('/').next().unwrap_or_default();
    address.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Starts a server whose certificate has expired, with a history, and one that takes one client. They live as long as their files.
fn start_servers() -> ([EchoServer; 2], TestCa, TempDir) {
    let directory = tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db").display().to_string();
    let ca = TestCa::new();
    let expired = ca.issue(&["localhost"], (2020, 2021));
    let [cert, key] =
        [&expired.certificate_file, &expired.key_file].map(|file| file.display().to_string());
    let tls = format!("tls://127.0.0.1:0?cert={cert}&key={key}");
    let args = ["--admin", "http://127.0.0.1:0", "--log-messages", "off"];
    let listeners =
        ["--listen", "tcp://127.0.0.1:0", "--listen", &tls, "--listen", "udp://127.0.0.1:0"];
    // Nothing answers at this port.
    let records = ["--history", &history, "--rooms", "redis://127.0.0.1:1"];
    let loaded = EchoServer::start_with(&[&args[..], &listeners, &records].concat());
    let small = EchoServer::start(&[&args[..], &["--max-connections", "1"]].concat());
    ([loaded, small], ca, directory)
}

impl Prometheus {
    /// Waits until the server has the number of messages that the client has counted, and every query of an operator a result.
    fn expect_figures_of(&self, report: &Report) {
        #[expect(clippy::cast_precision_loss, reason = "it is far below 2^53")]
        let messages = report.messages() as f64;
        for direction in ["received", "sent"] {
            let labels = format!("direction=\"{direction}\",protocol=\"text\"");
            self.wait_for(&format!("sum(echo_messages_total{{{labels}}})"), &[messages]);
        }
        for query in QUERIES {
            wait_until(query, || {
                let values = self.query(query);
                !values.is_empty() && values.iter().all(|value| value.is_finite())
            });
        }
    }

    /// Waits until every query of the dashboard and of docs/OBSERVE.md has a result. Those that show only trouble, or what has
    /// happened lately, need none.
    fn expect_results_of_queries(&self) {
        for query in [dashboard_queries(), page_queries()].concat() {
            let needs_none = query.text.contains("> 0") || query.text.contains("== 0");
            let is_answered = || !self.query(&query.text).is_empty() || needs_none;
            wait_until(&format!("a result of {query:?}"), is_answered);
        }
    }

    /// Waits until every alert has been evaluated, and expects no error.
    fn expect_rules_without_errors(&self) {
        let rules = || {
            let data = self.get("/api/v1/rules");
            data["groups"][0]["rules"].as_array().expect("a list of rules").clone()
        };
        wait_until("every rule is evaluated", || {
            rules().iter().all(|rule| rule["health"] != "unknown")
        });
        for rule in rules() {
            assert_eq!((&rule["health"], rule.get("lastError")), (&"ok".into(), None), "{rule}");
        }
    }
}

#[test]
#[ignore = "make torture"]
fn prometheus_scrapes_loaded_servers_and_its_alerts_fire() {
    if skip_without(&[requirements::prometheus()]) {
        return;
    }
    let ([loaded, small], _ca, _directory) = start_servers();
    let prometheus = Prometheus::start([admin(&loaded), admin(&small)]);
    prometheus.wait_for("count(up{job=\"echo-server\"} == 1)", &[2.0]);
    let args = "--processes 2 --connections 10 --warmup 0s --messages 1000 --size 10-100";
    let report = Report::run(loaded.address(), args);
    report.expect_success();
    prometheus.expect_figures_of(&report);
    prometheus.expect_rules_without_errors();
    prometheus.expect_results_of_queries();

    prometheus.wait_for_alert("EchoServerCertificateExpires", admin(&loaded));
    let mut only_client = small.connect();
    only_client.exchange(b"hello\n");
    prometheus.wait_for_alert("EchoServerNotReady", admin(&small));
    prometheus.wait_for_alert("EchoServerNearlyFull", admin(&small));
    drop(only_client);
    prometheus.wait_for("count(ALERTS{alertname=~\"EchoServer(NotReady|NearlyFull)\"})", &[]);
    assert_eq!(prometheus.query("ALERTS{alertname=\"EchoServerDown\"}"), [0.0; 0]);

    let down = admin(&loaded);
    assert!(loaded.terminate().0.success());
    prometheus.wait_for_alert("EchoServerDown", down);
    let alerts = prometheus.get("/api/v1/alerts")["alerts"].clone();
    let summary = format!("{down} does not answer scrapes");
    let alerts = alerts.as_array().expect("a list of alerts");
    assert!(alerts.iter().any(|alert| alert["annotations"]["summary"] == summary), "{alerts:?}");
    prometheus.program.signal(Signal::TERM);
    assert_eq!(prometheus.program.finish().code(), 0);
}
