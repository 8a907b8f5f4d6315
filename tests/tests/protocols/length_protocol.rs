//! Tests of the `length` protocol: the server echoes frames, answers an exit frame with a goodbye, and ends
//! the session at an invalid length.

use common::{
    frame::encode,
    protocol::{MAX_EXIT_PAYLOAD, MAX_FRAME_PAYLOAD},
};
use tests::{
    net::{Peer, assert_same_bytes},
    payload::Random,
    programs::EchoServer,
};

fn start() -> EchoServer {
    EchoServer::start(&["--protocol", "length"])
}

fn frame(payload: &[u8]) -> Vec<u8> {
    encode(payload).expect("shorter than 4 GiB")
}

/// Reads an error frame and the end of the stream after it.
#[track_caller]
fn expect_error_frame(peer: &mut Peer) {
    let reply = peer.read_to_end();
    let payload = reply.get(4..).expect("an error frame has a prefix");
    assert_same_bytes(&reply, &frame(payload));
    let text = str::from_utf8(payload).expect("the error is text");
    assert!(!text.trim().is_empty() && text != "Goodbye!", "{text:?} is not an error message");
}

#[test]
fn echoes_frames_of_every_kind() {
    let server = start();
    let mut peer = server.connect();
    let longest_exit = usize::try_from(MAX_EXIT_PAYLOAD).unwrap();
    for payload in [&b""[..], b"a", b"hello\nexit\n", b"exit now", &[0; 5], &[0xff; 300]] {
        peer.exchange(&frame(payload));
    }
    for len in [longest_exit - 1, longest_exit, longest_exit + 1, 100_000] {
        peer.exchange(&frame(&Random::new(1).bytes(len)));
    }
}

#[test]
fn keeps_the_order_of_several_frames_in_one_packet() {
    let server = start();
    let mut peer = server.connect();
    let mut frames = Vec::new();
    for number in 0..2_000 {
        frames.extend(frame(format!("frame {number}").as_bytes()));
    }
    let sender = peer.send_in_background(frames.clone());
    peer.expect(&frames);
    sender.join().unwrap().unwrap();
}

#[test]
fn answers_an_exit_frame_with_a_goodbye_frame() {
    let server = start();
    for exit in ["exit", "EXIT", " exit\r\n", "\tExit \n"] {
        let mut peer = server.connect();
        peer.send(&[frame(b"one"), frame(exit.as_bytes()), frame(b"two")].concat());
        peer.expect_to_end(&[frame(b"one"), frame(b"Goodbye!")].concat());
    }
}

/// The longest payload that can be an exit: `exit`, and white space up to the limit.
#[test]
fn accepts_an_exit_in_a_kilobyte_of_white_space() {
    let server = start();
    let mut peer = server.connect();
    let mut payload = vec![b' '; usize::try_from(MAX_EXIT_PAYLOAD).unwrap()];
    payload[500..504].copy_from_slice(b"exit");
    peer.send(&frame(&payload));
    peer.expect_to_end(&frame(b"Goodbye!"));
}

/// The position of the split does not change the echo or the exit.
///
/// The server sends nothing back for half an exit frame, so the test cannot wait between the halves. The
/// server receives them in one read or in two: the reply must be the same.
#[test]
fn a_split_at_any_byte_does_not_change_the_reply() {
    let server = start();
    let frames = [frame(b"hello"), frame(b""), frame(&[7; 2_000]), frame(b" eXit ")].concat();
    let echo = &frames[..frames.len() - frame(b" eXit ").len()];
    let streaming = frame(b"hello").len() + frame(b"").len();
    let splits = (1..streaming + 8).chain(echo.len() - 3..frames.len());
    for at in splits {
        let mut peer = server.connect();
        peer.send(&frames[..at]);
        peer.send(&frames[at..]);
        peer.expect_to_end(&[echo, &frame(b"Goodbye!")].concat());
    }
}

#[test]
fn echoes_frames_that_arrive_byte_by_byte() {
    let server = start();
    let mut peer = server.connect();
    for byte in [frame(b"slow"), frame(b""), frame(b"exit")].concat() {
        peer.send(&[byte]);
    }
    peer.expect_to_end(&[frame(b"slow"), frame(b""), frame(b"Goodbye!")].concat());
}

/// The server echoes a frame that is too long to be an exit before it has arrived completely.
#[test]
fn streams_a_long_frame() {
    let server = start();
    let mut peer = server.connect();
    let whole = frame(&Random::new(5).bytes(usize::try_from(MAX_EXIT_PAYLOAD).unwrap() + 1));
    let (first, rest) = whole.split_at(whole.len() / 2);
    peer.exchange(first);
    peer.exchange(rest);
    peer.exchange(&frame(b"and the next"));
}

#[test]
fn echoes_the_longest_frame() {
    let server = start();
    let mut peer = server.connect();
    let longest = frame(&Random::new(6).bytes(usize::try_from(MAX_FRAME_PAYLOAD).unwrap()));
    let sender = peer.send_in_background(longest.clone());
    peer.expect(&longest);
    sender.join().unwrap().unwrap();
}

#[test]
fn answers_a_length_over_the_limit_with_an_error_and_ends_the_stream() {
    let server = start();
    for len in [MAX_FRAME_PAYLOAD + 1, u32::MAX] {
        let mut first_frame = server.connect();
        first_frame.send(&len.to_be_bytes());
        expect_error_frame(&mut first_frame);

        let mut later_frame = server.connect();
        later_frame.exchange(&frame(b"well behaved so far"));
        later_frame.send(&[&frame(b"hello"), &len.to_be_bytes()[..], &[b'x'; 5_000]].concat());
        later_frame.expect(&frame(b"hello"));
        expect_error_frame(&mut later_frame);
    }
    // The error ends only the connection of the peer that caused it.
    server.connect().exchange(&frame(b"still there"));
}

/// The stream ends in the prefix or in the payload of a frame.
#[test]
fn echoes_the_bytes_of_an_incomplete_frame_at_the_end_of_the_stream() {
    let server = start();
    let whole = frame(b"cut off");
    for len in 0..whole.len() {
        let mut peer = server.connect();
        peer.send(&[&frame(b"whole"), &whole[..len]].concat());
        peer.half_close();
        peer.expect_to_end(&[&frame(b"whole"), &whole[..len]].concat());
    }
}
