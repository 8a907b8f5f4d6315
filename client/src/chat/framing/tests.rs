//! The forms of events, against those of the server.

use common::{
    frame,
    room::{self, Frame, Input, JsonEvent, JsonInput},
};
use proptest::prelude::*;

use super::{
    encode::{encode, returned_text},
    kind::Framing,
    parser::Parser,
};
use crate::chat::event::Event;

/// Events as the server has them, and whether a text line has all of each.
fn server_events() -> Vec<room::Event<'static>> {
    use room::Event as E;
    vec![
        E::Welcome { number: 41, room: "lobby", name: "bob", members: 3, is_recorded: false },
        E::Joined { number: 42, name: "bob" },
        E::Message {
            number: 43,
            name: "@ann",
            text: b"a: b \x1b[2J\xff \\",
            time: 7,
            is_replayed: false,
        },
        E::Renamed { number: 44, name: "bob", to: "carol" },
        E::Left { number: 45, name: "carol" },
        E::RelayGap { number: 46, server: "a1b2c3", count: 12 },
        E::RelayGap { number: 47, server: "a1b2c3", count: 1 },
        E::Gap { first: 48, count: 12 },
        E::Gap { first: 60, count: 1 },
        E::Members { room: "lobby", count: 43, names: "bob\n@ann\ncarol~a1b2c3" },
        E::Members { room: "lobby", count: 1, names: "bob" },
        E::Info { text: "You have left lobby" },
        E::Error { text: "That name is taken" },
    ]
}

fn bytes(framing: Framing, event: &room::Event<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match framing {
        Framing::Text => event.write_lines(true, &mut bytes),
        Framing::Length => Frame::of(event, |frame| {
            let mut payload = Vec::new();
            frame.encode(&mut payload);
            bytes = frame::encode(&payload).unwrap();
        }),
        Framing::Json => {
            bytes = serde_json::to_vec(&JsonEvent::from(*event)).unwrap();
            bytes.push(b'\n');
        }
    }
    bytes
}

fn parse(framing: Framing, pieces: &[&[u8]]) -> Result<Vec<Event>, String> {
    let (mut parser, mut events) = (Parser::new(framing), Vec::new());
    for piece in pieces {
        parser.feed(piece, &mut events).map_err(|error| error.to_string())?;
    }
    parser.end().map_err(|error| error.to_string())?;
    Ok(events)
}

#[test]
fn every_framing_has_the_same_lines_as_the_server_at_every_split() {
    for framing in [Framing::Text, Framing::Length, Framing::Json] {
        let stream: Vec<u8> =
            server_events().iter().flat_map(|event| bytes(framing, event)).collect();
        let whole = parse(framing, &[&stream]).unwrap();
        for (event, server) in whole.iter().zip(server_events()) {
            assert_eq!(event.number(), server.number(), "{framing:?}");
            let mut line = Vec::new();
            server.write_lines(false, &mut line);
            let line = String::from_utf8(line).unwrap();
            match event {
                // Only the number of members is missing in a frame.
                Event::Welcome { members: None, .. } => {
                    assert!(line.starts_with(&event.to_string()), "{event}");
                }
                // The range of a gap is always known here.
                Event::Gap { .. } => assert!(event.to_string().contains("lost (")),
                _ => assert_eq!(format!("{event}\n"), line, "{framing:?}"),
            }
        }
        assert_eq!(whole.len(), server_events().len());
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(parse(framing, &[head, tail]).as_ref(), Ok(&whole), "{framing:?} at {at}");
        }
    }
}

#[test]
fn lines_without_numbers_have_the_same_meaning() {
    let stream = b"* You are bob in lobby, with nobody else\n* Messages in this room are recorded\n\
        * The last 2 messages:\nann: one\n7 ann: two\n* bob joined\n* Sequence numbers are on; the last one is 9\n\
        10 42: hi\n42: hi\n* 3 messages were lost: this connection is too slow\nGoodbye!\n";
    let events = parse(Framing::Text, &[stream]).unwrap();
    let message = |number, name: &str, text: &str, is_replayed| Event::Message {
        number,
        name: name.to_owned(),
        text: text.to_owned(),
        time: None,
        is_replayed,
    };
    assert_eq!(
        events[3..],
        [
            message(None, "ann", "one", true),
            message(Some(7), "ann", "two", true),
            Event::Joined { number: None, name: "bob".to_owned() },
            Event::Numbered { last: 9 },
            message(Some(10), "42", "hi", false),
            message(None, "42", "hi", false),
            Event::Gap { first: None, count: 3 },
            Event::Goodbye,
        ]
    );
}

