//! The client without a terminal: a plain filter, and a sender of single messages.

use std::{io::Write as _, net::Shutdown, time::Duration};

use socket2::SockRef;
use tests::{payload::Random, peer::assert_same, program::Program, server::EchoServer, standin};

/// Lines of every length, empty ones too, of any bytes; none of them is an exit.
fn random_lines(seed: u64, about: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut lines = Vec::with_capacity(about + 1_000);
    while lines.len() < about {
        // Mostly short ones; now and then one that is longer than any buffer.
        let len = if random.below(1_000) == 0 { 200_000 } else { random.below(120) };
        let mut line = random.bytes(len);
        line.retain(|&byte| byte != b'\n');
        lines.extend(line);
        lines.push(b'\n');
    }
    lines
}

#[test]
fn megabytes_of_lines_come_through_unchanged() {
    let server = EchoServer::start(&["--log-messages", "off"]);
    let lines = random_lines(1, 5_000_000);
    let mut client = Program::client(server.address(), &[]);
    client.feed_all(lines.clone());
    let ended = client.finish_unprompted();
    assert_same(&ended.stdout, &lines);
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
}

/// No newline at the end of the stream -> nothing lost, nothing invented.
#[test]
fn input_without_a_last_newline_comes_through_unchanged() {
    let server = EchoServer::start(&[]);
    for input in [&b"a\nb"[..], b"a\n", b"\n", b"", b"\xff\xfe\r\n\0", b"no line at all"] {
        let mut client = Program::client(server.address(), &[]);
        client.feed_all(input.to_vec());
        let ended = client.finish_unprompted();
        assert_same(&ended.stdout, input);
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{input:?}");
    }
}

/// Two programs that talk through the client in turns: a line's echo does not wait for more input.
#[test]
fn the_echo_of_a_line_comes_before_the_input_ends() {
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
fn each_m_is_sent_and_its_echo_printed() {
    let server = EchoServer::start(&[]);
    let ended = Program::client(server.address(), &["-m", "a", "-m", "b c"]).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "a\nb c\n"), "{ended:?}");
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_line_that_reads_exit_ends_it_with_the_goodbye() {
    let server = EchoServer::start(&[]);
    let mut client = Program::client(server.address(), &[]);
    client.feed(b"hello\nexit\n");
    let ended = client.finish_unprompted();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\nGoodbye!\n"), "{ended:?}");
}

/// It speaks to any echo server: one by RFC 862 knows no exit.
#[test]
fn it_works_against_a_server_by_rfc_862() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    let ended = Program::client(server.address(), &["-m", "hello"]).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    let lines = random_lines(862, 500_000);
    let mut client = Program::client(server.address(), &[]);
    client.feed_all(lines.clone());
    let ended = client.finish_unprompted();
    assert_same(&ended.stdout, &lines);
    assert_eq!(ended.code(), 0, "{ended:?}");
}

/// A name can have several addresses, and the server need not listen on the first.
#[test]
fn a_host_can_be_a_name() {
    let server = EchoServer::start(&["--host", "localhost"]);
    let port = server.address().port().to_string();
    let args = ["--host", "localhost", "--port", &port, "-m", "hello"];
    let ended = Program::start(tests::binaries::echo_client(), &args).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
}

#[test]
fn no_server_is_status_1_and_the_originals_words() {
    let nobody = standin::nobody();
    for args in [&[][..], &["-m", "hello"]] {
        let ended = Program::client(nobody, args).finish();
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert_eq!(ended.stdout_text(), "", "what is not an echo is not in the output");
        assert!(
            ended.stderr.contains(&format!("Could not connect to server at {nobody}")),
            "{ended:?}"
        );
        assert!(!ended.stderr.contains("Os {"), "{ended:?}");
    }
}

