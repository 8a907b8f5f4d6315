//! Tests of the `text` protocol: the server echoes every byte unchanged, and `exit` ends the session.

use tests::{
    payload::{Random, numbered_lines},
    programs::EchoServer,
};

/// Message without a newline.
const BARE: &[u8] = b"Hello, Server!";

#[test]
fn serves_a_client_that_sends_messages_without_newlines() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(BARE);
    peer.exchange(b"Testing 123");
    peer.send(b"exit");
    peer.expect_to_end(b"Goodbye!");
}

#[test]
fn echoes_lines_with_their_lf_or_crlf() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    for line in [&b"one\n"[..], b"two\r\n", b"\n", b"\r\n", b"three\rfour\n", b"a\nb\r\nc\n"] {
        peer.exchange(line);
    }
    peer.send(b"exit\r\n");
    peer.expect_to_end(b"Goodbye!\r\n");
}

/// The client waits for the echo of half a line before it sends the rest.
#[test]
fn echoes_received_bytes_without_waiting_for_a_newline() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    for part in [&b"half"[..], b" a", b" line", b"\n", b"\r", b"\n", b"\0"] {
        peer.exchange(part);
    }
}

/// All 256 values, with NUL, a lone CR and invalid UTF-8.
#[test]
fn echoes_every_byte_value() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for byte in &all {
        peer.exchange(&[*byte]);
    }
    peer.exchange(&all);
    let backwards: Vec<u8> = all.iter().rev().copied().collect();
    peer.exchange(&backwards);
    peer.exchange(&Random::new(11).bytes(64 * 1024));
}

/// An HTTP request and a TLS client hello.
#[test]
fn echoes_the_greeting_of_another_protocol_like_any_bytes() {
    let server = EchoServer::start(&[]);
    for greeting in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    ] {
        server.connect().exchange(greeting);
    }
}

/// From a client that has sent a line, and from one that has sent nothing.
#[test]
fn accepts_exit_in_every_case_spacing_and_terminator() {
    let server = EchoServer::start(&[]);
    for word in ["exit", "EXIT", "Exit", "eXiT", "exiT"] {
        for (before, after) in [("", ""), (" ", ""), ("", " "), ("\t \x0c", "\t\t"), ("\r", " ")] {
            for newline in ["\n", "\r\n"] {
                for greeting in ["", "hello\n"] {
                    let mut peer = server.connect();
                    if !greeting.is_empty() {
                        peer.exchange(greeting.as_bytes());
                    }
                    peer.send(format!("{before}{word}{after}{newline}").as_bytes());
                    peer.expect_to_end(format!("Goodbye!{newline}").as_bytes());
                }
            }
            let mut bare = server.connect();
            bare.send(format!("{before}{word}{after}").as_bytes());
            bare.expect_to_end(b"Goodbye!");
        }
    }
}

/// The server has already echoed the part that arrived in the first packet.
#[test]
fn accepts_an_exit_line_that_is_split_at_any_byte() {
    let server = EchoServer::start(&[]);
    for (line, goodbye) in [(&b" exit\t\r\n"[..], &b"Goodbye!\r\n"[..]), (b"ExIt\n", b"Goodbye!\n")]
    {
        for at in 1..line.len() {
            let (first, rest) = line.split_at(at);
            let mut peer = server.connect();
            peer.exchange(b"this client sends lines\n");
            peer.exchange(first);
            peer.send(rest);
            peer.expect_to_end(goodbye);
        }
    }
}

#[test]
fn accepts_an_exit_line_that_arrives_byte_by_byte() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"\n");
    for byte in b"exit\r" {
        peer.exchange(&[*byte]);
    }
    peer.send(b"\n");
    peer.expect_to_end(b"Goodbye!\r\n");
}

/// A client that has sent no newline may send messages without newlines: a read that contains only `exit` is an
/// exit, at any position of the line.
#[test]
fn accepts_an_exit_of_a_client_without_newlines_after_other_bytes() {
    let server = EchoServer::start(&[]);

    let mut split = server.connect();
    split.exchange(b"ex");
    split.send(b"it\n");
    split.expect_to_end(b"Goodbye!\n");

    let mut later_read = server.connect();
    later_read.exchange(b"ex");
    later_read.exchange(b"it");
    later_read.send(b"exit");
    later_read.expect_to_end(b"Goodbye!");

    let mut after_text = server.connect();
    after_text.exchange(BARE);
    after_text.send(b" EXIT ");
    after_text.expect_to_end(b"Goodbye!");
}

