use super::{outgoing::MAX_LINE, *};

/// Frame of a server.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(u8::try_from(len).unwrap()),
        len => {
            frame.push(126);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// Frame of a message with the type that the client gives it.
fn typed(format: Format, payload: &[u8]) -> Vec<u8> {
    frame(if format == Format::Lines { 0x81 } else { 0x82 }, payload)
}

/// Takes the frames that a session sends, unmasked: first byte and payload.
fn sent(session: &mut Session) -> Vec<(u8, Vec<u8>)> {
    let output = session.output().to_vec();
    session.mark_sent(output.len());
    let (mut frames, mut rest) = (Vec::new(), &output[..]);
    while let [first, second, tail @ ..] = rest {
        assert_eq!(second & 0x80, 0x80, "every frame is masked");
        let (len, tail) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
            127 => (
                usize::try_from(u64::from_be_bytes(*tail.first_chunk().unwrap())).unwrap(),
                &tail[8..],
            ),
            len => (usize::from(len), tail),
        };
        let (key, tail) = tail.split_first_chunk().unwrap();
        let mut payload = tail[..len].to_vec();
        super::super::masks::mask(&mut payload, *key, 0);
        frames.push((*first, payload));
        rest = &tail[len..];
    }
    frames
}

/// Receives everything that has arrived, and the result after it.
fn received(session: &mut Session) -> (Vec<u8>, String) {
    let (mut all, mut buffer) = (Vec::new(), [0; 7]);
    loop {
        match session.receive(&mut buffer) {
            Ok(Received::Bytes(count)) => all.extend(&buffer[..count]),
            Ok(other) => return (all, format!("{other:?}")),
            Err(error) => return (all, error.to_string()),
        }
    }
}

fn session(format: Format, input: &[u8]) -> Session {
    let mut session = Session::new(format);
    assert_eq!(session.push(input), input.len());
    session
}

#[test]
fn a_line_is_a_message_without_its_newline() {
    let mut session = session(Format::Lines, b"one\n\n\xff\r\ntw");
    let frames = sent(&mut session);
    assert_eq!(frames, [(0x81, b"one".to_vec()), (0x81, vec![]), (0x82, b"\xff\r".to_vec())]);
    assert_eq!(session.push(b"o\n"), 2);
    assert_eq!(sent(&mut session), [(0x81, b"two".to_vec())]);
}

#[test]
fn the_last_line_returns_without_a_newline_if_it_was_sent_without() {
    let mut session = session(Format::Lines, b"one\ntwo");
    session.end_input();
    assert_eq!(sent(&mut session).len(), 2);
    session.feed(&[frame(0x81, b"one"), frame(0x81, b"two")].concat());
    assert_eq!(received(&mut session), (b"one\ntwo".to_vec(), "Nothing".to_owned()));
}

#[test]
fn fragments_and_control_frames_are_no_boundaries() {
    let stream = [
        frame(0x01, b"he"),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x80, b"llo"),
        frame(0x81, b"you"),
        frame(0x88, b"\x03\xe8"),
    ]
    .concat();
    for at in 0..stream.len() {
        let mut session = session(Format::Lines, b"hello\nyou\n");
        sent(&mut session);
        session.feed(&stream[..at]);
        session.feed(&stream[at..]);
        assert_eq!(received(&mut session), (b"hello\nyou\n".to_vec(), "End".to_owned()));
        let answers = [(0x8a, b"ping".to_vec()), (0x88, b"\x03\xe8".to_vec())];
        assert_eq!(sent(&mut session), answers, "split at {at}");
    }
}

#[test]
fn a_message_that_returns_split_or_joined_is_a_failure_after_its_right_bytes() {
    for format in [Format::Lines, Format::Chunks] {
        let input: &[u8] = if format == Format::Lines { b"abcd\n" } else { b"abcd" };
        let mut split = session(format, input);
        split.feed(&[typed(format, b"ab"), typed(format, b"cd")].concat());
        let (bytes, error) = received(&mut split);
        assert_eq!(bytes, b"ab");
        assert!(error.starts_with("the server split a message"), "{error}");

        let mut joined = session(format, input);
        sent(&mut joined);
        joined.push(input);
        joined.feed(&typed(format, b"abcdabcd"));
        let (bytes, error) = received(&mut joined);
        assert_eq!(bytes, b"abcd");
        assert!(error.starts_with("the server joined messages"), "{error}");

        let mut longer = session(format, input);
        longer.feed(&typed(format, b"abcde"));
        let (bytes, error) = received(&mut longer);
        assert_eq!(bytes, b"abcd");
        assert!(error.starts_with("the server added bytes to a message"), "{error}");
    }
}