#[test]
fn an_unknown_host_is_status_1() {
    let args = ["--host", "no-such-host.invalid", "-m", "hello"];
    let ended = Program::start(tests::binaries::echo_client(), &args).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stderr.contains("no-such-host.invalid"), "{ended:?}");
    assert!(!ended.stderr.contains("Os {") && !ended.stderr.contains("Custom {"), "{ended:?}");
}

#[test]
fn a_server_that_flips_a_byte_is_found_out() {
    let flips = standin::serve(|mut stream| {
        loop {
            let mut bytes = standin::receive(&mut stream);
            let Some(last) = bytes.len().checked_sub(2) else { return };
            bytes[last] ^= 1;
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    let mut filter = Program::client(flips, &[]);
    filter.feed_all(b"hello\n".to_vec());
    for ended in [filter.finish_unprompted(), Program::client(flips, &["-m", "hello"]).finish()] {
        assert_eq!(ended.code(), 1, "{ended:?}");
        let _ = ended.error_line();
    }
}

/// Client: end of stream in mid-reply -> a clear line, status 1.
#[test]
fn a_server_that_closes_in_mid_reply_is_found_out() {
    let closes = standin::serve(|mut stream| {
        let bytes = standin::receive(&mut stream);
        let _ = stream.write_all(&bytes[..bytes.len() / 2]);
        let _ = stream.shutdown(Shutdown::Write);
        while !standin::receive(&mut stream).is_empty() {}
    });
    let mut filter = Program::client(closes, &[]);
    filter.feed_all(b"hello\nand more\n".to_vec());
    for ended in [filter.finish_unprompted(), Program::client(closes, &["-m", "hello"]).finish()] {
        assert_eq!(ended.code(), 1, "{ended:?}");
        let _ = ended.error_line();
    }
}

/// Client: reset in mid-reply -> a clear line, status 1.
#[test]
fn a_server_that_resets_in_mid_reply_is_found_out() {
    let resets = standin::serve(|mut stream| {
        let bytes = standin::receive(&mut stream);
        let _ = stream.write_all(&bytes[..bytes.len() / 2]);
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    });
    let mut filter = Program::client(resets, &[]);
    filter.feed_all(b"hello\nand more\n".to_vec());
    for ended in [filter.finish_unprompted(), Program::client(resets, &["-m", "hello"]).finish()] {
        assert_eq!(ended.code(), 1, "{ended:?}");
        // Which of the two it finds depends on what it was doing.
        assert!(tests::log::pattern("reset|closed").is_match(ended.error_line()), "{ended:?}");
    }
}

/// kill -9 -> clients see the loss and say so. A filter whose input is still open does not wait for
/// more of it.
#[test]
fn a_server_that_goes_ends_the_filter_although_its_input_is_open() {
    let server = EchoServer::start(&[]);
    let mut client = Program::client(server.address(), &[]);
    client.feed(b"hello\n");
    let _ = client.stdout.wait_for_line("^hello$");
    drop(server);
    let ended = client.finish_unprompted();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let _ = ended.error_line();
}

/// Client: timeout -> a clear line, status 1.
#[test]
fn a_server_that_never_answers_is_given_up_at_the_timeout() {
    let silent = standin::serve(|mut stream| while !standin::receive(&mut stream).is_empty() {});
    let ended = Program::client(silent, &["-m", "hello", "--timeout", "100ms"]).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.error_line().contains("100ms"), "which limit it was: {ended:?}");
}

/// `println!` panics on a broken pipe: whoever reads the output may stop (`echo-client | head -1`).
#[test]
fn an_output_that_nobody_reads_any_more_is_no_panic() {
    let server = EchoServer::start(&["--log-messages", "off"]);
    let mut client = Program::client(server.address(), &[]);
    client.stdout.close_at_next_bytes();
    client.feed_all(random_lines(3, 1_000_000));
    let stdout = client.stdout.clone();
    let stderr = client.stderr.clone();
    let _ = stdout.to_end();
    let said = String::from_utf8(stderr.to_end()).unwrap();
    assert!(!said.contains("panicked"), "{said}");
}
