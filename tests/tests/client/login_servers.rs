//! Logins of the client at other servers: hostile ones, gsasl, and WebSocket.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

use tests::{
    net::mock_server,
    programs::Finished,
    requirements::{gsasl, skip_without},
};

use crate::login::{Files, PASSWORD, assert_fails, run, text};

/// Answers the lines of the client one by one; a list of mechanisms is the first answer.
fn answering(answers: &'static [&'static str]) -> String {
    mock_server::serve(move |mut stream: TcpStream| {
        let lines = BufReader::new(stream.try_clone().expect("a descriptor is left")).lines();
        let list = "+OK\r\nSCRAM-SHA-256\r\n.\r\n";
        for (_, answer) in lines.zip([&[list][..], answers].concat()) {
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
    .to_string()
}

#[test]
fn a_server_that_does_not_know_the_password_gets_no_message() {
    let files = Files::new();
    for (answers, text) in [
        (&["+OK Logged in\r\n"][..], "accepted it without proof that it knows the password"),
        (&["+ \r\n"], "broke the protocol of the login: the message is malformed"),
        (&["-ERR \x1b[31mno\r\n"], r"the server refused it: '\x1b[31mno'"),
        (&[], "the server ended the connection during the login"),
    ] {
        let url = [answering(answers)];
        assert_fails(&run(&[&url, &files.alice()], &["-m", "hello"]), &[text]);
    }
    let silent =
        mock_server::serve(|mut stream| while !mock_server::receive(&mut stream).is_empty() {});
    let url = [silent.to_string()];
    let ended = run(&[&url, &files.alice()], &["-m", "hello", "--timeout", "1s"]);
    assert_fails(&ended, &["no login within 1s"]);
}

/// Answers the lines of a login with those of `gsasl --server`, then echoes.
fn serve_by_gsasl(mut stream: TcpStream) {
    let mut gsasl = Command::new("gsasl")
        .args(["--server", "--quiet", "--mechanism=SCRAM-SHA-256"])
        .args(["--authentication-id=alice", &format!("--password={PASSWORD}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("gsasl is installed");
    let mut input = gsasl.stdin.take().expect("it is a pipe");
    let mut output = BufReader::new(gsasl.stdout.take().expect("it is a pipe")).lines();
    let mut lines = BufReader::new(stream.try_clone().expect("a descriptor is left")).lines();
    while let Some(Ok(line)) = lines.next() {
        let answer = if line == "AUTH" {
            "+OK\r\nSCRAM-SHA-256\r\n.".to_owned()
        } else if line.is_empty() {
            "+OK".to_owned()
        } else {
            let response = line.rsplit(' ').next().unwrap_or_default();
            writeln!(input, "{response}").expect("gsasl reads");
            let mut answers = output.by_ref().map_while(Result::ok);
            match answers.find(|answer| !answer.is_empty() && answer != "SCRAM-SHA-256") {
                Some(challenge) => format!("+ {challenge}"),
                None => "-ERR".to_owned(),
            }
        };
        if write!(stream, "{answer}\r\n").is_err() || line.is_empty() {
            break;
        }
    }
    // The client has sent nothing more that the reader could have taken.
    let _ = std::io::copy(&mut stream.try_clone().expect("a descriptor is left"), &mut stream);
    let _ = gsasl.kill();
    let _ = gsasl.wait();
}

#[test]
fn the_client_logs_in_at_a_server_with_gsasl() {
    if skip_without(&[gsasl()]) {
        return;
    }
    let files = Files::new();
    let url = [mock_server::serve(serve_by_gsasl).to_string()];
    let ended = run(&[&url, &files.alice()], &["-m", "hello"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    let wrong = files.write("wrong", "another", 0o600);
    let ended = run(&[&url], &["--user", "alice", "--password-file", &wrong, "-m", "hello"]);
    assert_fails(&ended, &["the server refused it"]);
}

/// Returns the header fields of a request, and answers it.
fn request(answer: &'static str, args: &[&str]) -> (Vec<String>, Finished) {
    let (sender, requests) = std::sync::mpsc::channel();
    let address = mock_server::serve(move |mut stream: TcpStream| {
        let reader = BufReader::new(stream.try_clone().expect("a descriptor is left"));
        let lines = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let _ = sender.send(lines.collect());
        let _ = stream.write_all(answer.as_bytes());
    });
    let url = [format!("ws://{address}/echo")];
    let ended = run(&[&url], &[&["-m", "hello"], args].concat());
    (requests.recv().expect("a request was made"), ended)
}

#[test]
fn a_websocket_sends_the_password_or_the_token_in_its_handshake() {
    const REFUSED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let files = Files::new();
    let password = files.path("password");
    let (fields, ended) =
        request(REFUSED, &["--user", "alice", "--password-file", text(&password)]);
    // The base64 of `alice:p-e-n-c-i-l`.
    let basic = "Authorization: Basic YWxpY2U6cC1lLW4tYy1pLWw=";
    assert!(fields.contains(&basic.to_owned()), "{fields:?}");
    assert_fails(&ended, &["status 401 (Unauthorized)", "Check the name and the password"]);
    let token = files.write("token", "abc.def\n", 0o600);
    let (fields, ended) = request(REFUSED, &["--token-file", &token]);
    assert!(fields.contains(&"Authorization: Bearer abc.def".to_owned()), "{fields:?}");
    assert!(!ended.stderr.contains("abc.def"), "{ended:?}");
    let (fields, ended) = request(REFUSED, &[]);
    assert!(!fields.iter().any(|field| field.starts_with("Authorization")), "{fields:?}");
    assert_fails(&ended, &["The server requires a login: use --user NAME or --token-file FILE."]);
}
