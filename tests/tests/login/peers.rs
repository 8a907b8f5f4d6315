//! Other programs as clients of a login.

use std::process::Command;

use tests::{
    net::TestCa,
    programs::{Launch, Program},
    requirements::{gsasl, python, python_module, skip_without},
};

use crate::Users;

/// Runs a script of Python with these arguments, which logs in and echoes `hello`.
fn run(script: &str, port: u16, name: &str, password: &str) -> tests::programs::Finished {
    let mut command = Command::new("python3");
    command.args(["-c", script, "127.0.0.1", &port.to_string(), name, password]);
    Program::spawn(command).finish()
}

#[test]
fn scramp_of_python_logs_in() {
    if skip_without(&[python_module("scramp", "scramp")]) {
        return;
    }
    let users = Users::new();
    let args = users.server("tcp://127.0.0.1:0?login=required");
    let server = Launch::new(&args).without_port().start();
    let script = include_str!("programs/scramp_client.py");
    let finished = run(script, server.address().port(), "alice", "pencil");
    assert_eq!(finished.stdout_text(), "+OK Logged in\nhello\nGoodbye!\n");
    assert_eq!(run(script, server.address().port(), "alice", "pen").code(), 1);
}

#[test]
fn gsasl_logs_in() {
    if skip_without(&[gsasl(), python()]) {
        return;
    }
    let users = Users::new();
    let args = users.server("tcp://127.0.0.1:0?login=required");
    let server = Launch::new(&args).without_port().start();
    let script = include_str!("programs/gsasl_client.py");
    let finished = run(script, server.address().port(), "alice", "pencil");
    assert_eq!(finished.stdout_text(), "+OK Logged in\nhello\nGoodbye!\n");
    assert_eq!(run(script, server.address().port(), "alice", "pen").code(), 1);
}

#[test]
fn a_client_on_openssl_logs_in_with_its_channel_binding() {
    if skip_without(&[python_module("OpenSSL", "pyopenssl")]) {
        return;
    }
    let users = Users::new();
    let ca = TestCa::new();
    let certificate = ca.localhost();
    let mut args = users.server("tls://127.0.0.1:0?login=required&mechanisms=SCRAM-SHA-256-PLUS");
    for (flag, file) in
        [("--tls-cert", &certificate.certificate_file), ("--tls-key", &certificate.key_file)]
    {
        args.extend([flag.to_owned(), file.to_str().expect("it is UTF-8").to_owned()]);
    }
    let server = Launch::new(&args).without_port().start();
    let script = include_str!("programs/scram_plus_client.py");
    let finished = run(script, server.address().port(), "alice", "pencil");
    assert_eq!(finished.stdout_text(), "+OK Logged in\nhello\nGoodbye!\n");
    assert_eq!(run(script, server.address().port(), "alice", "pen").code(), 1);
}
