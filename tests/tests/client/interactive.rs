//! Tests of the interactive client in a real terminal: its screen is exactly that of the original.

use std::{io::Write as _, net::SocketAddr};

use tempfile::TempDir;
use tests::{
    net::mock_server,
    programs::{EchoServer, Terminal, keys},
};

const PROMPT: &str = "Enter message:";

/// Starts a client in a terminal and waits for its first prompt; returns the terminal and the home directory.
fn at_the_prompt(server: SocketAddr) -> (Terminal, TempDir) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let terminal = Terminal::client(server, &[], home.path());
    terminal.wait_for_prompt(PROMPT);
    (terminal, home)
}

/// Types a line; waits for its echo and for the next prompt.
#[track_caller]
fn exchange(terminal: &mut Terminal, line: &str) {
    terminal.enter(line);
    terminal.wait_for_prompt(&format!("Server echo: {line}\n\n{PROMPT}"));
}

fn banner(server: SocketAddr) -> String {
    format!(
        "Echo Client\n\
         ====================\n\
         Connected to echo server at {server}\n\
         Type 'exit' to quit the client\n\
         ----------------------------------------\n"
    )
}

#[test]
fn shows_the_screen_of_the_original() {
    let server = EchoServer::start(&[]);
    let (mut terminal, _home) = at_the_prompt(server.address());
    exchange(&mut terminal, "Hello, Server!");
    exchange(&mut terminal, "Testing 123");
    terminal.enter("exit");
    let (status, screen) = terminal.finish();
    assert_eq!(status, 0, "{screen}");
    assert_eq!(
        screen,
        banner(server.address())
            + "Enter message: Hello, Server!\n\
               Server echo: Hello, Server!\n\
               \n\
               Enter message: Testing 123\n\
               Server echo: Testing 123\n\
               \n\
               Enter message: exit\n\
               Server response: Goodbye!\n\
               Disconnected from server"
    );
}

#[test]
fn ctrl_c_and_ctrl_d_send_exit_and_quit() {
    let server = EchoServer::start(&[]);
    for (key, typed) in [
        (keys::CTRL_C, ""),
        (keys::CTRL_D, ""),
        // Ctrl+C quits also after a part of a line. Ctrl+D does not, as in other line editors.
        (keys::CTRL_C, "half a li"),
    ] {
        let (mut terminal, _home) = at_the_prompt(server.address());
        exchange(&mut terminal, "hello");
        terminal.send(typed);
        terminal.wait_for_prompt(format!("{PROMPT} {typed}").trim_end());
        terminal.send(key);
        let (status, screen) = terminal.finish();
        assert_eq!(status, 0, "{screen}");
        let end: Vec<&str> = screen.lines().rev().take(3).collect();
        assert_eq!(
            end,
            ["Disconnected from server", "Server response: Goodbye!", "Exiting..."],
            "{screen}"
        );
    }
    let _ = server.log().wait_for_lines("Client {peer} requested to exit", 3);
}

#[test]
fn sends_no_empty_message() {
    let server = EchoServer::start(&[]);
    let (mut terminal, _home) = at_the_prompt(server.address());
    for (number, blank) in (2..).zip(["", "   "]) {
        terminal.enter(blank);
        terminal.wait_for_screen(&format!("{number} prompts"), |screen| {
            screen.matches(PROMPT).count() == number && screen.ends_with(PROMPT)
        });
    }
    exchange(&mut terminal, "hello");
    terminal.enter("exit");
    let (status, screen) = terminal.finish();
    assert_eq!(status, 0, "{screen}");
    assert_eq!(screen.matches("Server echo:").count(), 1, "{screen}");
    let log = server.terminate().1;
    assert_eq!(log.matches("Received from").count(), 2, "{log}");
}

/// The client sends pasted lines, and lines typed while it is busy, one after the other.
#[test]
fn sends_every_line_that_is_typed_ahead() {
    let server = EchoServer::start(&[]);
    let (mut terminal, _home) = at_the_prompt(server.address());
    terminal.send("one\rtwo\r\rthree\r");
    terminal.wait_for_prompt(&format!("Server echo: three\n\n{PROMPT}"));
    terminal.enter("exit");
    let (status, screen) = terminal.finish();
    assert_eq!(status, 0, "{screen}");
    for echo in ["one", "two", "three"] {
        assert!(screen.contains(&format!("Server echo: {echo}\n")), "{screen}");
    }
}

#[test]
fn exit_in_any_case_and_spacing_quits() {
    let server = EchoServer::start(&[]);
    for exit in ["EXIT", " exit "] {
        let (mut terminal, _home) = at_the_prompt(server.address());
        terminal.enter(exit);
        let (status, screen) = terminal.finish();
        assert_eq!(status, 0, "{screen}");
        assert!(
            screen.ends_with("Server response: Goodbye!\nDisconnected from server"),
            "{screen}"
        );
    }
}

#[test]
fn edits_lines_and_recalls_the_history_of_an_earlier_run() {
    let server = EchoServer::start(&[]);
    let (mut terminal, home) = at_the_prompt(server.address());
    terminal.send("wrld");
    terminal.send(keys::LEFT.repeat(3));
    terminal.enter("o");
    terminal.wait_for_prompt(&format!("Server echo: world\n\n{PROMPT}"));
    exchange(&mut terminal, "the last line");
    terminal.enter("exit");
    assert_eq!(terminal.finish().0, 0);

    let mut again = Terminal::client(server.address(), &[], home.path());
    again.wait_for_prompt(PROMPT);
    again.send(keys::UP);
    again.wait_for_screen("a line from the history", |screen| !screen.ends_with(PROMPT));
    if again.screen().ends_with("exit") {
        again.send(keys::UP);
    }
    again.wait_for_prompt(&format!("{PROMPT} the last line"));
    again.send(keys::ENTER);
    again.wait_for("Server echo: the last line");
}