#[test]
fn a_message_that_returns_with_another_type_is_a_failure_before_its_last_byte() {
    for (input, first, error) in [
        (&b"abcd\n"[..], 0x82, "it returned a text as a binary message"),
        (b"abc\xff\n", 0x81, "not UTF-8"),
        (b"\n", 0x82, "it returned a text as a binary message"),
        (b"exit\n", 0x82, "it returned a text as a binary message"),
    ] {
        let mut session = session(Format::Lines, input);
        let message = &input[..input.len() - 1];
        session.feed(&frame(first, message));
        let (bytes, end) = received(&mut session);
        assert!(end.ends_with(error), "{input:?}: {end}");
        assert!(!bytes.contains(&b'\n'), "the message does not count as returned");
    }
    let mut chunk = session(Format::Chunks, b"abcd");
    chunk.feed(&[frame(0x01, b"ab"), frame(0x80, b"cd")].concat());
    let (bytes, end) = received(&mut chunk);
    assert_eq!(bytes, b"abc");
    assert!(end.ends_with("it returned a binary message as text"), "{end}");
    // A long line is sent before it is known whether it is UTF-8.
    let line = [vec![b'x'; MAX_LINE], vec![b'\n']].concat();
    let mut long = Session::new(Format::Lines);
    for chunk in line.chunks(MAX_TAKEN) {
        long.push(chunk);
        sent(&mut long);
    }
    long.feed(&[frame(0x02, &line[..1000]), frame(0x00, &line[1000..MAX_LINE])].concat());
    assert_eq!(received(&mut long).1, "Nothing");
}

#[test]
fn an_exit_may_be_answered_by_a_message_of_another_length() {
    let mut session = session(Format::Lines, b" Exit \n");
    session.feed(&[frame(0x81, b"Goodbye!"), frame(0x88, b"\x03\xe8")].concat());
    assert_eq!(received(&mut session), (b"Goodbye!\n".to_vec(), "End".to_owned()));
}

#[test]
fn a_chunk_that_reads_as_an_exit_is_sent_so_that_no_server_takes_it_for_one() {
    let mut session = session(Format::Chunks, b" exit\n");
    assert_eq!(sent(&mut session), [(0x82, b" e".to_vec()), (0x82, b"xit\n".to_vec())]);
    session.feed(&[frame(0x82, b" e"), frame(0x82, b"xit\n")].concat());
    assert_eq!(received(&mut session), (b" exit\n".to_vec(), "Nothing".to_owned()));
}

#[test]
fn a_long_line_is_one_message_in_fragments() {
    let line = vec![b'x'; MAX_LINE];
    let mut session = session(Format::Lines, &line);
    let first = sent(&mut session);
    assert_eq!((first.len(), first[0].0), (1, 0x02));
    // The server may return the part that it has.
    session.feed(&[frame(0x02, &line[..1000]), frame(0x00, &line[..1000])].concat());
    assert_eq!(received(&mut session).0.len(), 2000);
    assert_eq!(session.push(b"y\n"), 2);
    assert_eq!(sent(&mut session), [(0x80, b"y".to_vec())]);
    for _ in 0..63 {
        session.feed(&frame(0x00, &line[..1000]));
    }
    session.feed(&frame(0x80, &[&line[..536], b"y"].concat()));
    let (bytes, end) = received(&mut session);
    assert_eq!((bytes.len(), end.as_str()), (MAX_LINE - 2000 + 2, "Nothing"));
}

#[test]
fn a_close_is_answered_once_and_a_code_of_a_failure_is_an_error() {
    let mut session = session(Format::Lines, b"one\n");
    sent(&mut session);
    session.feed(&frame(0x88, b"\x03\xf3oops"));
    assert_eq!(sent(&mut session), [(0x88, b"\x03\xf3".to_vec())]);
    session.close();
    assert!(sent(&mut session).is_empty());
    let (_, error) = received(&mut session);
    assert_eq!(
        error,
        "the server closed the WebSocket with code 1011 (internal error of the server): 'oops'"
    );
    assert_eq!(received(&mut session).1, "End");
}

