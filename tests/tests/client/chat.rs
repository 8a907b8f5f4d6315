//! Tests of `echo-client chat` in a real terminal and in a pipe, against servers whose answers the test has.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use regex::Regex;
use rustix::process::{Signal, kill_process};
use tempfile::TempDir;
use tests::{
    net::{WebSocketFault, WebSocketServer, mock_server},
    programs::{EchoServer, Program, Terminal, binaries, keys},
    system::procfs::children,
};

/// Serves a room with one member, `guest-1`: `answer` has the lines that follow a message; the message returns if it has none.
fn room(answer: impl Fn(&str) -> Option<String> + Clone + Send + 'static) -> SocketAddr {
    mock_server::serve(move |stream| {
        // A client may end its connection at any time.
        let _ = serve_room(stream, &answer);
    })
}

fn serve_room(
    mut stream: TcpStream,
    answer: &impl Fn(&str) -> Option<String>,
) -> std::io::Result<()> {
    stream.write_all(b"* You are guest-1 in lobby, with nobody else\n* guest-1 joined\n")?;
    let mut number = 1;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        let answer = match line.as_str() {
            "/seq on" => format!("* Sequence numbers are on; the last one is {number}\n"),
            "/who" => "* In lobby (1): guest-1\n".to_owned(),
            "exit" => return stream.write_all(b"Goodbye!\n"),
            "close" => return Ok(()),
            "goodbye" => "Goodbye!\n".to_owned(),
            text => answer(text).unwrap_or_else(|| {
                number += 1;
                format!("{number} guest-1: {text}\n")
            }),
        };
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn echo_room() -> SocketAddr {
    room(|_| None)
}

/// Starts a chat in a terminal, in a shell that shows the status and the settings of the terminal afterwards.
fn start(server: SocketAddr) -> (Terminal, TempDir) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let client = binaries::echo_client().display().to_string();
    let script = format!("'{client}' chat {server}; echo status $?; stty -a");
    let terminal = Terminal::start(PathBuf::from("/bin/sh"), &["-c", &script], home.path());
    terminal.wait_for("lobby | guest-1 | 1 member");
    (terminal, home)
}

/// Waits for the end; checks that the terminal is as it was. Returns the screen of the shell.
#[track_caller]
fn finish(terminal: Terminal, status: u32) -> String {
    let (_, screen) = terminal.finish();
    assert!(screen.contains(&format!("status {status}")), "{screen}");
    for setting in ["echo", "icanon", "isig", "icrnl", "opost"] {
        assert!(screen.split_whitespace().any(|it| it == setting), "{setting}: {screen}");
    }
    assert!(!screen.contains("lobby |"), "the screen of the chat is gone: {screen}");
    screen
}

/// Types a message, and waits until it has returned.
#[track_caller]
fn exchange(terminal: &mut Terminal, text: &str) {
    terminal.enter(text);
    terminal.wait_for(&format!("guest-1: {text}"));
}

#[test]
fn each_way_to_leave_ends_with_status_0_and_restores_the_terminal() {
    let server = echo_room();
    for (typed, key) in [
        ("/quit", keys::ENTER),
        ("exit", keys::ENTER),
        ("", keys::CTRL_C),
        ("half a li", keys::CTRL_C),
        ("", keys::CTRL_D),
    ] {
        let (mut terminal, _home) = start(server);
        exchange(&mut terminal, "hello");
        terminal.send(typed);
        terminal.wait_for_prompt(format!("> {typed}").trim_end());
        terminal.send(key);
        finish(terminal, 0);
    }
}

#[test]
fn a_signal_restores_the_terminal_and_ends_the_client_as_ever() {
    for (signal, status) in [(Signal::TERM, 128 + 15), (Signal::HUP, 128 + 1), (Signal::INT, 0)] {
        let (terminal, _home) = start(echo_room());
        let [client] = children(terminal.pid())[..] else { panic!("the shell has one child") };
        kill_process(client, signal).expect("the client runs");
        finish(terminal, status);
    }
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let (mut terminal, _home) = start(echo_room());
    exchange(&mut terminal, "one two three four five six seven eight nine ten eleven twelve");
    terminal.send("typed");
    terminal.resize(10, 40);
    let is_narrow = |screen: &str| {
        let rows: Vec<&str> = screen.lines().collect();
        rows.len() == 10
            && screen.contains("guest-1: one two three four five\n")
            && rows[8].starts_with(" lobby | guest-1")
            && rows[9] == "> typed"
    };
    terminal.wait_for_screen("narrow rows", is_narrow);
    terminal.resize(30, 120);
    terminal.wait_for_screen("wide rows", |screen| {
        screen.contains("guest-1: one two three four five six seven eight nine ten eleven twelve\n")
            && screen.lines().count() == 30
    });
    terminal.send(keys::CTRL_C);
    finish(terminal, 0);
}