#[test]
fn shows_the_complete_echo_of_long_and_wide_lines() {
    let server = EchoServer::start(&[]);
    let (mut terminal, _home) = at_the_prompt(server.address());
    exchange(&mut terminal, "na\u{ef}ve \u{4f60}\u{597d} \u{1f600}");
    let long = "0123456789".repeat(120);
    terminal.enter(&long);
    terminal.wait_for_screen("a line of 1,200 characters", |screen| {
        let unwrapped = screen.replace('\n', "");
        unwrapped.contains(&format!("Server echo: {long}{PROMPT}"))
    });
}

/// The server is killed while the client waits for input.
#[test]
fn reports_at_the_prompt_that_the_server_was_killed() {
    let server = EchoServer::start(&[]);
    let (mut terminal, _home) = at_the_prompt(server.address());
    exchange(&mut terminal, "hello");
    drop(server);
    let (status, screen) = terminal.finish();
    assert_eq!(status, 1, "{screen}");
    let after_prompt = screen.rsplit(PROMPT).next().unwrap();
    assert!(tests::log::pattern("(?i)server|connection").is_match(after_prompt), "{screen}");
}

#[test]
fn quits_at_the_prompt_when_the_server_shuts_down() {
    let server = EchoServer::start(&["--drain-timeout", "10m"]);
    let (terminal, _home) = at_the_prompt(server.address());
    assert_eq!(server.terminate().0.code(), Some(0));
    let (status, screen) = terminal.finish();
    assert_eq!(status, 1, "{screen}");
}

#[test]
fn reports_a_failed_connection_with_the_original_message() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let closed = mock_server::unused_address();
    let terminal = Terminal::client(closed, &[], home.path());
    let (status, screen) = terminal.finish();
    assert_eq!(status, 1, "{screen}");
    let expected =
        format!("Error: Could not connect to server at {closed}\nMake sure the server is running.");
    assert!(screen.ends_with(&expected), "{screen}");
    assert!(!screen.contains("Connected to"), "{screen}");
}

#[test]
fn escapes_control_characters_from_a_hostile_server() {
    let hostile = mock_server::serve(|mut stream| {
        let sent = mock_server::receive(&mut stream);
        // The reply has the length of the message, so that the client takes it for the echo.
        let mut reply = b"\x1b[2J\x9b\x07\xe2\x80\xae".to_vec();
        reply.resize(sent.len() - 1, b'!');
        reply.push(b'\n');
        let _ = stream.write_all(&reply);
        let _ = mock_server::receive(&mut stream);
    });
    let (mut terminal, _home) = at_the_prompt(hostile);
    terminal.enter("thirty characters of harmlessness");
    terminal.wait_for(r"\x1b[2J\x9b\x07\u{202e}!!!");
    let written = terminal.raw_text();
    for forbidden in ["\x1b[2J", "\x07", "\u{202e}", "\u{9b}"] {
        assert!(!written.contains(forbidden), "{forbidden:?} reached the terminal: {written:?}");
    }
}

/// The original server sends the goodbye without a newline. This one also echoes byte by byte.
#[test]
fn works_with_a_server_like_the_original() {
    let original = mock_server::serve(|mut stream| {
        stream.set_nodelay(true).unwrap();
        loop {
            let message = mock_server::receive(&mut stream);
            if message.trim_ascii() == b"exit" {
                let _ = stream.write_all(b"Goodbye!");
                return;
            }
            if message.is_empty() || message.chunks(1).any(|byte| stream.write_all(byte).is_err()) {
                return;
            }
        }
    });
    let (mut terminal, _home) = at_the_prompt(original);
    exchange(&mut terminal, "Hello, Server!");
    exchange(&mut terminal, "Testing 123");
    terminal.enter("exit");
    let (status, screen) = terminal.finish();
    assert_eq!(status, 0, "{screen}");
    let expected = "Enter message: exit\nServer response: Goodbye!\nDisconnected from server";
    assert!(screen.ends_with(expected), "{screen}");
}

/// RFC 862 has no exit command: the server echoes the exit, and the client quits.
#[test]
fn quits_although_the_server_has_no_exit_command() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    for quit in ["exit\r", keys::CTRL_C, keys::CTRL_D] {
        let (mut terminal, _home) = at_the_prompt(server.address());
        exchange(&mut terminal, "hello");
        terminal.send(quit);
        let (status, screen) = terminal.finish();
        assert_eq!(status, 0, "{screen}");
        assert!(screen.ends_with("Disconnected from server"), "{screen}");
    }
}

#[test]
fn reports_a_wrong_echo() {
    let wrong = mock_server::serve(|mut stream| {
        let mut message = mock_server::receive(&mut stream);
        message[0] ^= 1;
        let _ = stream.write_all(&message);
        let _ = mock_server::receive(&mut stream);
    });
    let (mut terminal, _home) = at_the_prompt(wrong);
    terminal.enter("hello");
    terminal.wait_for("iello");
    terminal.wait_for_screen("a message about the difference", |screen| {
        tests::log::pattern("(?i)differ|not what|wrong|mismatch|unlike").is_match(screen)
    });
}
