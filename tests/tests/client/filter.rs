//! Tests of the client without a terminal: as a filter, and with `-m`.

use std::{io::Write as _, net::Shutdown, time::Duration};

use socket2::SockRef;
use tests::{
    net::{assert_same_bytes, mock_server},
    payload::Random,
    programs::{EchoServer, Program},
};

/// Returns at least `min_len` bytes of lines: of any length, also empty ones, of any bytes; no line is an exit.
fn random_lines(seed: u64, min_len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut lines = Vec::with_capacity(min_len + 1_000);
    while lines.len() < min_len {
        // One in a thousand is longer than any buffer.
        let len = if random.below(1_000) == 0 { 200_000 } else { random.below(120) };
        let mut line = random.bytes(len);
        line.retain(|&byte| byte != b'\n');
        lines.extend(line);
        lines.push(b'\n');
    }
    lines
}

#[test]
fn the_filter_passes_megabytes_of_lines_unchanged() {
    let server = EchoServer::start_quiet();
    let lines = random_lines(1, 5_000_000);
    let mut client = Program::client(server.address(), &[]);
    client.feed_all(lines.clone());
    let ended = client.finish_with_open_stdin();
    assert_same_bytes(&ended.stdout, &lines);
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
}

#[test]
fn the_filter_passes_input_without_a_final_newline_unchanged() {
    let server = EchoServer::start(&[]);
    for input in [&b"a\nb"[..], b"a\n", b"\n", b"", b"\xff\xfe\r\n\0", b"no line at all"] {
        let mut client = Program::client(server.address(), &[]);
        client.feed_all(input.to_vec());
        let ended = client.finish_with_open_stdin();
        assert_same_bytes(&ended.stdout, input);
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{input:?}");
    }
}

/// Two programs can exchange messages through the client: it does not wait for more input.
#[test]
fn the_filter_prints_the_echo_of_a_line_before_the_input_ends() {
    let server = EchoServer::start(&[]);
    let mut client = Program::client(server.address(), &[]);
    for line in ["one", "two", "three"] {
        client.feed(format!("{line}\n").as_bytes());
        let _ = client.stdout.wait_for_line(&format!("^{line}$"));
    }
    let ended = client.finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "one\ntwo\nthree\n"), "{ended:?}");
}

#[test]
fn sends_each_message_and_prints_its_echo() {
    let server = EchoServer::start(&[]);
    let ended = Program::client(server.address(), &["-m", "a", "-m", "b c"]).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "a\nb c\n"), "{ended:?}");
    assert_eq!(ended.stderr, "");
}

#[test]
fn an_exit_line_ends_the_filter_after_the_goodbye() {
    let server = EchoServer::start(&[]);
    let mut client = Program::client(server.address(), &[]);
    client.feed(b"hello\nexit\n");
    let ended = client.finish_with_open_stdin();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\nGoodbye!\n"), "{ended:?}");
}

/// A server by RFC 862 has no exit command.
#[test]
fn works_with_a_server_by_rfc_862() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    let ended = Program::client(server.address(), &["-m", "hello"]).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    let lines = random_lines(862, 500_000);
    let mut client = Program::client(server.address(), &[]);
    client.feed_all(lines.clone());
    let ended = client.finish_with_open_stdin();
    assert_same_bytes(&ended.stdout, &lines);
    assert_eq!(ended.code(), 0, "{ended:?}");
}

/// The server does not necessarily listen on the first address of the name.
#[test]
fn connects_to_a_host_name() {
    let server = EchoServer::start(&["--host", "localhost"]);
    let port = server.address().port().to_string();
    let args = ["--host", "localhost", "--port", &port, "-m", "hello"];
    let ended = Program::start(tests::programs::binaries::echo_client(), &args).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
}

#[test]
fn exits_with_1_and_the_original_message_if_it_cannot_connect() {
    let closed = mock_server::unused_address();
    for args in [&[][..], &["-m", "hello"]] {
        let ended = Program::client(closed, args).finish();
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert_eq!(ended.stdout_text(), "", "standard output contains only echoes");
        assert!(
            ended.stderr.contains(&format!("Could not connect to server at {closed}")),
            "{ended:?}"
        );
        assert!(!ended.stderr.contains("Os {"), "{ended:?}");
    }
}

