//! The `length` protocol: frames come back as they came, an exit is a frame, a lie ends the session.

use common::{
    frame::encode,
    protocol::{MAX_EXIT_PAYLOAD, MAX_FRAME_PAYLOAD},
};
use tests::{
    payload::Random,
    peer::{Peer, assert_same},
    server::EchoServer,
};

fn start() -> EchoServer {
    EchoServer::start(&["--protocol", "length"])
}

fn frame(payload: &[u8]) -> Vec<u8> {
    encode(payload).expect("shorter than 4 GiB")
}

/// Reads the frame that says what was wrong, and the end that has to follow it.
#[track_caller]
fn expect_error_frame(peer: &mut Peer) {
    let reply = peer.rest();
    let payload = reply.get(4..).expect("an error frame has a prefix");
    assert_same(&reply, &frame(payload));
    let text = str::from_utf8(payload).expect("an error is told in text");
    assert!(!text.trim().is_empty() && text != "Goodbye!", "{text:?} names no error");
}

#[test]
fn frames_of_every_kind_come_back_as_they_came() {
    let server = start();
    let mut peer = server.connect();
    let longest_held = usize::try_from(MAX_EXIT_PAYLOAD).unwrap();
    for payload in [&b""[..], b"a", b"hello\nexit\n", b"exit now", &[0; 5], &[0xff; 300]] {
        peer.exchange(&frame(payload));
    }
    for len in [longest_held - 1, longest_held, longest_held + 1, 100_000] {
        peer.exchange(&frame(&Random::new(1).bytes(len)));
    }
}

#[test]
fn several_frames_in_one_packet_keep_their_order() {
    let server = start();
    let mut peer = server.connect();
    let mut frames = Vec::new();
    for number in 0..2_000 {
        frames.extend(frame(format!("frame {number}").as_bytes()));
    }
    let sender = peer.send_aside(frames.clone());
    peer.expect(&frames);
    sender.join().unwrap().unwrap();
}

#[test]
fn a_frame_that_reads_exit_is_answered_by_a_goodbye_frame() {
    let server = start();
    for exit in ["exit", "EXIT", " exit\r\n", "\tExit \n"] {
        let mut peer = server.connect();
        peer.send(&[frame(b"one"), frame(exit.as_bytes()), frame(b"two")].concat());
        peer.expect_rest(&[frame(b"one"), frame(b"Goodbye!")].concat());
    }
}

/// The longest payload that can still be an exit: the word, and white space up to the limit.
#[test]
fn an_exit_among_a_kilobyte_of_white_space_is_one() {
    let server = start();
    let mut peer = server.connect();
    let mut payload = vec![b' '; usize::try_from(MAX_EXIT_PAYLOAD).unwrap()];
    payload[500..504].copy_from_slice(b"exit");
    peer.send(&frame(&payload));
    peer.expect_rest(&frame(b"Goodbye!"));
}

/// Every protocol, its input split at every byte position -> same echo, same exit.
///
/// A held frame sends nothing back that one could wait for, so both halves go off as packets of
/// their own and fall together or not: the answer must be the same.
#[test]
fn frames_split_at_every_byte() {
    let server = start();
    let frames = [frame(b"hello"), frame(b""), frame(&[7; 2_000]), frame(b" eXit ")].concat();
    let echo = &frames[..frames.len() - frame(b" eXit ").len()];
    let streaming = frame(b"hello").len() + frame(b"").len();
    let splits = (1..streaming + 8).chain(echo.len() - 3..frames.len());
    for at in splits {
        let mut peer = server.connect();
        peer.send(&frames[..at]);
        peer.send(&frames[at..]);
        peer.expect_rest(&[echo, &frame(b"Goodbye!")].concat());
    }
}

#[test]
fn frames_in_single_bytes() {
    let server = start();
    let mut peer = server.connect();
    for byte in [frame(b"slow"), frame(b""), frame(b"exit")].concat() {
        peer.send(&[byte]);
    }
    peer.expect_rest(&[frame(b"slow"), frame(b""), frame(b"Goodbye!")].concat());
}

/// Nothing waits for the end of a frame that cannot be an exit.
#[test]
fn a_long_frame_streams_through() {
    let server = start();
    let mut peer = server.connect();
    let whole = frame(&Random::new(5).bytes(usize::try_from(MAX_EXIT_PAYLOAD).unwrap() + 1));
    let (first, rest) = whole.split_at(whole.len() / 2);
    peer.exchange(first);
    peer.exchange(rest);
    peer.exchange(&frame(b"and the next"));
}

/// length protocol: length 0, maximum, maximum + 1, 0xFFFFFFFF.
#[test]
fn the_longest_frame_allowed_comes_back() {
    let server = start();
    let mut peer = server.connect();
    let longest = frame(&Random::new(6).bytes(usize::try_from(MAX_FRAME_PAYLOAD).unwrap()));
    let sender = peer.send_aside(longest.clone());
    peer.expect(&longest);
    sender.join().unwrap().unwrap();
}

/// length protocol: length 0, maximum, maximum + 1, 0xFFFFFFFF.
#[test]
fn a_length_over_the_limit_is_answered_by_an_error_and_the_end() {
    let server = start();
    for len in [MAX_FRAME_PAYLOAD + 1, u32::MAX] {
        let mut alone = server.connect();
        alone.send(&len.to_be_bytes());
        expect_error_frame(&mut alone);

        let mut behind_others = server.connect();
        behind_others.exchange(&frame(b"well behaved so far"));
        behind_others.send(&[&frame(b"hello"), &len.to_be_bytes()[..], &[b'x'; 5_000]].concat());
        behind_others.expect(&frame(b"hello"));
        expect_error_frame(&mut behind_others);
    }
    // A peer's fault ends its own connection only.
    server.connect().exchange(&frame(b"still there"));
}

/// length protocol: cut off in the prefix, cut off in the payload -> what was received comes back.
#[test]
fn a_frame_that_the_end_of_the_stream_cuts_off_comes_back_as_far_as_it_came() {
    let server = start();
    let whole = frame(b"cut off");
    for len in 0..whole.len() {
        let mut peer = server.connect();
        peer.send(&[&frame(b"whole"), &whole[..len]].concat());
        peer.half_close();
        peer.expect_rest(&[&frame(b"whole"), &whole[..len]].concat());
    }
}
