//! Tests of `echo-client ping` over TCP: a line for each round trip, the summary, and the exit status.

use tests::{
    log::pattern,
    net::mock_server,
    programs::{EchoServer, Program},
};

#[test]
fn prints_a_line_for_each_round_trip_and_a_summary() {
    let server = EchoServer::start(&[]);
    let args = ["ping", "--count", "3", "--interval", "1ms", "--size", "64"];
    let ended = Program::client(server.address(), &args).finish();
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{ended:?}");
    let text = ended.stdout_text();
    let round_trip = pattern(r"(?i)^64 bytes .*\d(\.\d+)? ?(ns|us|\u{b5}s|\u{3bc}s|ms|s)$");
    assert_eq!(text.lines().filter(|line| round_trip.is_match(line)).count(), 3, "{text}");
    assert!(pattern("(?i)3 [a-z ]*(sent|transmitted)|sent:? *3").is_match(text), "{text}");
    assert!(pattern("(?i)3 [a-z ]*received|received:? *3").is_match(text), "{text}");
    assert!(pattern("(?i)min.*avg.*max.*stddev").is_match(text), "{text}");
}

#[test]
fn exits_with_0_after_one_round_trip() {
    let server = EchoServer::start(&[]);
    let ended = Program::client(server.address(), &["ping", "--count", "1"]).finish();
    assert_eq!(ended.code(), 0, "{ended:?}");
    drop(server);
}

#[test]
fn completes_round_trips_of_any_size() {
    let server = EchoServer::start_quiet();
    for size in ["1", "65536", "1000000"] {
        let args = ["ping", "--count", "2", "--interval", "1ms", "--size", size];
        let ended = Program::client(server.address(), &args).finish();
        assert_eq!(ended.code(), 0, "{size}: {ended:?}");
    }
}

#[test]
fn exits_with_1_if_the_server_never_replies() {
    let silent =
        mock_server::serve(|mut stream| while !mock_server::receive(&mut stream).is_empty() {});
    let args = ["ping", "--count", "2", "--interval", "1ms", "--timeout", "100ms"];
    let ended = Program::client(silent, &args).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let text = format!("{}{}", ended.stdout_text(), ended.stderr);
    assert!(pattern("(?i)0 [a-z ]*received|received:? *0|time").is_match(&text), "{ended:?}");
}

#[test]
fn exits_with_1_if_it_cannot_connect() {
    let ended = Program::client(mock_server::unused_address(), &["ping", "--count", "1"]).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stderr.contains("Could not connect to server at"), "{ended:?}");
}

/// A wrong reply counts as lost.
#[test]
fn exits_with_1_if_the_server_changes_a_byte() {
    let server = mock_server::serve(|mut stream| {
        loop {
            let mut bytes = mock_server::receive(&mut stream);
            let Some(middle) = bytes.len().checked_sub(1).map(|last| last / 2) else { return };
            bytes[middle] ^= 1;
            if std::io::Write::write_all(&mut stream, &bytes).is_err() {
                return;
            }
        }
    });
    let args = ["ping", "--count", "2", "--interval", "1ms", "--timeout", "1s"];
    let ended = Program::client(server, &args).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
}