#[test]
fn the_conversation_scrolls_and_shows_what_is_new() {
    let many: Vec<_> = (2..102).map(|number| format!("{number} ann: line {number}\n")).collect();
    let many = many.concat();
    let news = Arc::new(AtomicU64::new(103));
    let server = room(move |text| match text {
        "many" => Some(many.clone()),
        // One message is missing before each.
        "later" => Some(format!("{} ann: news\n", news.fetch_add(2, Ordering::SeqCst))),
        _ => None,
    });
    let (mut terminal, _home) = start(server);
    terminal.enter("many");
    terminal.wait_for("ann: line 101");
    terminal.send(keys::PAGE_UP);
    terminal.wait_for("Esc: newest message");
    assert!(!terminal.screen().contains("line 101"), "{}", terminal.screen());
    // A line that is sent shows the newest message, so the answer has to come first.
    terminal.send("later");
    terminal.wait_for_prompt("> later");
    terminal.send(keys::ENTER);
    terminal.wait_for("ann: news");
    terminal.wait_for("| 1 missing |");
    terminal.send(keys::PAGE_UP);
    terminal.wait_for("ann: line 60");
    terminal.send(keys::ESCAPE);
    terminal.wait_for("ann: news");
    assert!(!terminal.screen().contains("-- new messages"), "{}", terminal.screen());
    // A terminal tells that it has lost the focus.
    terminal.send("later\x1b[O\r");
    terminal.wait_for_screen("a marker before the news", |screen| {
        let rows: Vec<&str> = screen.lines().collect();
        rows.windows(2)
            .any(|rows| rows[0].starts_with("-- new messages --") && rows[1].contains("ann: news"))
    });
    terminal.send("\x1b[I");
    // The history and the completion.
    terminal.send(keys::UP);
    terminal.wait_for_prompt("> later");
    terminal.send("\x15/q");
    terminal.send(keys::TAB);
    terminal.wait_for_prompt("> /quit");
    terminal.send(keys::ENTER);
    let screen = finish(terminal, 0);
    assert!(screen.contains("Warning: events of the room: 2 missing"), "{screen}");
}

#[test]
fn a_hostile_server_does_not_reach_the_terminal() {
    let evil = "\x1b]0;EVIL\x07\x1b[31mEVIL\x1b[2J\u{9b}31m\u{202e}\r\x08";
    let lines = [
        format!("2 ann{}: {evil}\n", "\x1b[7m"),
        format!("3 * {}eve joined\n", "\x1b[7m"),
        format!("* {evil}\n! {evil}\n"),
        format!("* In lobby (1): {}bob\n", "\x1b[7m"),
        "* You are \x1b[7mguest-1 in \x1b[7mlobby, with nobody else\n".to_owned(),
    ]
    .concat();
    let server = room(move |text| (text == "attack").then(|| lines.clone()));
    let (mut terminal, _home) = start(server);
    terminal.enter("attack");
    terminal.wait_for(r"\x1b[7mlobby | \x1b[7mguest-1");
    terminal.wait_for(r"ann\x1b[7m: \x1b]0;EVIL\x07\x1b[31mEVIL\x1b[2J\u{9b}31m\u{202e}\r\x08");
    let written = terminal.raw_text();
    for sequence in ["\x1b]", "\x1b[31mE", "\x1b[7mlobby", "\x07", "\u{9b}", "\u{202e}", "\x08"] {
        assert!(!written.contains(sequence), "{sequence:?}");
    }
    terminal.send(keys::CTRL_C);
    finish(terminal, 0);
}

#[test]
fn the_end_of_the_connection_is_shown_and_is_a_failure() {
    let (mut terminal, _home) = start(echo_room());
    terminal.enter("close");
    terminal.wait_for("! The connection has ended: The server has closed the connection");
    terminal.wait_for("connection ended: Enter to leave");
    terminal.send(keys::ENTER);
    let screen = finish(terminal, 1);
    assert!(screen.contains("Error: The server has closed the connection"), "{screen}");
}

