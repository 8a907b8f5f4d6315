//! The way into a room, the mode for pipes and the session in a terminal, over a socket pair.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
};

use ratatui::{Terminal, backend::TestBackend};

use super::{
    Error,
    config::{ChatConfig, Output},
    connection::Connection,
    editor::{keys::Action, line::Edit},
    enter::enter,
    framing::kind::Framing,
    plain,
    session::{Session, State},
};
use crate::{
    net::{self, poll::Deadline, stream::Stream},
    testing::{LONG, SHORT, served_by},
};

const WELCOME: &str = "* You are guest-1 in lobby, with nobody else\n* guest-1 joined\n";
const NUMBERED: &str = "* Sequence numbers are on; the last one is 1\n";

fn config() -> ChatConfig {
    ChatConfig {
        name: None,
        room: None,
        uses_frames: false,
        shows_numbers: false,
        output: Output::Lines,
    }
}

/// Serves a script: a line that is expected, and the answer to it. The welcome is sent first.
fn scripted(script: &'static [(&'static str, &'static str)]) -> Stream<'static> {
    served_by(move |mut stream| {
        stream.write_all(WELCOME.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for (expected, answer) in script {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), *expected);
            stream.write_all(answer.as_bytes()).unwrap();
        }
        // The client ends the connection after the goodbye.
        let _ = reader.read_to_end(&mut Vec::new());
    })
}

/// Chats with a server; returns what is printed, and the error.
fn chat(stream: Stream<'_>, config: &ChatConfig, input: &[u8]) -> (String, String) {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(input).unwrap();
    drop(theirs);
    let (mut connection, mut output) = (Connection::new(stream, Framing::Text), Vec::new());
    let result = enter(&mut connection, config, false)
        .and_then(|events| plain::run(connection, &events, config, &mut ours, &mut output));
    let error = result.err().map(|error| error.to_string()).unwrap_or_default();
    (String::from_utf8(output).unwrap(), error)
}

#[test]
fn a_pipe_sends_its_lines_and_ends_after_they_have_returned() {
    let stream = scripted(&[
        ("/seq on", NUMBERED),
        ("one", "2 guest-1: one\n3 ann: hi\n"),
        ("//two", "4 guest-1: /two\n"),
        ("/who", "* In lobby (1): guest-1\n"),
        ("three", ""),
        ("exit", "5 guest-1: three\nGoodbye!\n"),
    ]);
    let (output, error) = chat(stream, &config(), b"one\r\n\n//two\n/who\nthree");
    assert_eq!(error, "");
    let expected =
        "guest-1: one\nann: hi\nguest-1: /two\n* In lobby (1): guest-1\nguest-1: three\n";
    assert_eq!(output, format!("{WELCOME}{expected}"));
}

#[test]
fn numbers_are_printed_on_request_and_nothing_follows_an_exit() {
    let script =
        &[("/seq on", NUMBERED), ("one", "2 guest-1: one\n"), ("exit", "3 * ann left\nGoodbye!\n")];
    let config = ChatConfig { shows_numbers: true, ..config() };
    let (output, error) = chat(scripted(script), &config, b"one\nEXIT\ntwo\n");
    assert_eq!(
        (output, error),
        (format!("{WELCOME}2 guest-1: one\n3 * ann left\n"), String::new())
    );
}

#[test]
fn a_message_that_does_not_return_is_a_loss() {
    let script = &[
        ("/seq on", NUMBERED),
        ("one", ""),
        ("two", "* 1 message was lost (2-2): this connection is too slow\n3 guest-1: two\n"),
        ("three", "! You are in no room\n"),
        ("exit", "6 guest-2: x\nGoodbye!\n"),
    ];
    let (_, error) = chat(scripted(script), &config(), b"one\ntwo\nthree\n");
    assert_eq!(
        error,
        "2 messages did not return from the room; events of the room: 1 dropped, 2 missing"
    );
}

