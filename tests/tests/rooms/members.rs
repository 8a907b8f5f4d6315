//! Members that speak in lines.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    thread,
};

use rustix::process::Signal;
use tests::{net::Peer, programs::Launch};

use crate::{exchange, join, start, start_with};

/// Reads lines until one of them is this.
fn read_line(peer: &mut Peer, line: &str) {
    peer.read_until(&format!("{line}\n"));
}

#[test]
fn what_one_member_sends_goes_to_all_and_names_are_unique() {
    let server = start("");
    let mut bob = join(&server, "bob");
    let mut ann = join(&server, "ann");
    read_line(&mut bob, "* guest-2 is now ann");
    exchange(&mut bob, "hello\n", "bob: hello\n");
    ann.expect(b"bob: hello\n");
    exchange(&mut ann, "/name BOB\n", "! That name is taken\n");
    exchange(&mut ann, "/who\r\n", "* In lobby (2): ann, bob\n");
    exchange(&mut ann, "//etc/passwd\n", "ann: /etc/passwd\n");
    bob.expect(b"ann: /etc/passwd\n");
    ann.send(b"exit\n");
    ann.expect_to_end(b"Goodbye!\n");
    bob.expect(b"* ann left\n");
}

#[test]
fn a_new_member_sees_its_room_and_may_choose_another() {
    let server = start("");
    let mut first = server.connect();
    first.send(b"hello\n");
    first.expect(
        b"* You are guest-1 in lobby, with nobody else\n* guest-1 joined\nguest-1: hello\n",
    );
    exchange(
        &mut first,
        "/join team\n",
        "* You are guest-1 in team, with nobody else\n* guest-1 joined\n",
    );
    exchange(
        &mut first,
        "/leave\nlost\n",
        "* You have left team\n! You are in no room; /join NAME joins one\n",
    );
    exchange(
        &mut first,
        "/join\n",
        "* You are guest-1 in lobby, with nobody else\n* guest-1 joined\n",
    );
    exchange(
        &mut first,
        "/join @x\n/unknown\n",
        "! A room has a name of 1 to 64 letters, digits, '.', '_' or '-', which begins with a letter or a digit\n\
        ! Unknown command; /help lists the commands. A message that begins with '/' is sent as //\n",
    );
}

#[test]
fn the_room_of_a_listener_may_be_fixed() {
    let server = start("&room=team");
    let mut peer = server.connect();
    peer.expect(b"* You are guest-1 in team, with nobody else\n* guest-1 joined\n");
    peer.send(b"/join lobby\n/join team\n");
    peer.expect(b"! This listener has one room: team\n! You are in team already\n");
}

#[test]
fn numbers_show_that_nothing_is_missing() {
    let server = start("");
    let mut peer = server.connect();
    peer.send(b"one\n/seq on\ntwo\n/name bob\nthree\n");
    peer.expect(
        b"* You are guest-1 in lobby, with nobody else\n* guest-1 joined\nguest-1: one\n\
        * Sequence numbers are on; the last one is 2\n3 guest-1: two\n* You are now bob\n\
        4 * guest-1 is now bob\n5 bob: three\n",
    );
}

#[test]
fn text_of_others_cannot_control_a_terminal_and_has_a_limit() {
    let server = start("");
    let mut peer = join(&server, "bob");
    peer.send(b"\x1b[2J\xff\r\n");
    peer.expect(b"bob: \\x1b[2J\\xff\n");
    let longest = "x".repeat(8192);
    exchange(&mut peer, &format!("{longest}\r\n"), &format!("bob: {longest}\n"));
    exchange(
        &mut peer,
        &format!("{longest}x\nafter\n"),
        "! A message has at most 8192 bytes, this one has 8193\nbob: after\n",
    );
    let endless = "x".repeat(100_000);
    exchange(
        &mut peer,
        &format!("{endless}\nafter\n"),
        "! A message has at most 8192 bytes\nbob: after\n",
    );
}

#[test]
fn everything_before_the_end_of_a_stream_comes_back() {
    let server = start("");
    let mut peer = server.connect();
    let lines = |prefix: &str| {
        let lines = (0..1000).map(|number| format!("{prefix}{number}\n"));
        lines.collect::<Vec<_>>().concat()
    };
    peer.send(format!("{}no newline", lines("")).as_bytes());
    peer.half_close();
    let received = String::from_utf8(peer.read_to_end()).unwrap();
    let expected = format!("* guest-1 joined\n{}guest-1: no newline\n", lines("guest-1: "));
    assert!(received.ends_with(&expected), "{received}");
}

