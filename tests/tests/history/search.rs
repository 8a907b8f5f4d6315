//! `echo-server history`, while a server records.

use std::process::Command;

use rustix::process::Signal;
use tests::{
    programs::{Program, binaries},
    wait::wait_until,
};

use crate::Database;

#[test]
fn a_search_takes_its_text_as_it_is_and_shows_no_control_characters() {
    let database = Database::new();
    let server = database.serve(&[]);
    let mut peer = server.connect();
    peer.exchange(b"say \"hi\" OR *\n100% of\x1b[2J a\0b\n\xff\xfe invalid\nplain\n");
    wait_until("the messages are committed", || {
        database.number("SELECT count(*) FROM messages") == 4
    });
    for (text, shown) in [
        ("\"hi\" OR *", r#"say "hi" OR *"#),
        ("00%", r"100% of\x1b[2J a\x00b"),
        ("NEAR(", ""),
        ("invalid", r"\xff\xfe invalid"),
        ("'; DROP TABLE records; --", ""),
    ] {
        let found = database.search(&["--grep", text]);
        assert_eq!(found.code(), 0);
        let expected = if shown.is_empty() { String::new() } else { format!(": {shown}\n") };
        assert!(found.stdout_text().ends_with(&expected), "{text}: {}", found.stdout_text());
        assert_eq!(found.stdout_text().lines().count(), usize::from(!shown.is_empty()));
    }
    let bytes = std::os::unix::ffi::OsStrExt::from_bytes(&b"\xfe inv"[..]);
    let mut command = Command::new(binaries::echo_server());
    command.arg("history").arg(database.path()).arg("--grep").arg::<&std::ffi::OsStr>(bytes);
    assert_eq!(Program::spawn(command).finish().stdout_text().lines().count(), 1);
    let address = peer.address().to_string();
    assert_eq!(database.search(&["--peer", &address]).stdout_text().lines().count(), 4);
    assert_eq!(
        database.search(&["--peer", "127.0.0.1", "-n", "1"]).stdout_text().lines().count(),
        1
    );
    let json = database.search(&["--json", "--grep", "plain"]);
    let object: serde_json::Value = serde_json::from_str(json.stdout_text()).unwrap();
    assert_eq!((&object["text"], &object["peer"]), (&"plain".into(), &address.into()));
    assert_eq!(database.search(&["--csv"]).stdout_text().lines().count(), 5);
    drop(peer);
    assert!(server.terminate().0.success());
    assert_eq!(database.search(&["--grep", "plain"]).stdout_text().lines().count(), 1);
}

#[test]
fn a_search_that_follows_shows_new_messages_and_holds_no_transaction() {
    let database = Database::new();
    let server = database.serve(&[]);
    let mut peer = server.connect();
    peer.exchange(b"before 1\n");
    wait_until("the message is committed", || database.texts().len() == 1);
    let mut command = Command::new(binaries::echo_server());
    command.args(["history", &database.name(), "--follow", "--grep", "o"]);
    let follow = Program::spawn(command);
    let _ = follow.stdout.wait_for_line("before 1");
    peer.exchange(b"another\nfollow 1\nskip\nfollow 2\n");
    let _ = follow.stdout.wait_for_line("follow 2");
    assert!(!follow.stdout.text().contains("skip"));
    // With a reader in a transaction, this could not empty the journal.
    let other = rusqlite::Connection::open(database.path()).unwrap();
    wait_until("a checkpoint empties the journal", || {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        other.query_row(checkpoint, [], |row| row.get::<_, i64>(0)) == Ok(0)
    });
    follow.signal(Signal::TERM);
    let _ = follow.finish();
    drop(peer);
    assert!(server.terminate().0.success());
}

#[test]
fn a_search_ends_quietly_when_its_reader_has_read_enough() {
    let database = Database::new();
    let server = database.serve(&["--log-messages", "off"]);
    let mut peer = server.connect();
    peer.exchange("a line that is repeated\n".repeat(20_000).as_bytes());
    wait_until("the messages are committed", || {
        database.number("SELECT count(*) FROM messages") >= 20_000
    });
    let script = r#"("$0" history "$1" --follow -n 20000 && echo "status $?" >&2) | head -n 1"#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(binaries::echo_server()).arg(database.path());
    let finished = Program::spawn(command).finish();
    assert_eq!(finished.stderr, "status 0\n");
}

#[test]
fn a_history_that_cannot_be_read_is_an_error_of_one_line() {
    let database = Database::new();
    let missing = database.search(&[]);
    assert_eq!(missing.code(), 1);
    assert!(missing.error_line().contains("there is no such file"), "{}", missing.error_line());
    std::fs::write(database.path(), "a text\n".repeat(1000)).unwrap();
    assert!(database.search(&[]).error_line().contains("it is not a database of SQLite"));
    assert_eq!(database.search(&["--since", "soon"]).code(), 2);
    let unnamed = Program::run_server(&["history"]);
    assert!(unnamed.code() == 1 && unnamed.error_line().contains("no history is named"));
}

#[test]
fn a_history_may_have_a_name_that_means_no_file_to_sqlite() {
    let database = Database::new();
    let server = database.serve(&[]);
    server.connect().exchange(b"a message\n");
    assert!(server.terminate().0.success());
    std::fs::rename(database.path(), database.0.path().join(":memory:")).unwrap();
    let mut command = Command::new(binaries::echo_server());
    command.args(["history", ":memory:"]).current_dir(database.0.path());
    let found = Program::spawn(command).finish();
    assert!(found.stdout_text().ends_with(": a message\n"), "{}", found.stderr);
}