#[test]
fn a_pipe_has_lines_or_objects_and_a_status() {
    let server = echo_room();
    let chat = |args: &[&str], input: &[u8]| {
        let server = server.to_string();
        let args = [&["chat", server.as_str()], args].concat();
        let mut client = Program::start(binaries::echo_client(), &args);
        client.feed_all(input.to_vec());
        client.finish_with_open_stdin()
    };
    let ended = chat(&[], b"one\ntwo");
    let expected = "* You are guest-1 in lobby, with nobody else\n* guest-1 joined\nguest-1: one\nguest-1: two\n";
    assert_eq!((ended.code(), ended.stdout_text()), (0, expected), "{ended:?}");
    let ended = chat(&["--json"], b"one\n");
    let last = ended.stdout_text().lines().last();
    let expected = r#"{"type":"message","seq":2,"name":"guest-1","text":"one"}"#;
    assert_eq!((ended.code(), last), (0, Some(expected)), "{ended:?}");
    let mut client =
        Program::start(binaries::echo_client(), &["chat", "--seq", &server.to_string()]);
    client.feed(b"one\nclose\n");
    let ended = client.finish_with_open_stdin();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stdout_text().ends_with("\n2 guest-1: one\n"), "{ended:?}");
    assert_eq!(ended.stderr, "Error: The server has closed the connection\n");
}

#[test]
fn clients_of_every_framing_share_a_room_and_its_numbers() {
    let server = EchoServer::start_with(&[
        "--listen",
        "tcp://127.0.0.1:0?protocol=room",
        "--listen",
        "tcp://127.0.0.1:0?protocol=room&framing=length&room=other&join=on",
        "--listen",
        "http://127.0.0.1:0?protocol=room",
    ]);
    let address = |at: usize| server.addresses()[at].rsplit('/').next().unwrap_or_default();
    let websocket = format!("ws://{}/team", address(2));
    let start = |args: &[&str]| {
        let args = [&["chat", "--json"], args].concat();
        let client = Program::start(binaries::echo_client(), &args);
        let _ = client.stdout.wait_for_line("\"type\":\"joined\"");
        client
    };
    let mut clients = [
        start(&[address(0), "--room", "team", "--name", "text"]),
        start(&[address(1), "--room", "team", "--name", "length", "--protocol", "length"]),
        start(&[&websocket, "--name", "json"]),
    ];
    let number = Regex::new("\"seq\":(\\d+)").expect("the expression is valid");
    for (at, name) in ["text", "length", "json"].into_iter().enumerate() {
        clients[at].feed(format!("from {name}\n").as_bytes());
        let numbers = clients.each_ref().map(|client| {
            let line = client.stdout.wait_for_line(&format!("\"{name}\",\"text\":\"from {name}\""));
            number.captures(&line).map(|found| found[1].to_owned())
        });
        assert!(numbers[0].is_some() && numbers.iter().all(|it| *it == numbers[0]), "{numbers:?}");
    }
    for client in clients {
        let ended = client.finish();
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{ended:?}");
    }
}

#[test]
fn a_server_without_a_room_is_named_with_what_to_do() {
    let run = |server: &str, args: &[&str]| {
        let ended = Program::run_client(&[&["chat", server], args].concat());
        assert_eq!(ended.code(), 1, "{ended:?}");
        ended.stderr.clone()
    };
    let echo = EchoServer::start(&[]);
    let address = echo.address().to_string();
    assert_eq!(
        run(&address, &[]),
        "Error: The server has no room here: it sent '/seq on'\n\
         Chat needs a listener with protocol=room in its URL.\n"
    );
    let silent = run(&address, &["--protocol", "length", "--timeout", "1s"]);
    assert_eq!(silent, "Error: No reply from the server within 1s\n");
    let websocket = WebSocketServer::start(WebSocketFault::None);
    let error = run(&websocket.url(), &[]);
    let expected = "the server does not speak the subprotocol rooms.v1.json at this path";
    assert!(error.contains(expected), "{error}");
    let http = EchoServer::start_with(&["--listen", "http://127.0.0.1:0"]);
    let error = run(&http.address().to_string(), &[]);
    assert!(
        error.starts_with("Error: The server answered with HTTP instead of a room\n"),
        "{error}"
    );
    assert!(error.contains("Tip: the server speaks HTTP: use ws://"), "{error}");
}
