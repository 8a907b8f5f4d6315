//! The `text` protocol: every byte comes back as it came, and `exit` ends the session.

use tests::{
    payload::{Random, numbered_lines},
    server::EchoServer,
};

/// The text of a session that neither end has taken for a line so far.
const BARE: &[u8] = b"Hello, Server!";

#[test]
fn the_originals_way_of_talking_one_send_one_receive_no_newline() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(BARE);
    peer.exchange(b"Testing 123");
    peer.send(b"exit");
    peer.expect_rest(b"Goodbye!");
}

#[test]
fn lines_with_lf_and_with_crlf_come_back_with_what_they_had() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    for line in [&b"one\n"[..], b"two\r\n", b"\n", b"\r\n", b"three\rfour\n", b"a\nb\r\nc\n"] {
        peer.exchange(line);
    }
    peer.send(b"exit\r\n");
    peer.expect_rest(b"Goodbye!\r\n");
}

/// A client waits for the echo of half a line before it sends the rest: nothing waits for a newline.
#[test]
fn what_has_arrived_comes_back_at_once_newline_or_not() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    for part in [&b"half"[..], b" a", b" line", b"\n", b"\r", b"\n", b"\0"] {
        peer.exchange(part);
    }
}

/// NUL, all 256 values, invalid UTF-8, lone CR -> byte-exact.
#[test]
fn every_byte_value_comes_back() {
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

/// An HTTP request or a TLS hello on a plain port -> echoed like any bytes.
#[test]
fn another_protocols_greeting_is_echoed_like_any_bytes() {
    let server = EchoServer::start(&[]);
    for greeting in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    ] {
        server.connect().exchange(greeting);
    }
}

/// `exit` in every case, spacing and terminator, from a client that sends lines and from one that
/// has not sent anything yet.
#[test]
fn exit_in_every_case_spacing_and_terminator() {
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
                    peer.expect_rest(format!("Goodbye!{newline}").as_bytes());
                }
            }
            let mut bare = server.connect();
            bare.send(format!("{before}{word}{after}").as_bytes());
            bare.expect_rest(b"Goodbye!");
        }
    }
}

/// `exit` split over packets: the bytes that came in an earlier one have gone back already.
#[test]
fn an_exit_line_split_anywhere_is_one() {
    let server = EchoServer::start(&[]);
    for (line, goodbye) in [(&b" exit\t\r\n"[..], &b"Goodbye!\r\n"[..]), (b"ExIt\n", b"Goodbye!\n")]
    {
        for at in 1..line.len() {
            let (first, rest) = line.split_at(at);
            let mut peer = server.connect();
            peer.exchange(b"this client sends lines\n");
            peer.exchange(first);
            peer.send(rest);
            peer.expect_rest(goodbye);
        }
    }
}

#[test]
fn an_exit_line_in_single_bytes_is_one() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"\n");
    for byte in b"exit\r" {
        peer.exchange(&[*byte]);
    }
    peer.send(b"\n");
    peer.expect_rest(b"Goodbye!\r\n");
}

/// A client that has sent no newline yet could be the original's: a read that holds nothing but the
/// word is an exit, wherever the line began.
#[test]
fn a_split_exit_of_a_client_without_newlines() {
    let server = EchoServer::start(&[]);

    let mut split = server.connect();
    split.exchange(b"ex");
    split.send(b"it\n");
    split.expect_rest(b"Goodbye!\n");

    let mut not_alone = server.connect();
    not_alone.exchange(b"ex");
    not_alone.exchange(b"it");
    not_alone.send(b"exit");
    not_alone.expect_rest(b"Goodbye!");

    let mut after_text = server.connect();
    after_text.exchange(BARE);
    after_text.send(b" EXIT ");
    after_text.expect_rest(b"Goodbye!");
}

/// A client that has once sent a newline is a line client: for it only a whole line is an exit.
#[test]
fn a_bare_exit_of_a_line_client_is_no_exit() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    peer.exchange(b"exit");
    peer.exchange(b" stage left\n");
    peer.exchange(b"exit");
    peer.send(b"\n");
    peer.expect_rest(b"Goodbye!\n");
}

/// A newline in the same read is one that it had not sent before: what counts is that the read
/// holds something else.
#[test]
fn a_bare_exit_behind_a_line_in_one_packet_is_no_exit() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"a\nexit");
    peer.send(b"\r\n");
    peer.expect_rest(b"Goodbye!\r\n");
}

