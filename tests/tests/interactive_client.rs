//! The interactive client in a real terminal: the original's screen, to the letter.

use std::{io::Write as _, net::SocketAddr};

use tempfile::TempDir;
use tests::{
    pty::{Terminal, keys},
    server::EchoServer,
    standin,
};

const PROMPT: &str = "Enter message:";

/// A terminal with a client in it that has reached its first prompt, and the home it was given.
fn at_the_prompt(server: SocketAddr) -> (Terminal, TempDir) {
    let home = tempfile::tempdir().expect("a directory for temporary files");
    let terminal = Terminal::client(server, &[], home.path());
    terminal.wait_for_prompt(PROMPT);
    (terminal, home)
}

/// Types a line, waits for its echo and for the next prompt.
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
fn a_session_looks_as_in_the_original() {
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
fn ctrl_c_and_ctrl_d_say_exit_and_leave_cleanly() {
    let server = EchoServer::start(&[]);
    for (key, typed) in [
        (keys::CTRL_C, ""),
        (keys::CTRL_D, ""),
        // Ctrl+C with a line half typed; Ctrl+D does not leave there, in any program with editing.
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
fn an_empty_message_is_skipped() {
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

/// Lines that are pasted, or typed while the client is busy, are sent one after the other.
#[test]
fn lines_typed_ahead_are_not_lost() {
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
fn an_exit_in_any_case_and_spacing_leaves() {
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
fn lines_can_be_edited_and_come_back_from_the_history_of_an_earlier_run() {
    let server = EchoServer::start(&[]);
    let (mut terminal, home) = at_the_prompt(server.address());
    terminal.send("wrld");
    terminal.send(&keys::LEFT.repeat(3));
    terminal.enter("o");
    terminal.wait_for("Server echo: world");
    exchange(&mut terminal, "the last line");
    terminal.enter("exit");
    assert_eq!(terminal.finish().0, 0);

    let mut again = Terminal::client(server.address(), &[], home.path());
    again.wait_for_prompt(PROMPT);
    again.send(keys::UP);
    again.wait_for_screen("something typed", |screen| !screen.ends_with(PROMPT));
    if again.screen().ends_with("exit") {
        again.send(keys::UP);
    }
    again.wait_for_prompt(&format!("{PROMPT} the last line"));
    again.send(keys::ENTER);
    again.wait_for("Server echo: the last line");
}

#[test]
fn long_and_wide_lines_come_back_whole() {
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

/// kill -9 -> clients see the loss and say so: at the prompt, where nobody types anything.
#[test]
fn a_server_that_goes_is_noticed_at_the_prompt() {
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
fn a_server_that_shuts_down_is_noticed_at_the_prompt_and_need_not_wait() {
    let server = EchoServer::start(&["--drain-timeout", "10m"]);
    let (terminal, _home) = at_the_prompt(server.address());
    assert_eq!(server.terminate().0.code(), Some(0));
    let (status, screen) = terminal.finish();
    assert_eq!(status, 1, "{screen}");
}

#[test]
fn no_server_is_told_in_the_originals_words() {
    let home = tempfile::tempdir().expect("a directory for temporary files");
    let nobody = standin::nobody();
    let terminal = Terminal::client(nobody, &[], home.path());
    let (status, screen) = terminal.finish();
    assert_eq!(status, 1, "{screen}");
    let expected =
        format!("Error: Could not connect to server at {nobody}\nMake sure the server is running.");
    assert!(screen.ends_with(&expected), "{screen}");
    assert!(!screen.contains("Connected to"), "{screen}");
}

/// The same towards the client's terminal from a hostile server: escaped on the screen.
#[test]
fn a_hostile_servers_bytes_do_not_reach_the_terminal() {
    let hostile = standin::serve(|mut stream| {
        let sent = standin::receive(&mut stream);
        // As long as an echo has to be, so that the client reads it as one.
        let mut reply = b"\x1b[2J\x9b\x07\xe2\x80\xae".to_vec();
        reply.resize(sent.len() - 1, b'!');
        reply.push(b'\n');
        let _ = stream.write_all(&reply);
        let _ = standin::receive(&mut stream);
    });
    let (mut terminal, _home) = at_the_prompt(hostile);
    terminal.enter("thirty characters of harmlessness");
    terminal.wait_for(r"\x1b[2J\x9b\x07\u{202e}!!!");
    let written = terminal.raw_text();
    for forbidden in ["\x1b[2J", "\x07", "\u{202e}", "\u{9b}"] {
        assert!(!written.contains(forbidden), "{forbidden:?} reached the terminal: {written:?}");
    }
}

/// A goodbye without a newline, an echo without one, an echo in single bytes: it speaks to the
/// original server, and to any.
#[test]
fn it_speaks_to_a_server_like_the_original() {
    let original = standin::serve(|mut stream| {
        stream.set_nodelay(true).unwrap();
        loop {
            let message = standin::receive(&mut stream);
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

/// RFC 862 knows no exit: it comes back, and the client leaves all the same.
#[test]
fn it_leaves_a_server_that_knows_no_exit() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    for leaving in ["exit\r", keys::CTRL_C, keys::CTRL_D] {
        let (mut terminal, _home) = at_the_prompt(server.address());
        exchange(&mut terminal, "hello");
        terminal.send(leaving);
        let (status, screen) = terminal.finish();
        assert_eq!(status, 0, "{screen}");
        assert!(screen.ends_with("Disconnected from server"), "{screen}");
    }
}

/// It says so if the bytes differ.
#[test]
fn a_wrong_echo_is_said_to_be_wrong() {
    let wrong = standin::serve(|mut stream| {
        let mut message = standin::receive(&mut stream);
        message[0] ^= 1;
        let _ = stream.write_all(&message);
        let _ = standin::receive(&mut stream);
    });
    let (mut terminal, _home) = at_the_prompt(wrong);
    terminal.enter("hello");
    terminal.wait_for("iello");
    terminal.wait_for_screen("a word about the difference", |screen| {
        tests::log::pattern("(?i)differ|not what|wrong|mismatch|unlike").is_match(screen)
    });
}