#[test]
fn a_member_that_only_listens_joins_after_a_moment_and_one_that_vanishes_leaves() {
    let server = start("");
    let mut bob = join(&server, "bob");
    let mut listener = server.connect();
    listener.expect(b"* You are guest-2 in lobby, with 1 other\n* guest-2 joined\n");
    listener.reset();
    bob.expect(b"* guest-2 joined\n* guest-2 left\n");
}

#[test]
fn the_last_messages_are_shown_to_who_joins() {
    let server = start("&history=2");
    let mut bob = join(&server, "bob");
    exchange(&mut bob, "one\ntwo\nthree\n", "bob: one\nbob: two\nbob: three\n");
    let mut peer = server.connect();
    peer.expect(
        b"* You are guest-2 in lobby, with 1 other\n* The last 2 messages:\nbob: two\nbob: three\n* guest-2 joined\n",
    );
}

#[test]
fn a_drain_sends_what_was_received_and_says_why_it_ends() {
    let server = start_with("", &["--workers", "2"]);
    let mut peers: Vec<_> = ["ann", "bob", "carol"].map(|name| join(&server, name)).into();
    for peer in &mut peers {
        peer.send(b"/seq on\n");
        peer.read_until("* Sequence numbers are on");
        peer.send(b"last words\n");
    }
    server.signal(Signal::TERM);
    for peer in &mut peers {
        let end = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(
            end.contains("last words\n") && end.ends_with("* The server shuts down\n"),
            "{end}"
        );
    }
    drop(peers);
    let (status, log) = server.wait_with_log();
    assert!(status.success(), "{log}");
}

#[test]
fn the_log_says_who_is_in_which_room() {
    let server = start("");
    let mut bob = join(&server, "bob");
    exchange(&mut bob, "/join team\n", "* You are bob in team, with nobody else\n");
    drop(bob);
    let (_, log) = server.terminate();
    for text in [
        "joined the room lobby as guest-1",
        "left the room lobby as bob",
        "joined the room team as bob",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
}

/// A Unix socket takes less than a send buffer at once.
#[test]
fn a_new_member_receives_a_history_that_is_longer_than_every_buffer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("room.sock");
    let listen = format!("unix://{}?protocol=room&history=1000", path.display());
    let server = Launch::new(&["--listen", &listen]).without_port().start();
    let text = "x".repeat(8000);
    let mut sender = UnixStream::connect(&path).unwrap();
    // It reads meanwhile: a member that does not is not read from.
    let mut writing = sender.try_clone().unwrap();
    let lines = format!("{}exit\n", format!("{text}\n").repeat(100));
    let writer = thread::spawn(move || writing.write_all(lines.as_bytes()));
    sender.read_to_end(&mut Vec::new()).unwrap();
    writer.join().expect("no panic").expect("the server reads all");
    drop(sender);
    let mut member = UnixStream::connect(&path).unwrap();
    writeln!(member, "/help\nhello\nexit").unwrap();
    let lines = BufReader::new(&member).lines().map(Result::unwrap).collect::<Vec<_>>();
    let count = lines[1].strip_prefix("* The last ").and_then(|rest| rest.split(' ').next());
    let count: usize = count.unwrap().parse().unwrap();
    assert!(count > 60, "{count} messages of 8,000 bytes");
    assert!(lines[2..2 + count].iter().all(|line| *line == format!("guest-1: {text}")));
    assert!(lines.contains(&"guest-2: hello".to_owned()));
    assert_eq!(lines.last().unwrap(), "Goodbye!");
    drop((member, server));
}

#[test]
fn a_member_that_sends_commands_and_does_not_read_is_slowed_down() {
    const COMMANDS: usize = 20_000;
    let server = start("");
    let mut peer = join(&server, "bob");
    let writer = peer.send_in_background([&b"/b\n".repeat(COMMANDS)[..], b"exit\n"].concat());
    writer.join().expect("no panic").expect("the kernel and the server take all");
    let answers = String::from_utf8(peer.read_to_end()).unwrap();
    assert_eq!(answers.matches("! Unknown command").count(), COMMANDS);
    assert!(answers.ends_with("Goodbye!\n"));
}
