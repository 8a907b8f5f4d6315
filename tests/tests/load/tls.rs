//! Tests of `echo-client load` over TLS: the checks are those of a plain load, and handshakes are measured.

use tests::{
    net::{TestCa, TlsFault, TlsServer, TlsServerConfig},
    programs::{Program, Report},
};

/// Runs a load against a server with this fault.
fn load(fault: TlsFault, is_old: bool, args: &str) -> Report {
    let ca = TestCa::new();
    let certificate = ca.localhost();
    let config = TlsServerConfig { fault, is_old, ..TlsServerConfig::new(&certificate) };
    let server = TlsServer::start(&config);
    Report::at_url(&server.url(), &format!("--tls-ca {} {args}", ca.file()))
}

#[test]
fn every_byte_of_a_load_over_tls_is_checked() {
    for (is_old, args) in [
        (false, "--processes 2 --connections 3 --messages 50 --size 1-300 --pipeline 4"),
        (true, "--connections 3 --messages 50"),
        // A message has several records, and exceeds the buffers of the sockets.
        (false, "--connections 2 --messages 2 --size 1000000 --pipeline 2"),
        (false, "--connections 3 --messages 20 --rate 2000"),
    ] {
        let report = load(TlsFault::None, is_old, args);
        report.expect_success();
        assert_eq!(report.json("/bytes_sent"), report.json("/bytes_checked"), "{report:?}");
        assert_eq!(report.json("/tls/handshake/count"), report.json("/connects"), "{report:?}");
        assert_eq!(report.json("/tls/truncated"), 0, "{report:?}");
    }
}

#[test]
fn a_new_connection_resumes_unless_it_must_not() {
    let run = "--connections 2 --messages 40 --churn 4 --assert handshake.max<60m";
    for (is_old, switch, resumed) in
        [(false, "", 18), (true, "", 18), (false, "--tls-resume off", 0)]
    {
        let report = load(TlsFault::None, is_old, &format!("{run} {switch}"));
        report.expect_success();
        assert_eq!(report.json("/tls/handshake/count"), 20, "{report:?}");
        assert_eq!(report.json("/tls/resumed"), resumed, "{report:?}");
        assert!(report.prints(&format!("TLS handshakes +20, {resumed} resumed")), "{report:?}");
        assert!(report.prints("Assertion handshake.max<60m holds"), "{report:?}");
    }
}

#[test]
fn the_cpu_time_that_tls_takes_is_in_the_report() {
    let run = "--connections 2 --messages 200 --churn 1 --tls-resume off";
    let report = load(TlsFault::None, false, run);
    report.expect_success();
    let [tls, all] = ["tls_seconds", "seconds"]
        .map(|name| report.json(&format!("/client_cpu/{name}")).as_f64().unwrap_or_default());
    assert!(0.0 < tls && tls < all, "{report:?}");
    assert!(report.prints("client CPU .* of it for TLS;"), "{report:?}");
}

#[test]
fn wrong_bytes_are_explained_behind_tls() {
    let report = load(TlsFault::Lies, false, "--connections 1 --messages 10 --size 64");
    report.expect_failure();
    assert!(report.prints("Wrong bytes: .*offset 0.*damaged"), "{report:?}");
}

#[test]
fn an_end_without_a_close_notify_is_counted_and_loses_what_is_in_flight() {
    let report = load(TlsFault::Truncates, false, "--connections 3 --messages 10 --size 64");
    report.expect_failure();
    let [truncated, errors] =
        ["/tls/truncated", "/errors/truncated"].map(|path| report.json(path).as_u64());
    assert_eq!((truncated, errors), (Some(3), Some(3)), "{report:?}");
}

#[test]
fn a_certificate_is_refused_in_words_before_the_load() {
    let ca = TestCa::new();
    let server = TlsServer::with(&ca.localhost());
    let other = TestCa::named("Other CA");
    let args = ["load", &server.url(), "--tls-ca", other.file(), "--messages", "1"];
    let ended = Program::run_client(&args);
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("unknown issuer: CN=Test CA"), "{ended:?}");
}
