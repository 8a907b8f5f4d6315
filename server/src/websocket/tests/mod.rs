//! Whole streams of frames, at every split into reads.

mod close_fault;
#[cfg(feature = "receipt")]
mod receipt;

use std::{sync::Arc, time::Instant};

use common::protocol::MAX_EXIT_PAYLOAD;
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use crate::{
    config::{Http, limits},
    session::{EndCause, Exchange, Next, ProtocolHandler as _, Reason, Reply, Step, run_handler},
    websocket::{Deflate, WebSocket, negotiate},
};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Too long for an exit.
const LONG: usize = MAX_EXIT_PAYLOAD as usize + 1;

/// Returns a frame: of a client if there is a mask, otherwise of the server.
fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(bit + u8::try_from(short).unwrap()),
        medium @ 126..=0xffff => {
            frame.push(bit + 126);
            frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(bit + 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    let mask = mask.inspect(|mask| frame.extend(mask)).unwrap_or_default();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some(MASK))
}

fn server(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    server(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

fn run_with(config: Http, deflate: Option<Deflate>, reads: &[&[u8]]) -> Exchange {
    run_handler(Box::new(WebSocket::new(Arc::new(config), deflate, Instant::now())), reads).0
}

fn run(reads: &[&[u8]]) -> Exchange {
    run_with(Http::default(), None, reads)
}

/// The peer receives the same at every split of the stream into two reads, and if each byte is a read.
#[track_caller]
fn assert_at_every_split(stream: &[u8], expected: &[u8], ended: Option<&Reason>) {
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    let splits = (0..=stream.len()).map(|at| vec![&stream[..at], &stream[at..]]);
    for reads in splits.chain([bytes]) {
        let exchange = run(&reads);
        assert_eq!(
            (&exchange.received[..], exchange.ended.as_ref()),
            (expected, ended),
            "{reads:x?}"
        );
    }
}

#[test]
fn data_frames_are_echoed_without_their_mask() {
    for len in [0, 1, 125, 126, 127] {
        let payload = vec![b'x'; len];
        for first in [0x81, 0x82] {
            assert_at_every_split(&client(first, &payload), &server(first, &payload), None);
        }
    }
    for len in [65_535, 65_536, 200_000] {
        let payload: Vec<u8> = (0..len).map(|at: u32| at.to_le_bytes()[0]).collect();
        let stream = client(0x82, &payload);
        let reads: Vec<&[u8]> = stream.chunks(limits::READ_BUFFER - 1000).collect();
        assert_eq!(run(&reads).received, server(0x82, &payload));
    }
}

#[test]
fn fragments_stay_fragments_and_control_frames_may_come_between_them() {
    let stream = [
        client(0x01, b"Hel"),
        client(0x89, b"ping"),
        client(0x00, b""),
        client(0x8a, b"pong that nobody asked for"),
        client(0x80, b"lo"),
        client(0x82, b"next"),
    ];
    let expected =
        [server(0x01, b"Hel"), server(0x8a, b"ping"), server(0x00, b""), server(0x80, b"lo")];
    let expected = [expected.concat(), server(0x82, b"next")].concat();
    assert_at_every_split(&stream.concat(), &expected, None);
}

#[test]
fn an_exit_is_answered_and_closes_normally() {
    for exit in [&b"exit"[..], b"EXIT", b" exit\r\n"] {
        let stream =
            [client(0x81, b"hello"), client(0x81, exit), client(0x81, b"more"), client(0x88, b"")];
        let goodbye = [server(0x81, b"hello"), server(0x81, b"Goodbye!"), close(1000, "")];
        assert_at_every_split(&stream.concat(), &goodbye.concat(), Some(&Reason::Exit));
    }
    let exchange = run(&[&client(0x81, b"exit")]);
    assert_eq!((exchange.logged, exchange.messages), (server(0x81, b"exit"), 1));
    let fragments = [client(0x01, b"ex"), client(0x80, b"it")].concat();
    assert_eq!(run(&[&fragments]).ended, None, "an exit is one frame");
}

#[test]
fn a_close_is_echoed() {
    for payload in [&b""[..], b"\x03\xe8bye"] {
        let stream = [client(0x81, b"hello"), client(0x88, payload), b"more".to_vec()].concat();
        let expected = [server(0x81, b"hello"), server(0x88, payload)].concat();
        assert_at_every_split(&stream, &expected, Some(&Reason::Complete));
    }
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999] {
        let payload = u16::to_be_bytes(code);
        assert_eq!(run(&[&client(0x88, &payload)]).received, server(0x88, &payload));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        let received = run(&[&client(0x88, &u16::to_be_bytes(code))]).received;
        assert_eq!(received, close(1002, "a close frame with an invalid code"), "{code}");
    }
}

#[track_caller]
fn assert_violation(frames: &[Vec<u8>], echoed: &[Vec<u8>], code: u16) {
    let stream = frames.concat();
    for reads in [vec![&stream[..]], stream.chunks(1).collect::<Vec<_>>()] {
        let Exchange { received, ended, .. } = run(&reads);
        let rest = received.strip_prefix(&echoed.concat()[..]).expect("the echo comes first");
        let Some(Reason::Violation(rule)) = ended else { panic!("{ended:?}") };
        assert_eq!(rest, close(code, rule), "{rule}");
    }
}

#[test]
fn a_frame_against_the_rules_closes_with_its_code() {
    let hello = || (client(0x81, b"hello"), server(0x81, b"hello"));
    for wrong in [
        client(0x83, b""),
        client(0xc1, b"compressed"),
        client(0x80, b"a continuation of nothing"),
        client(0x09, b"a fragmented ping"),
        server(0x81, b"no mask"),
        client(0x88, b"\x03"),
        client(0x89, &[b'x'; 126]),
    ] {
        let (sent, echoed) = hello();
        assert_violation(&[sent, wrong], &[echoed], 1002);
    }
    let start = || (client(0x01, b"start"), server(0x01, b"start"));
    let (sent, echoed) = start();
    assert_violation(&[sent, client(0x81, b"another")], &[echoed], 1002);
    let (sent, echoed) = start();
    assert_violation(&[sent, client(0x80, b"\xff")], &[echoed], 1007);
    assert_violation(&[client(0x88, b"\x03\xe8\xff")], &[], 1007);
}

#[test]
fn text_is_refused_at_its_first_wrong_byte() {
    let cafe = "caf\u{e9} \u{1f980}".as_bytes();
    for at in 0..=cafe.len() {
        let stream = [client(0x01, &cafe[..at]), client(0x80, &cafe[at..])].concat();
        let expected = [server(0x01, &cafe[..at]), server(0x80, &cafe[at..])].concat();
        assert_at_every_split(&stream, &expected, None);
    }
    // The frame continues, but no text can.
    let whole = client(0x81, &[&b"ok\xf0\x80"[..], &[b'x'; 2 * LONG]].concat());
    assert_eq!(run(&[&whole[..11]]).ended, None);
    let exchange = run(&[&whole[..12]]);
    assert_eq!(exchange.ended, Some(Reason::Violation("a text that is not UTF-8")));
    assert_eq!(exchange.received, close(1007, "a text that is not UTF-8"));
    let exchange = run(&[&whole[..11], &whole[11..12]]);
    let header = &server(0x81, &[0; 4 + 2 * LONG])[..4];
    assert_eq!(exchange.received, [header, b"ok\xf0"].concat(), "there is no place for a close");
    let truncated = client(0x81, b"\xc3");
    assert_eq!(run(&[&truncated]).received, close(1007, "a text that is not UTF-8"));
    let binary = client(0x82, b"\xff\xfe");
    assert_eq!(run(&[&binary]).received, server(0x82, b"\xff\xfe"));
}

#[test]
fn a_short_text_is_refused_at_its_first_wrong_byte_although_it_is_held() {
    let whole = client(0x81, b"caf\xc3\xa9 \xf4\x90\x80\x80 and more");
    let at = |payload: usize| &whole[..6 + payload];
    let exchange = run(&[at(5), &at(7)[6 + 5..]]);
    assert_eq!((&exchange.received[..], exchange.ended), (&b""[..], None));
    let exchange = run(&[at(5), &at(8)[6 + 5..]]);
    assert_eq!(exchange.received, close(1007, "a text that is not UTF-8"));
    assert_eq!(exchange.ended, Some(Reason::Violation("a text that is not UTF-8")));
}

#[test]
fn a_message_over_the_limit_is_refused_before_its_payload() {
    let config = || Http { max_message: 10, ..Http::default() };
    let run = |stream: &[u8]| run_with(config(), None, &[stream]);
    assert_eq!(run(&client(0x82, &[0; 10])).received, server(0x82, &[0; 10]));
    let header = client(0x82, &[0; 11])[..6].to_vec();
    assert_eq!(run(&header).received, close(1009, "a message over the limit"));
    let fragments = [client(0x02, &[0; 6]), client(0x80, &[0; 5])].concat();
    let expected = [server(0x02, &[0; 6]), close(1009, "a message over the limit")].concat();
    assert_eq!(run(&fragments).received, expected);
    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
    assert_eq!(run(&huge).received, close(1009, "a message over the limit"));
}

fn websocket() -> WebSocket {
    WebSocket::new(Arc::default(), None, Instant::now())
}

#[test]
fn a_silent_peer_is_pinged_and_then_disconnected() {
    let mut socket = websocket();
    let first = socket.deadline().unwrap();
    let Reply { bytes, next } = socket.expire(first);
    assert_eq!(&bytes[..], server(0x89, b""));
    assert!(matches!(next, Next::Continue));
    let second = socket.deadline().unwrap();
    assert_eq!(second, first + limits::PING_INTERVAL);
    socket.receive(&mut client(0x8a, b""), second);
    let Reply { bytes, .. } = socket.expire(second + limits::PING_INTERVAL);
    assert_eq!(&bytes[..], server(0x89, b""), "it has answered");
    let Reply { next, .. } = socket.expire(second + 2 * limits::PING_INTERVAL);
    assert!(matches!(next, Next::Close(Reason::Timeout("no answer to a ping"))));
}

#[test]
fn a_drain_closes_behind_the_present_frame() {
    let now = Instant::now();
    let mut idle = websocket();
    let Reply { bytes, .. } = idle.drain(now).unwrap();
    assert_eq!(&bytes[..], close(1001, "the server shuts down"));
    assert!(idle.drain(now).is_none(), "it waits for the close of its peer");
    let step = idle.receive(&mut client(0x88, b"\x03\xe9"), now);
    let Some(Reply { bytes, next: Next::Close(Reason::Drain) }) = step.reply else {
        panic!("{step:?}")
    };
    assert!(bytes.is_empty());

    let mut busy = websocket();
    let mut stream = client(0x82, &[b'x'; 2 * LONG]);
    assert_eq!(busy.receive(&mut stream[..LONG], now).echo, LONG - 4);
    assert!(busy.drain(now).is_none());
    let step = busy.receive(&mut stream[LONG..], now);
    assert_eq!(step.echo, LONG + 8);
    assert_eq!(&step.reply.unwrap().bytes[..], close(1001, "the server shuts down"));
}

#[test]
fn a_drain_closes_behind_the_last_fragment() {
    let now = Instant::now();
    let mut socket = websocket();
    let receive = |socket: &mut WebSocket, mut frame: Vec<u8>| {
        let Step { echo, reply, .. } = socket.receive(&mut frame, now);
        let reply = reply.map(|reply| reply.bytes.into_owned()).unwrap_or_default();
        [&frame[..echo], &reply].concat()
    };
    assert_eq!(receive(&mut socket, client(0x01, b"a")), server(0x01, b"a"));
    assert!(socket.drain(now).is_none());
    assert_eq!(receive(&mut socket, client(0x89, b"?")), server(0x8a, b"?"));
    assert_eq!(receive(&mut socket, client(0x00, b"b")), server(0x00, b"b"));
    let expected = [server(0x80, b"c"), close(1001, "the server shuts down")].concat();
    assert_eq!(receive(&mut socket, client(0x80, b"c")), expected);
}

#[test]
fn a_step_inflates_no_more_than_its_share() {
    let mut compress = Compress::new(Compression::best(), false);
    let payload = deflated(&mut compress, &vec![0; 10 << 20]);
    let mut input = client(0xc2, &payload);
    let mut socket =
        WebSocket::new(Arc::default(), negotiate(["permessage-deflate"]), Instant::now());
    let (mut at, mut steps) = (0, 0);
    while let Step { consumed, reply: Some(Reply { next: Next::Pause, .. }), .. } =
        socket.receive(&mut input[at..], Instant::now())
    {
        assert!(consumed <= 8 + 256, "{consumed} bytes inflate to a thousand times as many");
        at += consumed;
        steps += 1;
    }
    assert!(steps >= 30, "{steps} steps");
}

#[test]
fn an_idle_websocket_is_closed_with_a_reason_where_a_close_has_its_place() {
    let now = Instant::now();
    let mut idle = websocket();
    assert_eq!(idle.end(EndCause::EndOfStream, now), &b""[..]);
    assert_eq!(idle.end(EndCause::IdleTimeout, now), close(1001, "idle for too long"));
    let mut busy = websocket();
    busy.receive(&mut client(0x82, &[b'x'; 2 * LONG])[..LONG], now);
    assert_eq!(busy.end(EndCause::IdleTimeout, now), &b""[..], "it would be payload");
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_left_after_a_while() {
    let now = Instant::now();
    let mut socket = websocket();
    let _ = socket.drain(now);
    let deadline = socket.deadline().unwrap();
    assert_eq!(deadline, now + limits::CLOSE_TIMEOUT);
    socket.receive(&mut client(0x81, b"still talking"), deadline);
    assert_eq!(socket.deadline(), Some(deadline), "further messages buy no time");
    assert!(matches!(socket.expire(deadline).next, Next::Close(Reason::Drain)));
}

/// Compresses a message as a client does.
fn deflated(compress: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + 1000);
    compress.compress_vec(message, &mut bytes, FlushCompress::Sync).unwrap();
    bytes.strip_suffix(&[0, 0, 0xff, 0xff]).expect("a synchronous flush ends so").to_vec()
}

#[test]
fn compressed_messages_are_checked_and_echoed_as_they_are() {
    for offer in ["permessage-deflate", "permessage-deflate; client_no_context_takeover"] {
        let mut compress = Compress::new(Compression::default(), false);
        let mut frames = (Vec::new(), Vec::new());
        for message in ["hello, hello, hello", "hello again", "exit"] {
            let payload = deflated(&mut compress, message.as_bytes());
            if offer.contains("no_context") {
                compress.reset();
            }
            let (start, end) = payload.split_at(payload.len() / 2);
            frames.0.extend([client(0x41, start), client(0x80, end)].concat());
            frames.1.extend([server(0x41, start), server(0x80, end)].concat());
        }
        for size in [1, 3, 1000] {
            let reads: Vec<&[u8]> = frames.0.chunks(size).collect();
            let exchange = run_with(Http::default(), negotiate([offer]), &reads);
            assert_eq!((exchange.received, exchange.ended), (frames.1.clone(), None));
        }
    }
}

#[test]
fn a_compressed_exit_is_an_exit() {
    let mut compress = Compress::new(Compression::default(), false);
    let hello = deflated(&mut compress, b"hello");
    let exit = deflated(&mut compress, b"exit");
    let stream = [client(0xc1, &hello), client(0xc1, &exit), client(0x88, b"")].concat();
    let goodbye = [server(0xc1, &hello), server(0x81, b"Goodbye!"), close(1000, "")].concat();
    for size in [1, 7, 1000] {
        let reads: Vec<&[u8]> = stream.chunks(size).collect();
        let exchange = run_with(Http::default(), negotiate(["permessage-deflate"]), &reads);
        assert_eq!((&exchange.received, exchange.ended), (&goodbye, Some(Reason::Exit)));
        assert_eq!(exchange.messages, 2);
    }
}

#[test]
fn a_compressed_message_is_limited_by_what_it_inflates_to() {
    let run = |first: u8, message: &[u8]| {
        let payload = deflated(&mut Compress::new(Compression::best(), false), message);
        let config = Http { max_message: 100_000, ..Http::default() };
        let frame = client(first, &payload);
        run_with(config, negotiate(["permessage-deflate"]), &[&frame]).received
    };
    assert!(run(0xc2, &vec![0; 100_000]).starts_with(&[0xc2]));
    assert_eq!(run(0xc2, &vec![0; 100_001]), close(1009, "a compressed message over the limit"));
    assert_eq!(run(0xc1, b"text \xff"), close(1007, "a text that is not UTF-8"));
    let garbage = client(0xc2, b"\x07garbage");
    let exchange = run_with(Http::default(), negotiate(["permessage-deflate"]), &[&garbage]);
    assert_eq!(exchange.received, close(1007, "a message that cannot be inflated"));
}

proptest! {
    /// Any bytes, in any parts: the same result, and no panic.
    #[test]
    fn any_bytes_in_any_parts_have_one_result(
        frames in proptest::collection::vec(
            (prop_oneof![Just(0x81), Just(0x01), Just(0x80), Just(0x82), Just(0x89), Just(0x88), any::<u8>()],
             proptest::collection::vec(any::<u8>(), 0..140), any::<[u8; 4]>()),
            0..6,
        ),
        garbage in proptest::collection::vec(any::<u8>(), 0..20),
        sizes in proptest::collection::vec(1..40_usize, 1..20),
    ) {
        let stream: Vec<u8> = frames
            .iter()
            .flat_map(|(first, payload, mask)| frame(*first, payload, Some(*mask)))
            .chain(garbage)
            .collect();
        let whole = run(&[&stream]);
        let mut reads = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break }
            let (read, more) = rest.split_at((*size).min(rest.len()));
            reads.push(read);
            rest = more;
        }
        let parts = run(&reads);
        prop_assert_eq!(&whole.ended, &parts.ended);
        // A frame that turns out wrong may have been echoed in part.
        if !matches!(whole.ended, Some(Reason::Violation(_))) {
            prop_assert_eq!(whole.received, parts.received);
        }
    }
}