#[test]
fn what_is_no_room_is_named_with_what_to_do() {
    let login = b"-ERR Log in first: AUTH MECHANISM\r\n";
    for (framing, stream, expected) in [
        (
            Framing::Text,
            &b"/seq on\n"[..],
            "The server has no room here: it sent '/seq on'\nChat needs a listener with protocol=room in its URL.",
        ),
        (
            Framing::Text,
            b"\0\0\0\x16w\0\0\0",
            "The server seems to send frames: use --protocol length.",
        ),
        (Framing::Length, b"* You are bob in", "The server seems to send lines: omit --protocol."),
        (Framing::Text, b"HTTP/1.1 400 Bad Request\r\n", "answered with HTTP"),
        (
            Framing::Text,
            login,
            "The server requires a login: it answered '-ERR Log in first: AUTH MECHANISM'",
        ),
        (
            Framing::Text,
            b"Server is full: try later\n",
            "The server refused the connection: 'Server is full: try later'",
        ),
        (
            Framing::Text,
            b"* bob joined\n5 * what is this\n",
            "something that is no event of a room: '5 * what is this'",
        ),
        (
            Framing::Text,
            b"* bob joined\nhalf a li",
            "something that is no event of a room: 'half a li'",
        ),
        (Framing::Json, b"{\"type\":\"message\"}\n", "The server has no room here: it sent '{"),
        (Framing::Length, b"\0\0\0\x03wow", "The server has no room here: it sent 'wow'"),
        (Framing::Text, &[21, 3, 3, 0, 2, 2, 50], "TLS alert"),
    ] {
        let error = parse(framing, &[stream]).unwrap_err();
        assert!(error.contains(expected), "{framing:?}: {error}");
    }
}

#[test]
fn an_event_without_an_end_is_refused() {
    let mut parser = Parser::new(Framing::Text);
    let piece = [b'x'; 1024];
    let fed = (0..)
        .find_map(|count| parser.feed(&piece, &mut Vec::new()).err().map(|error| (count, error)));
    let (count, error) = fed.unwrap();
    assert_eq!(count, 64);
    assert!(error.to_string().contains("an event that is too long"), "{error}");
    assert!(parse(Framing::Length, &[&[0, 1, 0, 1]]).unwrap_err().contains("too long"));
}

#[test]
fn an_input_has_a_form_in_each_framing() {
    for (typed, text, json) in [
        ("hello", "hello\n", r#"{"type":"message","text":"hello"}"#),
        ("//etc", "//etc\n", r#"{"type":"message","text":"/etc"}"#),
        ("/join team", "/join team\n", r#"{"type":"join","room":"team"}"#),
        ("/leave", "/leave\n", r#"{"type":"leave"}"#),
        ("/name bob", "/name bob\n", r#"{"type":"name","name":"bob"}"#),
        ("/who", "/who\n", r#"{"type":"who"}"#),
        (" EXIT ", "exit\n", r#"{"type":"exit"}"#),
    ] {
        let input = Input::parse(typed.as_bytes()).unwrap();
        assert_eq!(encode(Framing::Text, &input), text.as_bytes());
        assert_eq!(encode(Framing::Length, &input)[4..], *text.trim_end().as_bytes());
        let object = encode(Framing::Json, &input);
        assert_eq!(object, format!("{json}\n").as_bytes());
        assert!(serde_json::from_slice::<JsonInput<'_>>(&object).is_ok());
    }
    assert_eq!(encode(Framing::Json, &Input::parse(b"/seq on").unwrap()), b"");
}

proptest! {
    /// A message that one sends is recognised when it returns, whatever its bytes are.
    #[test]
    fn a_message_returns_in_the_expected_form(text in proptest::collection::vec(any::<u8>(), 1..60)) {
        let text: Vec<u8> = text.into_iter().filter(|&byte| byte != b'\n').collect();
        prop_assume!(!text.is_empty());
        for framing in [Framing::Text, Framing::Length, Framing::Json] {
            let event = room::Event::Message { number: 1, name: "a", text: &text, time: 0, is_replayed: false };
            let events = parse(framing, &[&bytes(framing, &event)]).unwrap();
            let [Event::Message { text: returned, .. }] = &events[..] else { panic!("{events:?}") };
            prop_assert_eq!(returned, &returned_text(framing, &text));
        }
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for framing in [Framing::Text, Framing::Length, Framing::Json] {
            let _ = parse(framing, &[&bytes]);
        }
    }
}