#[test]
fn a_line_that_no_room_takes_is_not_sent() {
    let script = &[("/seq on", NUMBERED), ("x", "2 guest-1: x\n"), ("exit", "Goodbye!\n")];
    let input = [&[b'y'; 10_000][..], b"\n/bogus\nx\n"].concat();
    let (_, error) = chat(scripted(script), &config(), &input);
    assert_eq!(error, "2 lines were not sent");
}

#[test]
fn the_end_of_the_connection_is_an_error() {
    let closes = |answer: &'static str| {
        served_by(move |mut stream| {
            stream.write_all(WELCOME.as_bytes()).unwrap();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        })
    };
    // The input never ends.
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection::new(closes(NUMBERED), Framing::Text);
    let events = enter(&mut connection, &config(), false).unwrap();
    let result = plain::run(connection, &events, &config(), &mut { ours }, &mut Vec::new());
    assert!(matches!(result, Err(Error::Closed)), "{result:?}");
    let mut connection = Connection::new(closes(""), Framing::Text);
    let result = enter(&mut connection, &config(), false);
    assert!(matches!(result, Err(Error::Closed)), "{result:?}");
}

#[test]
fn the_room_and_the_name_are_taken_before_the_first_message() {
    let config = ChatConfig { room: Some("team".into()), name: Some("bob".into()), ..config() };
    let script = &[
        ("/seq on", NUMBERED),
        ("/leave", "* You have left lobby\n"),
        ("/name bob", "* You are now bob\n"),
        ("/join team", "* You are bob in team, with 2 others\n9 * bob joined\n10 ann: hi\n"),
        ("x", "11 bob: x\n"),
        ("exit", "Goodbye!\n"),
    ];
    let (output, error) = chat(scripted(script), &config, b"x\n");
    assert_eq!(error, "");
    let expected = "* You are bob in team, with 2 others\n* bob joined\nann: hi\nbob: x\n";
    assert_eq!(output, expected);
}

#[test]
fn a_refused_room_or_name_is_an_error_with_the_words_of_the_server() {
    let refused = |config: &ChatConfig, script| {
        let mut connection = Connection::new(scripted(script), Framing::Text);
        enter(&mut connection, config, false).unwrap_err().to_string()
    };
    let room = ChatConfig { room: Some("team".into()), ..config() };
    let script = &[("/seq on", NUMBERED), ("/join team", "! Rooms cannot be chosen \x1b[2J\n")];
    assert_eq!(
        refused(&room, script),
        r"Could not join the room team: Rooms cannot be chosen \x1b[2J"
    );
    let taken =
        "Could not take the name bob: That name is taken; choose another with --name, or omit it";
    let name = ChatConfig { name: Some("bob".into()), ..config() };
    let script = &[("/seq on", NUMBERED), ("/name bob", "! That name is taken\n")];
    assert_eq!(refused(&name, script), taken);
    let both = ChatConfig { room: Some("team".into()), ..name };
    let script = &[
        ("/seq on", NUMBERED),
        ("/leave", "* You have left lobby\n"),
        ("/name bob", "* You are now bob\n"),
        ("/join team", "* You are guest-2 in team, with 1 other\n! That name is taken\n"),
    ];
    assert_eq!(refused(&both, script), taken);
}

/// The name of a guest in one room may be that of another in the next room.
#[test]
fn another_name_of_a_guest_in_the_wanted_room_is_no_failure() {
    let room = ChatConfig { room: Some("team".into()), ..config() };
    let script = &[
        ("/seq on", NUMBERED),
        ("/join team", "* You are guest-2 in team, with 1 other\n! That name is taken\n"),
        ("exit", "Goodbye!\n"),
    ];
    assert_eq!(chat(scripted(script), &room, b"").1, "");
}

#[test]
fn a_server_that_sends_no_welcome_is_late() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection::new(Stream::new(ours, SHORT), Framing::Length);
    let result = enter(&mut connection, &config(), false);
    assert!(matches!(result, Err(Error::Net(net::Error::NoReply(_)))), "{result:?}");
}

