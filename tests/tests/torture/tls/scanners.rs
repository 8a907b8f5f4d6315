//! Programs that look for weaknesses.

use std::{fs, process::Command};

use serde_json::Value;
use tests::{
    programs::{Finished, Program, TlsEchoServer},
    requirements::{python_module, skip_without, testssl},
    system::process::Handle,
};

/// Runs a program that may take longer than one deadline.
fn run(command: Command) -> Finished {
    let program = Program::spawn(command);
    let running = Handle::open(program.pid()).expect("the process has not been reaped");
    assert!((0..20).any(|_| running.has_ended()), "it still runs: {program:?}");
    program.finish()
}

#[test]
#[ignore = "make torture"]
fn testssl_has_no_finding_above_low() {
    if skip_without(&[testssl()]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--log-messages", "off"]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("findings.json");
    let mut command = Command::new("testssl");
    // Versions, suites, forward secrecy, preferences, defaults and vulnerabilities; no simulation of clients.
    command.args(["-p", "-s", "-f", "-P", "-S", "-U"]);
    command.args(["--warnings", "batch", "--color", "0", "--jsonfile"]).arg(&file);
    command.arg(format!("localhost:{}", server.port()));
    command.env("ADDITIONAL_CA_FILES", server.ca.file());
    let finished = run(command);
    let findings = fs::read(&file).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    let findings: Vec<Value> = serde_json::from_slice(&findings).expect("findings are JSON");
    assert!(findings.len() > 50, "{finished:?}");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    for finding in findings {
        let (id, severity) = (text(&finding, "id"), text(&finding, "severity"));
        let is_above_low = ["MEDIUM", "HIGH", "CRITICAL"].contains(&severity.as_str());
        // The certificate is that of the test: it is valid for centuries, and of a CA that nobody knows.
        assert!(!is_above_low || id.starts_with("cert_"), "{finding}");
    }
}

#[test]
#[ignore = "make torture"]
fn sslyze_has_no_finding() {
    if skip_without(&[python_module("sslyze", "sslyze")]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--log-messages", "off"]);
    let mut command = Command::new("python3");
    command.args(["-W", "ignore", "-m", "sslyze", "--mozilla_config=intermediate"]);
    command.arg(format!("--certinfo_ca_file={}", server.ca.file()));
    command.arg(format!("localhost:{}", server.port()));
    let finished = run(command);
    let report = finished.stdout_text();
    for expected in [
        "Not vulnerable to Heartbleed",
        "Not vulnerable to OpenSSL CCS injection",
        "Client Renegotiation DoS Attack:   OK",
        "TLS_FALLBACK_SCSV:                 OK",
    ] {
        assert!(report.contains(expected), "{expected}: {finished:?}");
    }
    let accepted = report.matches("the server rejected all cipher suites").count();
    assert_eq!(accepted, 4, "SSL 2.0 to TLS 1.1: {finished:?}");
    assert!(!report.contains("VULNERABLE"), "{finished:?}");
}

/// The script says for each case what the server must answer.
#[test]
#[ignore = "make torture"]
fn what_tls_forbids_is_answered_with_an_alert() {
    if skip_without(&[python_module("tlslite", "tlslite-ng")]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--log-messages", "off", "--idle-timeout", "1s"]);
    let mut command = Command::new("python3");
    command.args(["-W", "ignore", "-c", include_str!("attacks.py"), &server.port().to_string()]);
    let finished = run(command);
    assert_eq!(finished.code(), 0, "{finished:?}");
    let log = server.log().text();
    assert!(log.contains("WARNING - TLS with 127.0.0.1:") && !log.contains("ERROR"), "{log}");
    assert!(!log.contains('\x1b'), "no control character reaches the log");
    // It still serves others.
    let client = Program::run_client(&[&server.url(), "--tls-ca", server.ca.file(), "-m", "hello"]);
    assert_eq!(client.code(), 0, "{client:?}");
}
