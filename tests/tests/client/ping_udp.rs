//! Tests of `echo-client ping` over UDP: a late, duplicate, wrong or stray datagram does not count as an echo.

use tests::{log::pattern, net::mock_server, programs::Program};

#[test]
fn completes_round_trips_of_any_size() {
    let server = mock_server::serve_datagrams(|datagram| vec![datagram.to_vec()]);
    let url = format!("udp://{server}");
    for args in [
        &["ping", "--udp", "--count", "2", "--interval", "1ms"][..],
        &["ping", "--udp", "--count", "2", "--interval", "1ms", "--size", "65507"],
        &["ping", "--udp", "--count", "1", "--size", "16"],
    ] {
        let ended = Program::client(server, args).finish();
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{ended:?}");
    }
    let ended = Program::run_client(&["ping", &url, "--count", "1"]);
    let first = format!("64 bytes from {server}: seq=1 time=");
    assert!(ended.stdout_text().starts_with(&first), "{ended:?}");
    assert!(ended.stdout_text().contains("1 sent, 1 received, 0% lost, time "), "{ended:?}");
}

#[test]
fn counts_late_duplicate_wrong_and_stray_datagrams_separately() {
    let (mut number, mut held) = (0, Vec::new());
    let server = mock_server::serve_datagrams(move |datagram| {
        number += 1;
        let mut wrong = datagram.to_vec();
        wrong[40] ^= 1;
        match number {
            1 => vec![datagram.to_vec(), datagram.to_vec()],
            2 => {
                held = datagram.to_vec();
                vec![]
            }
            3 => vec![std::mem::take(&mut held), wrong],
            _ => vec![b"who?".to_vec(), datagram.to_vec()],
        }
    });
    let args = ["ping", "--udp", "--count", "4", "--interval", "1ms", "--timeout", "2s"];
    let ended = Program::client(server, &args).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let expected = [
        r"64 bytes from S: seq=1 time=[0-9.]+ ms",
        r"64 bytes from S: seq=1 \(duplicate\)",
        r"No echo from S: seq=2 \(no reply from the server within 2s\)",
        r"64 bytes from S: seq=2 time=[0-9.]+ ms \(late\)",
        r"No echo from S: seq=3 \(wrong echo at byte 41: expected 'yz.*', received 'xz.*'\)",
        r"4 bytes from S: not of this run",
        r"64 bytes from S: seq=4 time=[0-9.]+ ms",
        r"",
        r"4 sent, 2 received, 50% lost, 1 late, 1 duplicate, 1 wrong, 1 stray, time \d+ ms",
        r"min/avg/max/stddev = .* ms",
    ];
    let text = ended.stdout_text().replace(&server.to_string(), "S");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(
            pattern(&format!("^{expected}$")).is_match(line),
            "{line:?} does not match {expected:?}"
        );
    }
}

#[test]
fn reports_a_port_without_a_listener_immediately() {
    let closed = mock_server::unused_udp_address();
    let args = ["ping", "--udp", "--count", "2", "--interval", "1ms", "--timeout", "5m"];
    let ended = Program::client(closed, &args).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let text = ended.stdout_text();
    let line = format!("No echo from {closed}: seq=2 (port unreachable: no process listens on it)");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("2 sent, 0 received, 100% lost, time "), "{text}");
}

#[test]
fn refuses_what_udp_does_not_support() {
    for (args, named) in [
        (&["udp://127.0.0.1:7"][..], "'ping' and 'load'"),
        (&["udp://127.0.0.1:7", "-m", "x"], "'ping' and 'load'"),
        (&["ping", "--udp", "--size", "65508"], "16 to 65507"),
        (&["ping", "--udp", "unix:///run/echo.sock"], "'unix:///run/echo.sock'"),
    ] {
        let ended = Program::run_client(args);
        assert_eq!((ended.code(), ended.stdout_text()), (2, ""), "{args:?}: {ended:?}");
        assert!(ended.error_line().contains(named), "{args:?}: {ended:?}");
    }
}