#[test]
fn after_our_close_any_end_is_the_end_and_before_it_a_close_frame_is_required() {
    let mut closing = session(Format::Lines, b"");
    closing.close();
    assert_eq!(sent(&mut closing), [(0x88, b"\x03\xe8".to_vec())]);
    closing.feed_end();
    assert_eq!(received(&mut closing).1, "End");
    let mut cut = session(Format::Lines, b"");
    cut.feed_end();
    assert!(received(&mut cut).1.contains("code 1006"));
}

#[test]
fn a_violation_is_answered_with_1002() {
    let mut session = session(Format::Lines, b"");
    session.feed(b"\x81\x81abcd!");
    assert_eq!(sent(&mut session), [(0x88, b"\x03\xea".to_vec())]);
    assert!(received(&mut session).1.contains("is masked"));
}

#[test]
fn only_the_pong_to_our_ping_counts() {
    let mut session = session(Format::Lines, b"");
    session.send_ping(b"1");
    assert_eq!(sent(&mut session), [(0x89, b"1".to_vec())]);
    session.feed(&frame(0x8a, b"2"));
    assert!(!session.is_readable() && !session.take_pong());
    session.feed(&frame(0x8a, b"1"));
    assert!(session.is_readable() && session.take_pong() && !session.take_pong());
}

#[test]
fn pings_that_arrive_together_are_answered_in_their_order() {
    let mut session = session(Format::Lines, b"");
    session.feed(&[frame(0x89, b"1"), frame(0x89, b"2"), frame(0x89, b"3")].concat());
    let pongs = [b"1", b"2", b"3"].map(|payload| (0x8a, payload.to_vec()));
    assert_eq!(sent(&mut session), pongs);
}

#[test]
fn a_mirror_returns_each_message_with_its_type_and_takes_no_more_until_it_is_sent() {
    let mut session = session(Format::Mirror, b"");
    session.feed(
        &[frame(0x01, b"a"), frame(0x89, b"?"), frame(0x80, b"b"), frame(0x82, b"")].concat(),
    );
    assert!(!session.wants_input() && !session.is_readable());
    let expected =
        [(0x01, b"a".to_vec()), (0x8a, b"?".to_vec()), (0x80, b"b".to_vec()), (0x82, Vec::new())];
    assert_eq!(sent(&mut session), expected);
    assert!(session.wants_input());
    session.feed(&frame(0x88, b"\x03\xe8"));
    assert_eq!(sent(&mut session), [(0x88, b"\x03\xe8".to_vec())]);
    assert_eq!(received(&mut session).1, "End");
}

#[test]
fn a_text_that_is_not_utf_8_is_answered_with_1007() {
    let mut session = session(Format::Mirror, b"");
    session.feed(b"\x81\x03a\xff");
    let frames = sent(&mut session);
    assert_eq!(
        frames.last(),
        Some(&(0x88, b"\x03\xef".to_vec())),
        "before the message is complete"
    );
    assert!(received(&mut session).1.contains("a text message is not UTF-8"));
}

#[test]
fn an_object_is_a_text_and_messages_of_the_server_are_lines_that_answer_none() {
    let mut session = session(Format::Objects, b"{\"a\":1}\n{\"b\"");
    assert_eq!(sent(&mut session), [(0x81, b"{\"a\":1}".to_vec())]);
    // A pretty object in two fragments, with a ping between them, and a binary message.
    session.feed(
        &[frame(0x01, b"{\n\"c\": "), frame(0x89, b"!"), frame(0x80, b"2\n}"), frame(0x82, b"{}")]
            .concat(),
    );
    assert_eq!(received(&mut session), (b"{ \"c\": 2 }\n{}\n".to_vec(), "Nothing".to_owned()));
    assert_eq!(sent(&mut session), [(0x8a, b"!".to_vec())]);
    session.feed(&frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(received(&mut session), (Vec::new(), "End".to_owned()));
}
