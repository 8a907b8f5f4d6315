//! What each endpoint answers, and what each request may be.

use std::{fs, os::unix::net::UnixListener};

use rustix::process::Signal;
use tempfile::tempdir;
use tests::programs::{EchoServer, Launch, Program};

use crate::client::{AdminClient, admin_address, get, start};

const ENDPOINTS: [&str; 8] =
    ["/", "/livez", "/readyz", "/metrics", "/connections", "/status", "/config", "/version"];

#[test]
fn each_endpoint_answers_over_tcp_on_one_connection() {
    let (_server, admin) = start(&[]);
    let mut client = AdminClient::connect(admin);
    for endpoint in ENDPOINTS {
        let response = client.get(endpoint);
        assert_eq!(response.status, 200, "{endpoint}: {response:?}");
        assert_eq!(response.header("Cache-Control"), Some("no-store"));
        assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
        assert!(response.header("Date").is_some());
        let head = client.request("HEAD", endpoint);
        assert_eq!(head.header("Content-Type"), response.header("Content-Type"));
    }
    let index = client.get("/").body;
    for endpoint in &ENDPOINTS[1..] {
        assert!(index.contains(&format!("{endpoint} ")), "{endpoint}: {index}");
    }
}

#[test]
fn each_endpoint_answers_over_a_unix_socket_under_any_host() {
    let directory = tempdir().expect("a temporary directory");
    let path = directory.path().join("admin.sock");
    let url = format!("unix://{}", path.display());
    let server = EchoServer::start(&["--admin", &url]);
    let mut client = AdminClient::connect_unix(&path);
    for endpoint in ENDPOINTS {
        client.send(&format!("GET {endpoint} HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n"));
        assert_eq!(client.response(true).status, 200, "{endpoint}");
    }
    let (status, _) = server.terminate();
    assert!(status.success() && !path.exists(), "the server removes the file of its socket");
}

#[test]
fn the_socket_file_of_a_server_that_crashed_is_replaced() {
    let directory = tempdir().expect("a temporary directory");
    let path = directory.path().join("admin.sock");
    drop(UnixListener::bind(&path).expect("a new file"));
    assert!(path.exists(), "a socket leaves its file");
    let _server = EchoServer::start(&["--admin", &format!("unix://{}", path.display())]);
    assert_eq!(AdminClient::connect_unix(&path).get("/livez").body, "ok\n");
}

#[test]
fn the_version_names_the_features_of_the_program() {
    let (_server, admin) = start(&[]);
    let version = get(admin, "/version").json();
    assert_eq!(version["name"], "echo-server");
    assert!(version["features"].as_array().is_some_and(|all| all.contains(&"admin".into())));
}

#[test]
fn a_reload_changes_the_settings_that_are_shown() {
    let directory = tempdir().expect("a temporary directory");
    let file = directory.path().join("echo.toml");
    let write = |idle: &str, workers: u32| {
        let text = format!(
            "listen = ['tcp://127.0.0.1:0']\nidle-timeout = '{idle}'\nworkers = {workers}\n"
        );
        fs::write(&file, text).expect("the file can be written");
    };
    write("5m", 2);
    let config = file.to_str().expect("the path is UTF-8");
    let args = ["--config", config, "--admin", "http://127.0.0.1:0"];
    let server = Launch::new(&args).without_port().start();
    let admin = crate::client::admin_address(&server);
    let shown = get(admin, "/config");
    assert_eq!(shown.header("Content-Type"), Some("application/toml"));
    assert!(shown.body.contains(&format!("idle-timeout = \"5m\" # {config}:2\n")), "{shown:?}");
    write("6m", 3);
    server.signal(Signal::HUP);
    server.wait_for_log("Configuration reloaded");
    let shown = get(admin, "/config").body;
    assert!(shown.contains("idle-timeout = \"6m\""), "{shown}");
    assert!(shown.contains("workers = 2 "), "it takes a restart to change them: {shown}");
}