/// `exit` inside a longer line is not one.
#[test]
fn a_line_that_only_contains_exit_is_no_exit() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    for text in
        ["exit now", "please exit", "exits", "exitexit", "ex it", "exit\0", "e", "\u{a0}exit"]
    {
        peer.exchange(text.as_bytes());
        peer.exchange(format!("{text}\n").as_bytes());
        peer.exchange(format!("{text}\r\n").as_bytes());
    }
    // Begun as another line in an earlier packet, so that the packet alone would read as an exit.
    peer.exchange(b"do not ");
    peer.exchange(b"exit\n");
    peer.send(b"exit\n");
    peer.expect_rest(b"Goodbye!\n");
}

/// `exit` pipelined after other lines; bytes after `exit`.
#[test]
fn lines_before_an_exit_come_back_and_bytes_after_it_do_not() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.send(b"one\ntwo\r\n exit \nthree\nexit\n");
    peer.expect_rest(b"one\ntwo\r\nGoodbye!\n");

    let mut late = server.connect();
    late.exchange(b"one\n");
    late.send(b"exit\r\n");
    late.send_regardless(b"two\n");
    late.expect_rest(b"Goodbye!\r\n");
}

/// 10,000 pipelined lines in one write -> order kept; what is left over needs no new readiness event.
#[test]
fn ten_thousand_pipelined_lines_keep_their_order() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let lines = numbered_lines("line number", 10_000);
    let sender = peer.send_aside(format!("{lines}exit\n"));
    peer.expect_rest(format!("{lines}Goodbye!\n").as_bytes());
    sender.join().unwrap().unwrap();
}

/// A 100 MB line -> flows under backpressure.
#[test]
fn a_line_of_a_hundred_megabytes_flows_through() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let mut line = Random::new(10).letters(1_000_003).repeat(100);
    line.push(b'\n');
    let sender = peer.send_aside(line.clone());
    peer.expect(&line);
    sender.join().unwrap().unwrap();
    peer.send(b"exit\n");
    peer.expect_rest(b"Goodbye!\n");
}

/// Half-close with 2 MB still to be echoed -> all of it arrives, then end of stream.
#[test]
fn a_half_close_behind_two_megabytes_loses_nothing() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let bytes = Random::new(2).bytes(2 * 1024 * 1024);
    // More than the sockets' buffers hold: the FIN goes out when this side has read some of it.
    let sender = peer.send_aside_and_half_close(bytes.clone());
    peer.expect_rest(&bytes);
    sender.join().unwrap().unwrap();
}

/// No newline at the end of the stream -> nothing lost, nothing invented.
#[test]
fn a_stream_that_ends_without_a_newline_comes_back_as_it_is() {
    let server = EchoServer::start(&[]);
    for text in [&b"a\nb"[..], b"\xff\0", b"ex", b"a\nexit", b"\r", b""] {
        let mut peer = server.connect();
        peer.send(text);
        peer.half_close();
        peer.expect_rest(text);
    }
}

/// The server ends a session while the client is still sending -> goodbye arrives; no reset eats it.
#[test]
fn a_goodbye_arrives_although_the_client_is_still_sending() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let mut bytes = b"one\nexit\n".to_vec();
    bytes.extend(Random::new(4).bytes(2 * 1024 * 1024));
    // Everything is sent before anything is read.
    peer.send(&bytes);
    peer.half_close();
    peer.expect_rest(b"one\nGoodbye!\n");
}

/// As above, with much of the echo still in the server's socket when the session ends: closing a
/// socket that has unread input throws that away.
#[test]
fn an_echo_and_a_goodbye_that_are_under_way_arrive_although_the_client_is_still_sending() {
    let server = EchoServer::start(&["--log-messages", "off"]);
    let mut peer = server.connect();
    let mut lines = numbered_lines("line number", 10_000).into_bytes();
    lines.extend_from_slice(b"exit\n");
    let exit = lines.len() - b"exit\n".len();
    let rest = Random::new(4).bytes(2 * 1024 * 1024);
    let sender = peer.send_aside([&lines[..], &rest].concat());
    server.wait_for_log("requested to exit$");
    peer.expect_rest(&[&lines[..exit], b"Goodbye!\n"].concat());
    sender.join().unwrap().unwrap();
}
