//! Tests of the client against servers that are wrong behind TLS, or whose TLS is wrong: it names each fault as it does
//! without TLS.

use tests::{
    net::{Fault, FaultServer, TestCa, TlsFront, TlsFrontFault, TlsServer, TlsServerConfig},
    programs::{Finished, Program, Report},
};

/// Arguments of a load of 6 connections in 2 processes.
const RUN: &str = "--processes 2 --connections 3 --messages 200 --size 64 --pipeline 8";
/// Number of messages on the 5 connections that a fault does not affect.
const OF_OTHERS: u64 = 1_000;

/// A CA, and a front with a certificate of it.
struct Front {
    ca: TestCa,
    front: TlsFront,
}

impl Front {
    fn start(server: &FaultServer, fault: TlsFrontFault) -> Self {
        let ca = TestCa::new();
        let front = TlsFront::start(&ca.localhost(), server.address(), fault);
        Self { ca, front }
    }

    /// Starts a front with a fault, and an echo server without a fault behind it.
    fn with(fault: TlsFrontFault) -> Self {
        Self::start(&FaultServer::on_all_connections(Fault::None), fault)
    }

    fn run(&self, args: &[&str]) -> Finished {
        let url = self.front.url();
        Program::run_client(&[&[&url, "--tls-ca", self.ca.file()], args].concat())
    }

    fn load(&self, args: &str) -> Report {
        Report::at_url(&self.front.url(), &format!("--tls-ca {} {args}", self.ca.file()))
    }
}

#[test]
fn a_message_with_a_fault_has_the_same_error_with_and_without_tls() {
    for (fault, error) in [
        (Fault::FlipBit(1), "Wrong echo at byte 2: expected 'ello\\n', received 'dllo\\n'"),
        (Fault::DropByte(1), "Wrong echo at byte 2: expected 'ello\\n', received 'llo\\n'"),
        (Fault::RepeatMessage(0), "The server sent unexpected data: 'hello\\n'"),
        (Fault::DropMessage(0), "No reply from the server within 2s"),
        (Fault::CloseAfter(3), "The server closed the connection with 3 bytes of the echo missing"),
        (Fault::ResetAfter(0), "The connection to the server was lost: connection reset by peer"),
    ] {
        let server = FaultServer::on_all_connections(fault);
        let args = ["-m", "hello", "--timeout", "2s"];
        let plain =
            Program::run_client(&[&[&server.address().to_string()[..]], &args[..]].concat());
        let tls = Front::start(&server, TlsFrontFault::None).run(&args);
        for ended in [&plain, &tls] {
            assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{fault:?}: {ended:?}");
            let first = ended.stderr.lines().next().unwrap_or_default();
            assert_eq!(first, format!("Error: {error}"), "{fault:?}: {ended:?}");
        }
    }
}

#[test]
fn a_load_explains_a_fault_behind_tls_as_it_does_without_it() {
    for (fault, correct, kind) in [
        (Fault::FlipBit(700), 10, "offset 700.*damaged"),
        (Fault::DropByte(700), 10, "offset 70\\d.*missing"),
        (Fault::DropMessage(10), 10, "offset 64\\d.*missing"),
        (Fault::RepeatMessage(10), 11, "offset 70\\d.*again"),
        (Fault::SwapMessages(10), 10, "offset 64\\d.*after the ones"),
        (Fault::ReplaceMessage(10), 10, "offset 64\\d.*bytes of connection \\d"),
    ] {
        let server = FaultServer::on_first_connection(fault);
        let report = Front::start(&server, TlsFrontFault::None).load(RUN);
        report.expect_failure();
        assert_eq!(report.messages(), OF_OTHERS + correct, "{report:?}");
        assert!(report.prints(&format!("Wrong bytes: connection \\d, {kind}")), "{report:?}");
        assert_eq!(report.json("/errors/wrong-bytes"), 1, "{report:?}");
    }
}