#[test]
fn the_accept_header_chooses_the_format_of_the_metrics() {
    let (_server, admin) = start(&[]);
    let mut client = AdminClient::connect(admin);
    let mut content_type = |accept: &str| {
        client.send(&format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n"));
        let response = client.response(true);
        response.header("Content-Type").expect("a response has a type").to_owned()
    };
    let prometheus = "text/plain; version=0.0.4; charset=utf-8";
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    // As Prometheus 3 sends it.
    let scrape = "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
        text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n";
    for (accept, expected) in [
        ("", prometheus),
        ("Accept: */*\r\n", prometheus),
        (scrape, open_metrics),
        ("Accept: application/openmetrics-text;q=0.2, text/plain;q=0.8\r\n", prometheus),
        ("Accept: application/openmetrics-text\r\n", open_metrics),
        ("Accept: application/openmetrics-text; version=2.0.0\r\n", prometheus),
        ("Accept: application/json\r\n", prometheus),
    ] {
        assert_eq!(content_type(accept), expected, "{accept}");
    }
}

#[test]
fn requests_that_an_endpoint_does_not_serve_are_refused_by_status() {
    let (_server, admin) = start(&[]);
    let host = "Host: localhost\r\n";
    let long = "a".repeat(9000);
    let headers = "X: y\r\n".repeat(200);
    for (request, status, text) in [
        (
            format!("GET /nothing HTTP/1.1\r\n{host}\r\n"),
            404,
            "unknown path; GET / lists the endpoints",
        ),
        (format!("POST /livez HTTP/1.1\r\n{host}\r\n"), 405, "use GET or HEAD"),
        (format!("OPTIONS * HTTP/1.1\r\n{host}\r\n"), 405, "use GET or HEAD"),
        (format!("GET / HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\nabc"), 413, "no body"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 421, "evil.example"),
        (format!("GET /{long} HTTP/1.1\r\n{host}\r\n"), 414, "longer than 8000"),
        (format!("GET / HTTP/1.1\r\n{host}{headers}\r\n"), 431, "more than 100 headers"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400, "no Host header"),
        ("GET /\n\n".to_owned(), 400, "a line ends without CR"),
        ("\u{16}\u{3}\u{1}\u{0}\u{5}\u{1}".to_owned(), 400, "TLS"),
    ] {
        let mut client = AdminClient::connect(admin);
        client.send(&request);
        let response = client.response(true);
        assert_eq!(response.status, status, "{request:.99}: {response:?}");
        assert!(response.body.contains(text), "{response:?}");
        assert_eq!(response.body.lines().count(), 1, "{response:?}");
        assert_eq!(response.header("Cache-Control"), Some("no-store"));
        assert_eq!(response.header("Allow"), (status == 405).then_some("GET, HEAD"));
    }
}

#[test]
fn names_of_the_server_are_allowed_as_hosts() {
    let server = EchoServer::start(&["--admin", "http://localhost:0?hosts=echo.example"]);
    let admin = crate::client::admin_address(&server);
    for host in ["localhost", "LOCALHOST:1", "[::1]:1", "10.0.0.1", "Echo.Example:80"] {
        let mut client = AdminClient::connect(admin);
        client.send(&format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.response(true).status, 200, "{host}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_and_a_half_closed_client_too() {
    let (_server, admin) = start(&[]);
    let mut client = AdminClient::connect(admin);
    let close = "GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let request = |path| format!("\r\nGET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let close = close.replace("Host: a", "Host: localhost");
    client.send(&(request("/livez") + &request("/nothing") + &request("/readyz") + &close));
    for status in [200, 404, 200, 200] {
        assert_eq!(client.response(true).status, status);
    }
    client.expect_end();
}

#[test]
fn a_server_that_takes_over_with_reuse_port_needs_an_admin_listener_of_its_own() {
    let (old, admin) = start(&["--reuse-port"]);
    let port = old.address().port().to_string();
    let url = format!("http://{admin}");
    let refused = Program::run_server(&["--port", &port, "--reuse-port", "--admin", &url]);
    assert_eq!(refused.code(), 1);
    let line = refused.error_line();
    assert!(
        line.contains(&format!(
            "cannot open the admin listener: cannot listen on {admin}: address already in use"
        )),
        "{line}"
    );
    assert!(line.contains("give each server an --admin of its own"), "{line}");
    let new = Launch::new(&["--reuse-port", "--admin", "http://127.0.0.1:0"])
        .port(old.address().port())
        .start();
    assert_eq!(get(admin_address(&new), "/readyz").status, 200);
    assert_eq!(get(admin, "/readyz").status, 200);
}