/// Returns a session in a terminal of 60 columns and 8 rows, which has entered the room.
fn session(script: &'static [(&'static str, &'static str)]) -> (Session<'static>, View) {
    let mut connection = Connection::new(scripted(script), Framing::Text);
    let events = enter(&mut connection, &config(), false).unwrap();
    let mut session = Session::new(connection, "server", false);
    session.receive(&events);
    (session, Terminal::new(TestBackend::new(60, 8)).unwrap())
}

type View = Terminal<TestBackend>;

fn press(session: &mut Session<'_>, line: &str) {
    session.act(Action::Edit(Edit::Insert(line.to_owned())));
    session.act(Action::Submit);
}

/// Waits for events; returns the screen.
fn screen(session: &mut Session<'_>, view: &mut View, expected: &str) -> String {
    loop {
        view.draw(|frame| session.draw(frame)).unwrap();
        let screen = view.backend().to_string();
        if screen.contains(expected) {
            return screen;
        }
        session.connection().wait(None, Deadline::after(LONG)).unwrap();
        session.receive_events();
    }
}

#[test]
fn a_line_that_cannot_be_sent_stays_and_commands_of_the_client_are_not_sent() {
    let script =
        &[("/seq on", NUMBERED), ("/who", "* In lobby (1): guest-1\n"), ("x", "2 guest-1: x\n")];
    let (mut session, mut view) = session(script);
    press(&mut session, "/bogus");
    let shown = screen(&mut session, &mut view, "! Unknown command");
    assert!(shown.contains("> /bogus"), "{shown}");
    session.act(Action::Edit(Edit::DeleteToStart));
    press(&mut session, "/help");
    press(&mut session, "/seq on");
    press(&mut session, "");
    press(&mut session, "x");
    let shown = screen(&mut session, &mut view, "2 guest-1: x");
    assert!(shown.contains("Page Up and Page Down: scroll"), "{shown}");
}

#[test]
fn leaving_waits_for_the_goodbye_once() {
    let script = &[("/seq on", NUMBERED), ("/who", ""), ("exit", "2 ann: bye\nGoodbye!\n")];
    let (mut session, mut view) = session(script);
    session.leave();
    assert!(matches!(session.state(), State::Leaving(_)));
    let shown = screen(&mut session, &mut view, "ann: bye");
    assert!(shown.contains("* Leaving"), "{shown}");
    while !matches!(session.state(), State::Left) {
        session.connection().wait(None, Deadline::after(LONG)).unwrap();
        session.receive_events();
    }
    assert!(session.into_failure().is_none());
    let (mut session, _) = self::session(&[("/seq on", NUMBERED), ("/who", ""), ("exit", "")]);
    session.leave();
    session.leave();
    assert!(matches!(session.state(), State::Left));
}

#[test]
fn a_goodbye_without_a_question_is_the_end_of_the_connection() {
    let stream = served_by(|mut stream| {
        stream.write_all(WELCOME.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        reader.read_line(&mut String::new()).unwrap();
        stream.write_all(NUMBERED.as_bytes()).unwrap();
        reader.read_line(&mut String::new()).unwrap();
        stream.write_all(b"Goodbye!\n").unwrap();
    });
    let mut connection = Connection::new(stream, Framing::Text);
    let events = enter(&mut connection, &config(), false).unwrap();
    let mut session = Session::new(connection, "server", false);
    session.receive(&events);
    let mut view = Terminal::new(TestBackend::new(60, 8)).unwrap();
    let shown = screen(&mut session, &mut view, "connection ended: Enter to leave");
    assert!(shown.contains("! The connection has ended: The server has closed"), "{shown}");
    session.act(Action::Submit);
    assert!(matches!(session.state(), State::Left));
    assert!(matches!(session.into_failure(), Some(Error::Closed)));
}
