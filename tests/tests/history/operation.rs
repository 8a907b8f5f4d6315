//! What is recorded, the refusals at the start, the drain, and the reload.

use std::{fs, net::UdpSocket};

use rusqlite::Connection;
use rustix::process::Signal;
use tests::programs::{Launch, Program};

use crate::Database;

#[test]
fn a_draining_server_commits_everything_that_it_has_served() {
    let database = Database::new();
    let server = database.serve(&["--log-messages", "off"]);
    let lines: Vec<String> = (0..10_000).map(|line| format!("line {line}")).collect();
    let mut peer = server.connect();
    for lines in lines.chunks(100) {
        peer.exchange(format!("{}\n", lines.join("\n")).as_bytes());
    }
    drop(peer);
    let (status, log) = server.terminate();
    assert!(status.success());
    assert!(log.contains("Recorded 10000 messages in "), "{log}");
    assert!(database.texts() == lines, "the messages are those that were sent");
    assert_eq!(database.number("SELECT received - committed FROM runs"), 0);
}

#[test]
fn messages_of_every_protocol_are_recorded_and_nothing_of_what_surrounds_them() {
    let database = Database::new();
    let name = database.name();
    let listen = ["tcp://127.0.0.1:0?protocol=length", "udp://127.0.0.1:0", "http://127.0.0.1:0"];
    let mut args = vec!["--history", &name];
    args.extend(listen.iter().flat_map(|url| ["--listen", url]));
    let server = Launch::new(&args).without_port().start();
    let mut framed = server.connect();
    framed.exchange(b"\0\0\0\x03one");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.addresses()[1].trim_start_matches("udp://").to_owned();
    udp.send_to(b"two\n", &address).unwrap();
    assert_eq!(udp.recv(&mut [0; 9]).unwrap(), 4);
    let http = server.addresses()[2].trim_start_matches("http://").parse().unwrap();
    let mut http = tests::net::Peer::connect(http);
    http.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nX-Secret: key\r\nContent-Length: 5\r\n\r\nthree");
    let _ = http.read_until("three");
    drop((framed, http));
    let (status, _) = server.terminate();
    assert!(status.success());
    let texts = database.texts();
    for text in ["one", "two", "three"] {
        assert_eq!(texts.iter().filter(|found| *found == text).count(), 1, "{texts:?}");
    }
    assert!(!texts.concat().contains("key"), "{texts:?}");
    let protocols = "SELECT count(*) FROM messages WHERE (protocol, CAST(bytes AS TEXT)) IN
                     (VALUES ('length', 'one'), ('raw', 'two'), ('http', 'three'))";
    assert_eq!(database.number(protocols), 3);
}

#[test]
fn a_history_that_cannot_be_used_is_refused_before_the_server_listens() {
    let refused = |database: &Database| {
        let finished = Program::run_server(&["--port", "0", "--history", &database.name()]);
        assert_eq!(finished.code(), 1);
        let log = finished.stderr;
        assert!(!log.contains("Echo server started"), "{log}");
        log
    };
    let text = Database::new();
    fs::write(text.path(), "not a database, but a text\n".repeat(100)).unwrap();
    assert!(refused(&text).contains("it is not a database of SQLite; name another file"));

    let foreign = Database::new();
    Connection::open(foreign.path()).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    assert!(refused(&foreign).contains("it is the database of another application"));

    let newer = Database::new();
    assert!(newer.serve(&[]).terminate().0.success());
    Connection::open(newer.path()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(refused(&newer).contains("its schema has version 99"));

    let locked = Database::new();
    assert!(locked.serve(&[]).terminate().0.success());
    let other = Connection::open(locked.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(refused(&locked).contains("another program has locked it"));
    drop(other);

    let first = locked.serve(&[]);
    assert!(refused(&locked).contains("another echo-server records in it"));
    assert!(first.terminate().0.success());

    let missing = Database::new();
    fs::create_dir(missing.path()).unwrap();
    assert!(refused(&missing).contains("cannot use the history "));
}

#[test]
fn a_reload_that_changes_the_history_says_that_it_needs_a_restart() {
    let database = Database::new();
    let file = database.0.path().join("echo.toml");
    let name = database.name();
    let settings = |more: &str| {
        fs::write(&file, format!("listen = ['tcp://127.0.0.1:0']\nhistory = '{name}'\n{more}"))
            .unwrap();
    };
    settings("");
    let server = Launch::new(&["--config", file.to_str().unwrap()]).without_port().start();
    settings("history-keep = '30d,10GB'");
    server.signal(Signal::HUP);
    server.wait_for_log("WARNING - 'history-keep' differs from its value at the start; restart");
    let found = Program::run_server(&["history", "--config", file.to_str().unwrap()]);
    assert_eq!((found.code(), found.stdout_text()), (0, ""));
    assert!(server.terminate().0.success());
}

#[test]
fn without_the_setting_there_is_no_thread_and_no_file() {
    let database = Database::new();
    let server = Launch::new(&["--workers", "1"]).start();
    assert!(tests::system::procfs::threads_named(server.pid(), "history").is_empty());
    drop(server);
    assert!(!database.path().exists());
}

#[test]
fn the_events_of_a_room_are_rows_with_their_numbers() {
    let database = Database::new();
    let name = database.name();
    let args = ["--history", &name, "--listen", "tcp://127.0.0.1:0?protocol=room"];
    let server = Launch::new(&args).without_port().start();
    let mut alice = server.connect();
    let _ = alice.read_until("Messages in this room are recorded\n");
    alice.send(b"/name alice\nhello\n");
    let _ = alice.read_until("alice: hello\n");
    drop(alice);
    assert!(server.terminate().0.success());
    let rows = "SELECT count(*) FROM messages WHERE protocol = 'room' AND room = 'lobby' AND
                (sequence, user, direction, CAST(bytes AS TEXT)) IN
                (VALUES (1, 'guest-1', 'sent', '* guest-1 joined'), (3, 'alice', 'received', 'hello'))";
    assert_eq!(database.number(rows), 2);
    let address =
        "SELECT count(*) FROM messages WHERE direction = 'received' AND peer LIKE '127.0.0.1:%'";
    assert_eq!(database.number(address), 1);
    let shown = database.search(&["--room", "lobby", "--user", "alice", "--grep", "hello"]);
    assert!(shown.stdout_text().ends_with(" (alice) lobby #3: hello\n"), "{}", shown.stdout_text());
}

#[test]
fn a_room_continues_after_a_restart_with_its_last_messages_and_its_numbers() {
    let database = Database::new();
    let name = database.name();
    let args = ["--history", &name, "--listen", "tcp://127.0.0.1:0?protocol=room&history=2"];
    let server = Launch::new(&args).without_port().start();
    let mut peer = server.connect();
    peer.send(b"one\ntwo\nthree\nexit\n");
    peer.read_to_end();
    drop(peer);
    assert!(server.terminate().0.success());
    let server = Launch::new(&args).without_port().start();
    let mut peer = server.connect();
    peer.expect(
        b"* You are guest-1 in lobby, with nobody else\n* Messages in this room are recorded\n\
        * The last 2 messages:\nguest-1: two\nguest-1: three\n* guest-1 joined\n",
    );
    peer.send(b"/seq on\nfour\n");
    peer.expect(b"* Sequence numbers are on; the last one is 6\n7 guest-1: four\n");
}
