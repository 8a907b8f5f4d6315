//! Thousands of connections over TLS, and changes of the server beside them.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use tests::{
    net::Peer,
    programs::{Load, Program, Report, TlsEchoServer},
    system::process::raise_descriptor_limit,
};

/// The first bytes of a hello that announces 200 bytes.
const BEGUN_HELLO: [u8; 9] = [22, 3, 1, 0, 204, 1, 0, 0, 200];

#[test]
#[ignore = "make torture"]
fn five_thousand_connections_over_tls_lose_nothing() {
    raise_descriptor_limit();
    let server = TlsEchoServer::start("", &["--log-messages", "off", "--max-handshakes", "10000"]);
    let args = format!(
        "--tls-ca {} --processes 2 --connections 2500 --messages 10 --size 1-500 --timeout 60s",
        server.ca.file()
    );
    let report = Report::at_url(&server.url(), &args);
    report.expect_success();
    assert_eq!(report.messages(), 50_000);
    assert_eq!(report.json("/tls/handshake/count"), 5_000, "{report:?}");
    let log = server.log().text();
    assert!(!log.contains("WARNING") && !log.contains("ERROR"), "{log}");
}

/// Thousands of clients that send a byte of their hello each second. Others connect and exchange messages meanwhile.
#[test]
#[ignore = "make torture"]
fn thousands_of_slow_handshakes_do_not_affect_others() {
    raise_descriptor_limit();
    let args = ["--log-messages", "off", "--max-handshakes", "10000", "--handshake-timeout", "20s"];
    let server = TlsEchoServer::start("", &args);
    let address = server.host_port().parse().expect("it is an address");
    let mut slow: Vec<Peer> = (0..4_000).map(|_| Peer::connect(address)).collect();
    let mut silent = Peer::connect(address);
    let is_finished = AtomicBool::new(false);
    let (url, ca) = (server.url(), server.ca.file());
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut loads = 0;
            while !is_finished.load(SeqCst) {
                let args = format!("--tls-ca {ca} --connections 5 --messages 200 --churn 20");
                Report::at_url(&url, &args).expect_success();
                loads += 1;
            }
            loads
        });
        for byte in BEGUN_HELLO {
            for peer in &mut slow {
                peer.send(&[byte]);
            }
            silent.expect_silence_for(Duration::from_secs(1));
        }
        is_finished.store(true, SeqCst);
        assert!(others.join().expect("each load succeeds") > 0);
    });
    drop(slow);
    server
        .wait_for_log("WARNING - The TLS handshake with .* failed: it disconnected before the end");
    let log = server.log().text();
    let warnings = log.lines().filter(|line| line.contains("WARNING")).count();
    assert!(warnings < 400, "{warnings} warnings for 4,000 failed handshakes");
}

/// Each reload brings another certificate, which the next connection must get.
#[test]
#[ignore = "make torture"]
fn certificates_are_replaced_under_load() {
    let server = TlsEchoServer::start("", &["--log-messages", "off"]);
    let args = format!("--tls-ca {} --connections 10 --duration 10m --churn 50", server.ca.file());
    let load = Load::at_url(&server.url(), &args);
    server.wait_for_log("New client connected");
    for round in 1..=30 {
        let renewed = server.ca.localhost();
        fs::copy(&renewed.certificate_file, &server.certificate.certificate_file)
            .and_then(|_| fs::copy(&renewed.key_file, &server.certificate.key_file))
            .expect("the files are our own");
        server.signal(Signal::HUP);
        let _ = server.log().wait_for_lines("Configuration reloaded$", round);
        let (url, pin) = (server.url(), renewed.fingerprint());
        let client = Program::run_client(&[&url, "--tls-pin", &pin, "-m", "hello"]);
        assert_eq!(client.code(), 0, "reload {round}: {client:?}");
    }
    load.program.signal(Signal::INT);
    let report = load.finish();
    report.expect_success();
    assert_eq!(report.json("/errors"), &serde_json::json!({}), "{report:?}");
    assert_eq!(report.json("/tls/truncated"), 0, "{report:?}");
}

/// The new server starts before the old one drains. Every byte is accounted for.
#[test]
#[ignore = "make torture"]
fn restarts_under_load_over_tls_lose_nothing() {
    let first = TlsEchoServer::start("", &["--reuse-port"]);
    let args = format!(
        "--tls-ca {} --processes 2 --connections 5 --duration 10m --size 64 --pipeline 4 --expect-restart",
        first.ca.file()
    );
    let load = Load::at_url(&first.url(), &args);
    first.wait_for_log("Echoed to");
    let mut old = first.start_again(&["--reuse-port"]);
    first.signal(Signal::TERM);
    first.wait_for_log("Server shutdown complete");
    for _ in 0..4 {
        let _ = old.log().wait_for_lines("New client connected", 10);
        let new = first.start_again(&["--reuse-port"]);
        assert_eq!(old.terminate().0.code(), Some(0));
        old = new;
    }
    let _ = old.log().wait_for_lines("New client connected", 10);
    load.program.signal(Signal::INT);
    let report = load.finish();
    report.expect_success();
    assert!(report.json("/drains").as_u64() >= Some(50), "{report:?}");
    assert_eq!(report.json("/bytes_lost"), 0, "{report:?}");
    assert_eq!(report.json("/tls/truncated"), 0, "{report:?}");
}