/// For a client that has sent a newline, only a complete line is an exit.
#[test]
fn an_exit_without_a_newline_after_a_line_is_no_exit() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    peer.exchange(b"exit");
    peer.exchange(b" stage left\n");
    peer.exchange(b"exit");
    peer.send(b"\n");
    peer.expect_to_end(b"Goodbye!\n");
}

/// The client had sent no newline before this read, but the read does not contain only `exit`.
#[test]
fn an_exit_without_a_newline_after_a_line_in_one_packet_is_no_exit() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"a\nexit");
    peer.send(b"\r\n");
    peer.expect_to_end(b"Goodbye!\r\n");
}

#[test]
fn exit_inside_a_longer_line_is_no_exit() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    for text in
        ["exit now", "please exit", "exits", "exitexit", "ex it", "exit\0", "e", "\u{a0}exit"]
    {
        peer.exchange(text.as_bytes());
        peer.exchange(format!("{text}\n").as_bytes());
        peer.exchange(format!("{text}\r\n").as_bytes());
    }
    // The second packet alone looks like an exit, but its line began in the first one.
    peer.exchange(b"do not ");
    peer.exchange(b"exit\n");
    peer.send(b"exit\n");
    peer.expect_to_end(b"Goodbye!\n");
}

#[test]
fn echoes_the_lines_before_an_exit_but_no_bytes_after_it() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.send(b"one\ntwo\r\n exit \nthree\nexit\n");
    peer.expect_to_end(b"one\ntwo\r\nGoodbye!\n");

    let mut late = server.connect();
    late.exchange(b"one\n");
    late.send(b"exit\r\n");
    late.try_send(b"two\n");
    late.expect_to_end(b"Goodbye!\r\n");
}

/// One write contains all lines, so the server must not wait for another event to continue.
#[test]
fn keeps_the_order_of_ten_thousand_pipelined_lines() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let lines = numbered_lines("line number", 10_000);
    let sender = peer.send_in_background(format!("{lines}exit\n"));
    peer.expect_to_end(format!("{lines}Goodbye!\n").as_bytes());
    sender.join().unwrap().unwrap();
}

#[test]
fn streams_a_line_of_a_hundred_megabytes() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let mut line = Random::new(10).letters(1_000_003).repeat(100);
    line.push(b'\n');
    let sender = peer.send_in_background(line.clone());
    peer.expect(&line);
    sender.join().unwrap().unwrap();
    peer.send(b"exit\n");
    peer.expect_to_end(b"Goodbye!\n");
}

#[test]
fn a_half_close_after_two_megabytes_loses_nothing() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let bytes = Random::new(2).bytes(2 * 1024 * 1024);
    // More than the socket buffers hold: the FIN follows after this end has read a part of the echo.
    let sender = peer.send_and_half_close_in_background(bytes.clone());
    peer.expect_to_end(&bytes);
    sender.join().unwrap().unwrap();
}

#[test]
fn echoes_a_stream_without_a_final_newline_unchanged() {
    let server = EchoServer::start(&[]);
    for text in [&b"a\nb"[..], b"\xff\0", b"ex", b"a\nexit", b"\r", b""] {
        let mut peer = server.connect();
        peer.send(text);
        peer.half_close();
        peer.expect_to_end(text);
    }
}

/// The server ends the session while the client still sends; no reset discards the goodbye.
#[test]
fn the_goodbye_reaches_a_client_that_still_sends() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let mut bytes = b"one\nexit\n".to_vec();
    bytes.extend(Random::new(4).bytes(2 * 1024 * 1024));
    // The client sends everything before it reads.
    peer.send(&bytes);
    peer.half_close();
    peer.expect_to_end(b"one\nGoodbye!\n");
}

/// When the session ends, much of the echo is still in the send buffer of the server. Closing a socket with
/// unread input would discard it.
#[test]
fn the_buffered_echo_and_the_goodbye_reach_a_client_that_still_sends() {
    let server = EchoServer::start_quiet();
    let mut peer = server.connect();
    let mut lines = numbered_lines("line number", 10_000).into_bytes();
    lines.extend_from_slice(b"exit\n");
    let exit = lines.len() - b"exit\n".len();
    let rest = Random::new(4).bytes(2 * 1024 * 1024);
    let sender = peer.send_in_background([&lines[..], &rest].concat());
    server.wait_for_log("requested to exit$");
    peer.expect_to_end(&[&lines[..exit], b"Goodbye!\n"].concat());
    sender.join().unwrap().unwrap();
}