#[test]
fn exits_with_1_if_the_host_is_unknown() {
    let args = ["--host", "no-such-host.invalid", "-m", "hello"];
    let ended = Program::start(tests::programs::binaries::echo_client(), &args).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stderr.contains("no-such-host.invalid"), "{ended:?}");
    assert!(!ended.stderr.contains("Os {") && !ended.stderr.contains("Custom {"), "{ended:?}");
}

#[test]
fn detects_a_server_that_changes_a_byte() {
    let server = mock_server::serve(|mut stream| {
        loop {
            let mut bytes = mock_server::receive(&mut stream);
            let Some(last) = bytes.len().checked_sub(2) else { return };
            bytes[last] ^= 1;
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    let mut filter = Program::client(server, &[]);
    filter.feed_all(b"hello\n".to_vec());
    for ended in
        [filter.finish_with_open_stdin(), Program::client(server, &["-m", "hello"]).finish()]
    {
        assert_eq!(ended.code(), 1, "{ended:?}");
        let _ = ended.error_line();
    }
}

#[test]
fn detects_a_server_that_closes_during_a_reply() {
    let server = mock_server::serve(|mut stream| {
        let bytes = mock_server::receive(&mut stream);
        let _ = stream.write_all(&bytes[..bytes.len() / 2]);
        let _ = stream.shutdown(Shutdown::Write);
        while !mock_server::receive(&mut stream).is_empty() {}
    });
    let mut filter = Program::client(server, &[]);
    filter.feed_all(b"hello\nand more\n".to_vec());
    for ended in
        [filter.finish_with_open_stdin(), Program::client(server, &["-m", "hello"]).finish()]
    {
        assert_eq!(ended.code(), 1, "{ended:?}");
        let _ = ended.error_line();
    }
}

#[test]
fn detects_a_server_that_resets_during_a_reply() {
    let server = mock_server::serve(|mut stream| {
        let bytes = mock_server::receive(&mut stream);
        let _ = stream.write_all(&bytes[..bytes.len() / 2]);
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    });
    let mut filter = Program::client(server, &[]);
    filter.feed_all(b"hello\nand more\n".to_vec());
    for ended in
        [filter.finish_with_open_stdin(), Program::client(server, &["-m", "hello"]).finish()]
    {
        assert_eq!(ended.code(), 1, "{ended:?}");
        // A write reports the reset as a closed connection.
        assert!(tests::log::pattern("reset|closed").is_match(ended.error_line()), "{ended:?}");
    }
}

/// The filter does not wait for more of its open input after it has lost the server.
#[test]
fn the_filter_ends_with_the_server_while_its_input_is_open() {
    let server = EchoServer::start(&[]);
    let mut client = Program::client(server.address(), &[]);
    client.feed(b"hello\n");
    let _ = client.stdout.wait_for_line("^hello$");
    drop(server);
    let ended = client.finish_with_open_stdin();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let _ = ended.error_line();
}

#[test]
fn gives_up_a_server_that_never_replies_at_the_timeout() {
    let silent =
        mock_server::serve(|mut stream| while !mock_server::receive(&mut stream).is_empty() {});
    let ended = Program::client(silent, &["-m", "hello", "--timeout", "1s"]).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.error_line().contains("1s"), "the message does not name the limit: {ended:?}");
}

/// The reader of the output can close it (`echo-client | head -1`); `println!` panics on a broken pipe.
#[test]
fn a_closed_output_causes_no_panic() {
    let server = EchoServer::start_quiet();
    let mut client = Program::client(server.address(), &[]);
    client.stdout.close_at_next_bytes();
    client.feed_all(random_lines(3, 1_000_000));
    let stdout = client.stdout.clone();
    let stderr = client.stderr.clone();
    let _ = stdout.read_to_end();
    let errors = String::from_utf8(stderr.read_to_end()).unwrap();
    assert!(!errors.contains("panicked"), "{errors}");
}
