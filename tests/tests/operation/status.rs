//! Tests of `echo-server status` against an admin listener whose answers the test has.

use std::{fs, process::Command};

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::tempdir;
use tests::{
    net::{AdminServer, mock_server},
    programs::{EchoServer, Finished, Program, Terminal, binaries, keys},
};

fn status(args: &[&str]) -> Finished {
    Program::run_server(&[&["status"], args].concat())
}

fn start(args: &[&str]) -> Program {
    Program::start(binaries::echo_server(), &[&["status"], args].concat())
}

fn watch(server: &AdminServer) -> Terminal {
    let home = tempdir().expect("a temporary directory");
    let args = ["status", "--admin", server.url(), "--watch", "--interval", "50ms"];
    Terminal::start(binaries::echo_server(), &args, home.path())
}

/// Makes the server shut down.
fn drain(status: &mut Value) {
    status["phase"] = "draining".into();
    status["is_ready"] = false.into();
    status["not_ready"] = json!(["the server shuts down"]);
}

#[test]
fn one_screen_shows_a_healthy_server_and_the_status_is_0() {
    let server = AdminServer::start();
    let shown = status(&["--admin", server.url()]);
    assert_eq!((shown.code(), &shown.stderr[..]), (0, ""), "{shown:?}");
    let text = shown.stdout_text();
    for part in [
        &format!("echo-server 0.1.0 at {}: healthy\n", server.url()),
        "\nstate        running, live, ready; up 3h 12m since 2026-11-26 13:00:00 UTC\n",
        "\nrates        accepted 1/s; received 1.2 MB/s, 34.5k messages/s; sent 1.2 MB/s, 34.5k messages/s; over 10.0 s\n",
        "\n    refused 2: max-connections 2; closed 9: fin 9\n",
        "\n@\\x1b[2J\\u{9b}J       1   34.5 kB",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
}

#[test]
fn it_asks_for_the_status_and_the_busiest_connections_with_the_host_of_the_url() {
    let server = AdminServer::start();
    let _ = status(&["--admin", server.url()]);
    let host = server.url().trim_start_matches("http://");
    let requests = server.requests();
    let lines = ["GET /status HTTP/1.1", "GET /connections?sort=bytes&limit=10 HTTP/1.1"];
    assert_eq!(requests.len(), lines.len());
    for (request, line) in requests.iter().zip(lines) {
        let start = format!("{line}\r\nHost: {host}\r\n");
        assert!(request.starts_with(&start), "{request}");
    }
}

#[test]
fn a_unix_socket_is_asked_as_localhost() {
    let directory = tempdir().expect("a temporary directory");
    let server = AdminServer::start_at(&directory.path().join("admin.sock"));
    let shown = status(&["--admin", server.url()]);
    assert_eq!(shown.code(), 0, "{shown:?}");
    assert!(server.requests()[0].contains("\r\nHost: localhost\r\n"), "{:?}", server.requests());
}

#[test]
fn a_server_that_is_not_ready_or_not_live_is_status_1_with_the_reason() {
    let server = AdminServer::start();
    server.change(drain);
    let shown = status(&["--admin", server.url()]);
    assert_eq!(shown.code(), 1, "{shown:?}");
    assert_eq!(shown.error_line(), format!("{}: not ready: the server shuts down", server.url()));
    assert!(shown.stdout_text().contains(": NOT HEALTHY\n"), "{shown:?}");

    let server = AdminServer::start();
    server.change(|status| {
        status["is_live"] = false.into();
        status["stalled_threads"] = json!(["worker-1"]);
    });
    let shown = status(&["--admin", server.url(), "--json"]);
    assert_eq!(shown.code(), 1, "{shown:?}");
    assert_eq!(shown.error_line(), format!("{}: not live: stalled: worker-1", server.url()));
}

#[test]
fn a_server_that_cannot_be_asked_is_status_1_with_the_reason() {
    let closed = format!("http://{}", mock_server::unused_address());
    let echo = EchoServer::start(&[]);
    let echo = format!("http://{}", echo.address());
    let endless = mock_server::serve(|mut stream| {
        let _ = mock_server::receive(&mut stream);
        let head = &b"HTTP/1.1 200 OK\r\n\r\n"[..];
        let _ = std::io::copy(&mut std::io::Read::chain(head, std::io::repeat(b' ')), &mut stream);
    });
    let endless = format!("http://{endless}");
    for (url, reason) in [
        (&closed[..], "cannot connect: connection refused;"),
        ("unix:///no/such/file", "cannot connect: no such file or directory;"),
        (
            &echo,
            "/status: the answer is not HTTP; another program or another listener of the server has this address;",
        ),
        (&endless, "/status: the answer is longer than 8 MiB;"),
    ] {
        let shown = status(&["--admin", url]);
        assert_eq!((shown.code(), shown.stdout_text()), (1, ""), "{shown:?}");
        let start = format!("{url}: no answer: {reason}");
        assert!(shown.error_line().starts_with(&start), "{shown:?}");
    }
}

#[test]
fn wrong_arguments_are_status_2() {
    for (args, message) in [
        (&["--admin", "127.0.0.1:9465"][..], "expected http://HOST:PORT"),
        (&["--interval", "1s"], "--watch"),
        (&["--watch", "--interval", "0s"], "longer than zero"),
        (&["--config", "/no/such/file"], "cannot read the configuration file"),
        (&["--config", "a", "--admin", "http://a"], "cannot be used with"),
    ] {
        let shown = status(args);
        assert_eq!(shown.code(), 2, "{shown:?}");
        assert!(shown.error_line().contains(message), "{args:?}: {shown:?}");
    }
}

#[test]
fn the_listener_is_that_of_the_settings_and_the_environment_overrides_the_file() {
    let (of_file, of_variable) = (AdminServer::start(), AdminServer::start());
    let directory = tempdir().expect("a temporary directory");
    let path = directory.path().join("echo.toml");
    // The other settings are those of another user: nothing else is checked.
    let text = format!("tls-cert = \"/no/such/file\"\nadmin = \"{}?hosts=echo\"\n", of_file.url());
    fs::write(&path, text).expect("the file can be written");
    let run = |variable: &str| {
        let mut command = Command::new(binaries::echo_server());
        command.args(["status", "--config"]).arg(&path).env("ECHO_SERVER_ADMIN", variable);
        Program::spawn(command).finish()
    };
    assert_eq!(run("").code(), 0);
    assert_eq!((of_file.requests().len(), of_variable.requests().len()), (2, 0));
    assert_eq!(run(of_variable.url()).code(), 0);
    assert_eq!((of_file.requests().len(), of_variable.requests().len()), (2, 2));
    let wrong = run("https://127.0.0.1:9465");
    assert_eq!(wrong.code(), 2, "{wrong:?}");
    assert_eq!(
        wrong.error_line(),
        "ECHO_SERVER_ADMIN: invalid value 'https://127.0.0.1:9465' for 'admin': an admin listener has no TLS; write \
         http://HOST:PORT"
    );
}

#[test]
fn json_has_both_answers_in_one_line() {
    let server = AdminServer::start();
    let shown = status(&["--admin", server.url(), "--json"]);
    assert_eq!((shown.code(), &shown.stderr[..]), (0, ""), "{shown:?}");
    let text = shown.stdout_text();
    assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
    assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
    let (status, connections) = server.answers();
    let object: Value = serde_json::from_str(text).expect("it is JSON");
    assert_eq!(object, json!({"status": status, "connections": connections}));
}

#[test]
fn a_watch_in_a_pipe_prints_blocks_until_ctrl_c_and_its_status_is_that_of_the_last_sample() {
    let server = AdminServer::start();
    let watch = start(&["--admin", server.url(), "--watch", "--interval", "20ms"]);
    let _ = watch.stdout.wait_for_lines("^echo-server 0.1.0 at .*: healthy$", 2);
    server.change(drain);
    let _ = watch.stdout.wait_for_line("^echo-server 0.1.0 at .*: NOT HEALTHY$");
    watch.signal(Signal::INT);
    let ended = watch.finish_with_open_stdin();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert_eq!(ended.error_line(), format!("{}: not ready: the server shuts down", server.url()));
    let text = ended.stdout_text();
    assert!(text.contains("\n\necho-server ") && !text.contains('\x1b'), "{text:?}");
}

#[test]
fn a_watch_of_json_has_a_line_for_each_answer_and_an_error_for_each_outage() {
    let server = AdminServer::start();
    let watch = start(&["--admin", server.url(), "--watch", "--json", "--interval", "20ms"]);
    let _ = watch.stdout.wait_for_lines("^.\"status\":", 2);
    server.set_silent(true);
    let _ = watch
        .stderr
        .wait_for_line("no answer since ..:..:..: /status: the connection ended before");
    server.set_silent(false);
    server.change(|status| status["version"] = "0.2.0".into());
    let _ = watch.stdout.wait_for_line("^.\"status\":.*\"0.2.0\"");
    watch.signal(Signal::INT);
    let ended = watch.finish_with_open_stdin();
    assert_eq!(ended.code(), 0, "{ended:?}");
    let _ = ended.error_line();
    for line in ended.stdout_text().lines() {
        let object: Value = serde_json::from_str(line).expect("each line is JSON");
        assert_eq!(object["connections"]["open"], 1);
    }
}

#[test]
fn a_watch_ends_when_nobody_reads_it() {
    let server = AdminServer::start();
    let mut command = Command::new("sh");
    // The status of the watch, whose reader ends after a line.
    let script = "{ \"$0\" status --watch --interval 20ms --admin \"$1\"; echo \"status $?\" >&2; } | head -n 1";
    command.args(["-c", script]).arg(binaries::echo_server()).arg(server.url());
    let ended = Program::spawn(command).finish();
    assert_eq!(ended.error_line(), "status 0", "{ended:?}");
}

#[test]
fn a_watch_in_a_terminal_redraws_and_survives_an_outage_and_q_restores_the_terminal() {
    let server = AdminServer::start();
    let mut terminal = watch(&server);
    terminal.wait_for_screen("a healthy server and a note", |screen| {
        screen.contains(": healthy") && screen.ends_with("q ends")
    });
    terminal.resize(10, 40);
    terminal.wait_for("q ends; lines 1-9 of ");
    terminal.send(keys::PAGE_UP.replace('5', "6"));
    terminal.wait_for("q ends; lines 9-17 of ");
    server.set_silent(true);
    // The note has it although the lines are scrolled.
    terminal.resize(10, 120);
    terminal.wait_for("no answer since ");
    terminal.resize(40, 100);
    terminal.wait_for("The last answer:");
    server.set_silent(false);
    server.change(drain);
    terminal.wait_for_screen("a server that drains", |screen| {
        screen.contains("NOT HEALTHY\nnot ready: the server shuts down")
            && !screen.contains("no answer")
    });
    assert!(!terminal.screen().contains('\u{9b}'));
    terminal.send("q");
    let raw = terminal.raw_text();
    let (code, screen) = terminal.finish();
    assert_eq!(code, 1, "{screen}");
    assert_eq!(screen, format!("{}: not ready: the server shuts down", server.url()));
    assert!(raw.contains("\x1b[?1049h"), "it did not use the alternate screen");
}

#[test]
fn a_watch_in_a_terminal_is_ended_by_ctrl_c_and_by_signals_and_restores_the_terminal() {
    let server = AdminServer::start();
    for end in [keys::CTRL_C, keys::ESCAPE] {
        let mut terminal = watch(&server);
        terminal.wait_for(": healthy");
        terminal.send(end);
        assert_eq!(terminal.finish(), (0, String::new()));
    }
    let terminal = watch(&server);
    terminal.wait_for(": healthy");
    kill_process(terminal.pid(), Signal::INT).expect("it runs");
    assert_eq!(terminal.finish(), (0, String::new()));
}

#[test]
fn a_signal_that_ends_a_watch_leaves_the_terminal_restored() {
    let server = AdminServer::start();
    let home = tempdir().expect("a temporary directory");
    let script =
        "\"$0\" status --watch --admin \"$1\"; echo status $?; stty -a | grep -o ' icanon'";
    let server_path = binaries::echo_server();
    let server_path = server_path.to_str().expect("the path is UTF-8");
    let terminal =
        Terminal::start("/bin/sh".into(), &["-c", script, server_path, server.url()], home.path());
    terminal.wait_for(": healthy");
    let children = tests::system::procfs::children(terminal.pid());
    kill_process(children[0], Signal::TERM).expect("it runs");
    let (_, screen) = terminal.finish();
    // The shell adds its own word about the signal.
    assert!(screen.contains("status 143") && screen.ends_with(" icanon"), "{screen}");
}