#[test]
fn a_load_behind_tls_counts_each_end_of_a_connection_by_its_kind() {
    for (fault, args, kind) in [
        (Fault::CloseAfter(700), RUN, "closed"),
        (Fault::ResetAfter(700), RUN, "reset"),
        (Fault::SilentAfter(700), &format!("{RUN} --timeout 2s"), "timeout"),
    ] {
        let server = FaultServer::on_first_connection(fault);
        let report = Front::start(&server, TlsFrontFault::None).load(args);
        report.expect_failure();
        assert!(report.messages() >= OF_OTHERS, "{report:?}");
        assert_eq!(report.json(&format!("/errors/{kind}")), 1, "{report:?}");
        assert_eq!(report.json("/tls/truncated"), 0, "{report:?}");
    }
}

#[test]
fn a_fault_of_tls_is_named_after_the_bytes_before_it() {
    let cut = "it ended the connection without a TLS close_notify";
    for (fault, error, kind) in [
        (TlsFrontFault::Truncates, cut, "truncated"),
        (TlsFrontFault::CutsRecord, cut, "truncated"),
        (TlsFrontFault::ResetsInRecord, "connection reset by peer", "reset"),
        (TlsFrontFault::DamagesRecord, "it broke the TLS protocol: a record was damaged", "tls"),
    ] {
        let front = Front::with(fault);
        let ended = front.run(&["-m", "hello", "-m", "again"]);
        assert_eq!(ended.code(), 1, "{fault:?}: {ended:?}");
        let error = format!("Error: The connection to the server was lost: {error}");
        assert!(ended.stderr.starts_with(&error), "{fault:?}: {ended:?}");
        let output = if fault == TlsFrontFault::Truncates { "hello\n" } else { "" };
        assert_eq!(ended.stdout_text(), output, "{fault:?}");

        let report = front.load("--connections 2 --messages 10");
        report.expect_failure();
        assert_eq!(report.json(&format!("/errors/{kind}")), 2, "{fault:?}: {report:?}");
        let reason = report.json("/reason").as_str().unwrap_or_default();
        let has_words = reason.ends_with("; TLS: it broke the TLS protocol: a record was damaged");
        assert_eq!(has_words, kind == "tls", "{report:?}");
    }
}

/// The first connection is that before the start, whose error is shown in words.
#[test]
fn a_handshake_that_fails_after_the_first_has_a_reason_in_words() {
    for (fault, reason) in [
        (TlsFrontFault::StallsInHandshake as fn(usize) -> _, "no TLS handshake within 2s"),
        (TlsFrontFault::ClosesInHandshake, "it closed the connection during the TLS handshake"),
    ] {
        for first in [0, 1] {
            let run = "--connections 2 --messages 4 --timeout 2s";
            let report = Front::with(fault(first)).load(run);
            assert_eq!((report.code(), report.ended.stdout_text()), (1, ""), "{report:?}");
            let error = format!("({reason})\nMake sure that the server speaks TLS on this port.");
            assert!(report.ended.stderr.contains(&error), "{report:?}");
        }

        // In the load, a connection is replaced by the fourth.
        let run = "--connections 2 --messages 4 --churn 2 --timeout 2s";
        let report = Front::with(fault(3)).load(run);
        report.expect_failure();
        assert_eq!((report.messages(), report.json("/errors/tls")), (4, &2.into()), "{report:?}");
        assert!(report.prints(&format!("; TLS: {reason}\\. Make sure")), "{report:?}");
    }
}

/// In TLS 1.3 the client has completed its handshake when the server misses a certificate.
#[test]
fn a_load_without_the_certificate_that_the_server_requires_says_so() {
    let ca = TestCa::new();
    let certificate = ca.localhost();
    for is_old in [false, true] {
        let config =
            TlsServerConfig { client_ca: Some(&ca), is_old, ..TlsServerConfig::new(&certificate) };
        let url = TlsServer::start(&config).url();
        let ended = Program::run_client(&[
            "load",
            &url,
            "--tls-ca",
            ca.file(),
            "--messages",
            "1",
            "--quiet",
        ]);
        assert_eq!(ended.code(), 1, "{ended:?}");
        let text = format!("{}{}", ended.stdout_text(), ended.stderr);
        assert!(text.contains("it requires a client certificate"), "{ended:?}");
        assert!(text.contains("Use --tls-cert FILE and --tls-key FILE."), "{ended:?}");
        let ended = Program::run_client(&["ping", &url, "--tls-ca", ca.file(), "--count", "1"]);
        assert!(ended.stderr.ends_with("Use --tls-cert FILE and --tls-key FILE.\n"), "{ended:?}");
    }
}
