//! The forms of events and inputs.

use super::*;

fn events() -> Vec<Event<'static>> {
    vec![
        Event::Message { number: 42, name: "bob", text: b"hello", time: 7, is_replayed: false },
        Event::Message {
            number: 4,
            name: "@ann",
            text: b"\x1b[2J\xff",
            time: 7,
            is_replayed: true,
        },
        Event::Joined { number: 1, name: "bob" },
        Event::Left { number: 2, name: "bob" },
        Event::Renamed { number: 3, name: "bob", to: "carol" },
        Event::RelayGap { number: 5, server: "a1b2c3", count: 12 },
        Event::Welcome { number: 41, room: "lobby", name: "bob", members: 1, is_recorded: false },
        Event::Welcome { number: 41, room: "lobby", name: "bob", members: 3, is_recorded: true },
        Event::Gap { first: 44, count: 12 },
        Event::Members { room: "lobby", count: 3, names: "bob\n@ann" },
        Event::Info { text: "You have left lobby" },
        Event::Error { text: "That name is taken" },
    ]
}

fn lines(numbered: bool) -> String {
    let mut lines = Vec::new();
    for event in events() {
        event.write_lines(numbered, &mut lines);
    }
    String::from_utf8(lines).unwrap()
}

#[test]
fn a_line_is_printable_and_begins_with_its_number_on_request() {
    let expected = r"42 bob: hello
4 @ann: \x1b[2J\xff
1 * bob joined
2 * bob left
3 * bob is now carol
5 * 12 messages of server a1b2c3 were lost
* You are bob in lobby, with nobody else
* You are bob in lobby, with 2 others
* Messages in this room are recorded
* 12 messages were lost (44-55): this connection is too slow
* In lobby (3): bob, @ann, and 1 more
* You have left lobby
! That name is taken
";
    assert_eq!(lines(true), expected);
    let numbers = regex::Regex::new(r"(?m)^\d+ | \(44-55\)").unwrap();
    assert_eq!(lines(false), numbers.replace_all(expected, ""));
}

#[test]
fn a_frame_has_the_bytes_of_the_sender() {
    for event in events() {
        let mut payload = Vec::new();
        Frame::of(&event, |frame| {
            frame.encode(&mut payload);
            assert_eq!(Frame::parse(&payload), Some(frame));
        });
        for len in 0..10 {
            assert_eq!(Frame::parse(&payload[..len]), None);
        }
        if let Event::Message { text, name, .. } = event {
            let frame = Frame::parse(&payload).unwrap();
            assert_eq!((frame.name, frame.text), (name, text));
        }
    }
    assert_eq!(Frame::parse(b"Goodbye!\0\0"), None);
}

#[test]
fn a_name_that_is_too_long_for_a_frame_is_cut_at_a_character() {
    let name = "\u{e9}".repeat(200);
    let mut payload = Vec::new();
    Frame::of(&Event::Joined { number: 1, name: &name }, |frame| frame.encode(&mut payload));
    assert_eq!(Frame::parse(&payload).unwrap().name, "\u{e9}".repeat(127));
}

#[cfg(feature = "room-json")]
#[test]
fn an_object_says_what_the_event_is() {
    let objects = [
        r#"{"type":"message","seq":42,"name":"bob","text":"hello","time":7}"#,
        r#"{"type":"message","seq":4,"name":"@ann","text":"\\x1b[2J\\xff","time":7,"replayed":true}"#,
        r#"{"type":"joined","seq":1,"name":"bob"}"#,
        r#"{"type":"left","seq":2,"name":"bob"}"#,
        r#"{"type":"renamed","seq":3,"name":"bob","to":"carol"}"#,
        r#"{"type":"relay-gap","seq":5,"server":"a1b2c3","count":12}"#,
        r#"{"type":"welcome","room":"lobby","name":"bob","seq":41,"members":1,"recorded":false}"#,
        r#"{"type":"welcome","room":"lobby","name":"bob","seq":41,"members":3,"recorded":true}"#,
        r#"{"type":"gap","seq":44,"count":12}"#,
        r#"{"type":"members","room":"lobby","count":3,"names":["bob","@ann"]}"#,
        r#"{"type":"info","text":"You have left lobby"}"#,
        r#"{"type":"error","text":"That name is taken"}"#,
    ];
    for (event, expected) in events().into_iter().zip(objects) {
        let object = JsonEvent::from(event);
        assert_eq!(serde_json::to_string(&object).unwrap(), expected);
        assert_eq!(serde_json::from_str::<JsonEvent<'_>>(expected).unwrap(), object);
    }
}

#[test]
fn a_command_has_one_meaning_and_a_wrong_one_says_why() {
    let command = |text: &'static str| match Input::parse(text.as_bytes()) {
        Ok(Input::Command(command)) => Ok(command),
        Err(error) => Err(error),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(command("/join team-1"), Ok(Command::Join(Some("team-1"))));
    assert_eq!(command("/join"), Ok(Command::Join(None)));
    assert_eq!(command("/name  bob "), Ok(Command::Name("bob")));
    assert_eq!(command("/seq on"), Ok(Command::Numbers(true)));
    assert_eq!(command("/seq off"), Ok(Command::Numbers(false)));
    assert_eq!(command("/leave"), Ok(Command::Leave));
    assert_eq!(command("/who"), Ok(Command::Who));
    assert_eq!(command("/help"), Ok(Command::Help));
    for text in ["/join a b", "/join @a", "/join -a"] {
        assert_eq!(command(text), Err(CommandError::Room), "{text}");
    }
    for text in ["/name", "/name a b", "/name @bob", "/name bob~a1", "/name guest\u{e9}"] {
        assert_eq!(command(text), Err(CommandError::Name), "{text}");
    }
    assert_eq!(command("/seq"), Err(CommandError::Numbers));
    for text in ["/", "/unknown", "/who is there", "/JOIN a"] {
        assert_eq!(command(text), Err(CommandError::Unknown), "{text}");
    }
    assert!(Input::parse(b"/\xff").is_err());
}

#[test]
fn everything_else_is_a_message_up_to_the_limit() {
    assert_eq!(Input::parse(b""), Ok(Input::Empty));
    assert_eq!(Input::parse(b" EXIT"), Ok(Input::Exit));
    assert_eq!(Input::parse(b"exit now"), Ok(Input::Message(b"exit now")));
    let longest = vec![b'x'; MAX_TEXT];
    assert_eq!(Input::parse(&longest), Ok(Input::Message(&longest)));
    let over = vec![b'x'; MAX_TEXT + 1];
    assert_eq!(Input::parse(&over), Err(CommandError::TooLong(MAX_TEXT + 1)));
}
