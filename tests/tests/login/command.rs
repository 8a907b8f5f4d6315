//! `echo-server user`.

use std::fs;

use tests::programs::{Launch, Program};

use crate::Users;

#[test]
fn users_are_added_changed_listed_and_removed() {
    let users = Users::new();
    let added = users.run("", &["add", "bob", "--certificate", "--expires", "2027-01-31"]);
    assert_eq!(added.code(), 0);
    let token = users.run("", &["add", "bob", "--token", "--comment", "for CI: build"]);
    let token = token.stdout_text().lines().last().unwrap().to_owned();
    let list = users.run("", &["list"]);
    let lines: Vec<_> = list.stdout_text().lines().collect();
    assert_eq!(
        lines,
        [
            "alice                    scram-sha-256  -",
            "bob                      certificate    2027-01-31",
            "bob                      token          -           for CI: build",
        ]
    );
    let text = fs::read_to_string(users.path()).unwrap();
    assert!(!text.contains("pencil") && !text.contains(&token), "{text}");
    assert_eq!(users.run("pen\n", &["passwd", "alice", "--iterations", "5000"]).code(), 0);
    assert!(fs::read_to_string(users.path()).unwrap().contains("alice:scram-sha-256:5000:"));
    assert_eq!(users.run("", &["remove", "bob"]).stdout_text(), "Removed bob\n");
    let check = users.run("", &["check"]);
    assert!(check.stdout_text().ends_with(": ok, credentials: 1\n"), "{}", check.stdout_text());
}

#[test]
fn a_command_that_cannot_be_done_says_why_and_changes_nothing() {
    let users = Users::new();
    let before = fs::read_to_string(users.path()).unwrap();
    for (input, args, message) in [
        ("x\n", &["add", "alice"][..], "alice exists already"),
        ("x\n", &["passwd", "bob"], "bob has no password"),
        ("", &["remove", "bob"], "bob is no user"),
        ("\n", &["add", "bob"], "the password cannot be used: it is empty"),
        ("x\n", &["add", "a:b"], "the name is invalid: it has a colon"),
        ("x\n", &["add", "a\tb"], "the name 'a\\tb' cannot be used"),
        ("x\n", &["add", ""], "the name '' cannot be used: it is empty"),
    ] {
        let finished = users.run(input, args);
        assert_eq!(finished.code(), 1, "{args:?}");
        assert!(finished.error_line().contains(message), "{}", finished.error_line());
    }
    for wrong in [
        ["--iterations", "4095"],
        ["--iterations", "1000001"],
        ["--expires", "20270131"],
        ["--expires", "9999-12-31"],
    ] {
        assert_eq!(
            users.run("x\n", &[&["add", "bob"], &wrong[..]].concat()).code(),
            2,
            "{wrong:?}"
        );
    }
    assert_eq!(fs::read_to_string(users.path()).unwrap(), before);
    fs::write(users.path(), format!("{before}bob\n\n:certificate::\n")).unwrap();
    let check = users.run("", &["check"]);
    assert_eq!((check.code(), check.stdout_text().lines().count()), (1, 2));
}

#[test]
fn a_password_without_an_end_is_refused_before_it_ends() {
    let users = Users::new();
    for (password, message) in [
        (vec![b'x'; 1026], "the password cannot be used: it is longer than 1024 bytes"),
        (b"\xff\n".to_vec(), "the password cannot be used: it is not UTF-8"),
    ] {
        let mut program = users.start(&["add", "bob", "--iterations", "4096"]);
        program.feed(&password);
        let finished = program.finish_with_open_stdin();
        assert_eq!(finished.code(), 1);
        assert!(finished.error_line().contains(message), "{}", finished.error_line());
    }
    let longest = format!("{}\r\n", "x".repeat(1024));
    assert_eq!(users.run(&longest, &["add", "bob", "--iterations", "4096"]).code(), 0);
}

#[test]
fn a_server_without_usable_users_does_not_start() {
    let users = Users::new();
    let path = users.path();
    let path = path.to_str().unwrap();
    let missing = format!("{path}-missing");
    for (args, message) in [
        (&["--listen", "tcp://127.0.0.1:0?login=required"][..], "'login=required' needs 'users'"),
        (&["--users", path], "no listener has login=required"),
        (
            &["--listen", "tcp://127.0.0.1:0?login=required", "--users", &missing],
            "cannot read the file of users",
        ),
        (
            &["--listen", "tcp://127.0.0.1:0?login=required&protocol=raw", "--users", path],
            "raw has no place for a login",
        ),
        (
            &["--listen", "tcp://127.0.0.1:0?login=required&mechanisms=PLAIN", "--users", path],
            "without TLS only SCRAM-SHA-256 can be used",
        ),
        (
            &["--listen", "http://127.0.0.1:0?login=required&mechanisms=SCRAM-SHA-256"],
            "over HTTP only PLAIN can be used",
        ),
        (&["--listen", "udp://127.0.0.1:0?login=required"], "UDP has no connections that could"),
    ] {
        let finished = Program::run_server(args);
        assert_eq!(finished.code(), 2, "{args:?}");
        assert!(finished.error_line().contains(message), "{}", finished.error_line());
    }
    let args = users.server("tcp://127.0.0.1:0?login=required");
    drop(Launch::new(&args).without_port().start());
}
