//! Rooms that several servers share through Redis, and its faults.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use rustix::process::Signal;
use tests::{
    log::pattern,
    net::{Peer, TestCa},
    programs::{EchoServer, Launch, Program},
    redis::Redis,
    requirements::{redis, skip_without},
    wait::wait_until,
};

const LISTEN: &str = "tcp://127.0.0.1:0?protocol=room";

/// A server that shares its rooms, and its tag.
struct Server {
    server: EchoServer,
    tag: String,
}

impl Server {
    /// Starts a server, and waits until its rooms are shared.
    fn start(redis: &Redis) -> Self {
        Self::connected(launch(&redis.url()).start())
    }

    fn connected(server: EchoServer) -> Self {
        let line = server.log().wait_for_line("Rooms are shared with other servers through ");
        let tag = line.rsplit(' ').next().expect("the tag ends the line").trim().to_owned();
        assert_eq!(tag.len(), 6, "{line}");
        Self { server, tag }
    }

    fn join(&self, name: &str) -> Member {
        Member::join(&self.server, name)
    }

    /// Returns the name of a guest of this server on other servers.
    fn guest(&self, name: &str) -> String {
        format!("{name}~{}", self.tag)
    }

    /// Returns the number of log lines that match a text.
    fn count(&self, text: &str) -> usize {
        self.server.log().text().matches(text).count()
    }
}

fn launch(url: &str) -> Launch {
    let args = ["--listen", LISTEN, "--rooms", url, "--log-messages", "off"];
    Launch::new(&[&args[..], &["--log-level", "debug"]].concat()).without_port()
}

/// Waits until a server has dropped so many messages for others.
fn wait_for_dropped(server: &EchoServer, messages: u64) {
    let dropped = pattern(r"Dropped (\d+) messages for other servers");
    server.log().wait_for("dropped messages", |log, _| {
        let log = String::from_utf8_lossy(log);
        let dropped = dropped.captures_iter(&log).filter_map(|count| count[1].parse::<u64>().ok());
        (dropped.sum::<u64>() == messages).then_some(())
    });
}

/// A member of the lobby.
struct Member(Peer);

impl Member {
    fn join(server: &EchoServer, name: &str) -> Self {
        let mut member = Self(server.connect());
        assert!(member.line().starts_with("* You are guest-"));
        assert!(member.line().ends_with(" joined"));
        member.send(&format!("/name {name}"));
        member.skip_to(&format!("* You are now {name}"));
        assert!(member.line().ends_with(&format!("is now {name}")));
        member
    }

    fn send(&mut self, line: &str) {
        self.0.send(format!("{line}\n").as_bytes());
    }

    /// Sends a message, and waits for its echo.
    fn say(&mut self, name: &str, text: &str) {
        self.send(text);
        self.skip_to(&format!("{name}: {text}"));
    }

    fn line(&mut self) -> String {
        self.0.read_until("\n").trim_end().to_owned()
    }

    /// Reads up to this line. Returns what came before it.
    fn skip_to(&mut self, line: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let next = self.line();
            if next == line {
                return before;
            }
            before.push(next);
        }
    }
}

#[test]
fn members_of_two_servers_are_in_one_room() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let (a, b) = (Server::start(&redis), Server::start(&redis));
    assert_ne!(a.tag, b.tag, "the same configuration on the same host");
    let mut bob = a.join("bob");
    let mut carol = b.join("carol");
    bob.skip_to(&format!("* {} is now {}", b.guest("guest-1"), b.guest("carol")));
    carol.say("carol", "hello");
    bob.skip_to(&format!("{}: hello", b.guest("carol")));
    bob.send("escaped\u{7}");
    assert_eq!(carol.line(), format!("{}: escaped\\x07", a.guest("bob")));

    // A name belongs to its server, and `/who` lists the members of this one.
    let mut other = a.join("carol");
    other.send("/who");
    other.skip_to("* In lobby (2): bob, carol");
    drop(other);
    carol.skip_to(&format!("* {} left", a.guest("carol")));
    carol.send("exit");
    bob.skip_to(&format!("* {} left", b.guest("carol")));
}

#[test]
fn every_message_of_four_servers_arrives_once_and_in_the_order_of_its_sender() {
    const MESSAGES: usize = 300;
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let servers: Vec<_> = (0..4).map(|_| Server::start(&redis)).collect();
    let members: Vec<_> = servers
        .iter()
        .enumerate()
        .map(|(index, server)| server.join(&format!("m{index}")))
        .collect();
    let threads = members.into_iter().enumerate().map(|(index, mut member)| {
        let name = format!("m{index}");
        thread::spawn(move || {
            let mut lines: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
            lines.push("end".to_owned());
            member.send(&lines.join("\n"));
            let mut received: BTreeMap<String, Vec<String>> = BTreeMap::new();
            while received.values().filter(|texts| texts.contains(&"end".to_owned())).count() < 4 {
                let line = member.line();
                if let Some((sender, text)) = line.split_once(": ") {
                    received.entry(sender.to_owned()).or_default().push(text.to_owned());
                }
            }
            (name, received)
        })
    });
    let threads: Vec<_> = threads.collect();
    let expected: Vec<_> =
        (0..MESSAGES).map(|number| number.to_string()).chain(["end".to_owned()]).collect();
    for (index, thread) in threads.into_iter().enumerate() {
        let (name, received) = thread.join().expect("it receives everything");
        let senders = servers.iter().enumerate().map(|(other, server)| match other {
            _ if other == index => name.clone(),
            _ => server.guest(&format!("m{other}")),
        });
        for sender in senders {
            assert_eq!(received[&sender], expected, "{sender} to {name}");
        }
        assert_eq!(received.len(), 4);
    }
}

#[test]
fn rooms_go_on_within_each_server_while_redis_is_gone_and_the_loss_is_told() {
    if skip_without(&[redis()]) {
        return;
    }
    let mut redis = Redis::start();
    let (a, b) = (Server::start(&redis), Server::start(&redis));
    let mut bob = a.join("bob");
    let mut carol = b.join("carol");
    bob.say("bob", "0");
    carol.skip_to(&format!("{}: 0", a.guest("bob")));
    redis.kill();
    for server in [&a, &b] {
        server.server.wait_for_log("WARNING - Rooms are no longer shared with other servers: ");
    }
    for text in ["1", "2", "3"] {
        bob.say("bob", text);
    }
    wait_for_dropped(&a.server, 3);
    // Another Redis takes its place: it has none of the data of the first one.
    redis.start_again();
    a.server.wait_for_log(r"INFO - Redis answers again after [\d.]+ s; 3 messages were not sent");
    b.server.wait_for_log("INFO - Redis answers again after ");
    // Nobody has sent anything since.
    let gap = format!("* 3 messages of server {} were lost", a.tag);
    assert_eq!(carol.line(), gap);
    bob.say("bob", "4");
    assert_eq!(carol.line(), format!("{}: 4", a.guest("bob")));
    for server in [&a, &b] {
        assert_eq!(server.count("Rooms are no longer shared"), 1);
        assert_eq!(server.count("Redis answers again"), 1);
    }
}

#[test]
fn a_redis_that_hangs_is_noticed_and_found_again() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let (a, b) = (Server::start(&redis), Server::start(&redis));
    let mut bob = a.join("bob");
    let mut carol = b.join("carol");
    redis.pause();
    for server in [&a, &b] {
        server.server.wait_for_log("Rooms are no longer shared .*: it does not answer; ");
    }
    bob.say("bob", "alone");
    redis.resume();
    for server in [&a, &b] {
        server.server.wait_for_log("Redis answers again");
    }
    bob.say("bob", "together");
    let before = carol.skip_to(&format!("{}: together", a.guest("bob")));
    let alone = format!("{}: alone", a.guest("bob"));
    let lost = format!("* 1 message of server {} was lost", a.tag);
    let known = before.iter().filter(|line| **line == alone || **line == lost);
    assert_eq!(known.count(), 1, "it arrives or is told as lost: {before:?}");
}

/// Sends numbers until `is_over`, each after the one before has come back, then `end`. Returns all lines up to the `end` of
/// `other`, and how many numbers there were.
fn send_until(
    mut member: Member,
    name: &str,
    other: &str,
    is_over: &AtomicBool,
    progress: &AtomicU64,
) -> (Vec<String>, u64) {
    let (mut lines, mut number) = (Vec::new(), 0);
    while !is_over.load(SeqCst) {
        number += 1;
        progress.fetch_add(1, SeqCst);
        member.send(&number.to_string());
        lines.extend(member.skip_to(&format!("{name}: {number}")));
    }
    member.send("end");
    let end = format!("{other}: end");
    if !lines.contains(&end) {
        lines.extend(member.skip_to(&end));
    }
    (lines, number)
}

/// A fault under load.
enum Fault {
    /// Redis is killed, and another one takes its place.
    Kill,
    /// The connections of the subscribers are closed.
    Listeners,
    /// Redis hangs.
    Pause,
}

impl Fault {
    /// Injects the fault, waits until the servers have noticed, and ends it.
    fn inject(self, redis: &mut Redis, wait: impl Fn()) {
        match self {
            Self::Kill => {
                redis.kill();
                wait();
                redis.start_again();
            }
            Self::Listeners => {
                let killed = redis.command(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
                assert_eq!(killed, ":2");
                wait();
            }
            Self::Pause => {
                redis.pause();
                wait();
                redis.resume();
            }
        }
    }
}

#[test]
fn every_message_arrives_once_or_is_told_as_lost_while_redis_fails_under_load() {
    if skip_without(&[redis()]) {
        return;
    }
    let mut redis = Redis::start();
    let servers = [Server::start(&redis), Server::start(&redis)];
    let mut members = [servers[0].join("m0"), servers[1].join("m1")];
    // Then every later event is a number.
    for (index, other) in [(0, 1), (1, 0)] {
        let name = format!("m{index}");
        members[index].say(&name, "ready");
        members[other].skip_to(&format!("{}: ready", servers[index].guest(&name)));
    }
    let (is_over, progress) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let threads = members.into_iter().enumerate().map(|(index, member)| {
        let (is_over, progress, other) = (Arc::clone(&is_over), Arc::clone(&progress), 1 - index);
        let other = servers[other].guest(&format!("m{other}"));
        let name = format!("m{index}");
        thread::spawn(move || send_until(member, &name, &other, &is_over, &progress))
    });
    let threads: Vec<_> = threads.collect();
    for (number, fault) in (1..).zip([Fault::Kill, Fault::Listeners, Fault::Kill, Fault::Pause]) {
        let before = progress.load(SeqCst);
        wait_until("messages between two faults", || progress.load(SeqCst) >= before + 100);
        fault.inject(&mut redis, || {
            for server in &servers {
                let _ = server.server.log().wait_for_lines("Rooms are no longer shared", number);
            }
        });
        for server in &servers {
            let _ = server.server.log().wait_for_lines("Redis answers again", number);
        }
    }
    is_over.store(true, SeqCst);
    let results: Vec<_> =
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect();
    for (index, (lines, _)) in results.iter().enumerate() {
        let other = 1 - index;
        let (received, lost) = account(lines, &servers[other].guest(&format!("m{other}")));
        let sent = results[other].1;
        assert_eq!(received + lost, sent, "received {received}, told {lost} as lost, of {sent}");
        assert!(received > 0);
    }
}

/// Returns how many messages of a guest of another server a member has received, which must be in order, and of how many it was
/// told that they were lost.
fn account(lines: &[String], sender: &str) -> (u64, u64) {
    let (_, tag) = sender.split_once('~').expect("a guest of another server");
    let (message, gap) = (format!("{sender}: "), format!("of server {tag} "));
    let (mut before, mut received, mut lost) = (0, 0, 0);
    for line in lines {
        if let Some(number) = line.strip_prefix(&message).and_then(|text| text.parse().ok()) {
            assert!(before < number, "{number} after {before}");
            (before, received) = (number, received + 1);
        } else if line.contains(&gap) {
            lost += line.split(' ').nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
        }
    }
    (received, lost)
}

#[test]
fn flushing_redis_changes_nothing() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let (a, b) = (Server::start(&redis), Server::start(&redis));
    let mut bob = a.join("bob");
    let mut carol = b.join("carol");
    for text in ["before", "after"] {
        bob.say("bob", text);
        carol.skip_to(&format!("{}: {text}", a.guest("bob")));
        assert_eq!(redis.command(&[b"FLUSHALL"]), "+OK");
    }
    assert_eq!(a.count("Rooms are no longer shared"), 0);
}

/// Returns the payload of a message, as `server/src/relay/payload.rs` defines it.
fn payload(server: u64, (stream, count): (u64, u64), name: &str, text: &str) -> Vec<u8> {
    let mut payload = b"ECR\x01m".to_vec();
    for number in [server, stream, count, 0] {
        payload.extend(number.to_be_bytes());
    }
    payload.extend(u16::try_from(name.len()).expect("a short name").to_be_bytes());
    [payload, name.as_bytes().to_vec(), text.as_bytes().to_vec()].concat()
}

#[test]
fn duplicates_are_ignored_gaps_are_told_and_what_others_publish_is_ignored() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let a = Server::start(&redis);
    let mut bob = a.join("bob");
    let lobby = "echo-server:room:lobby";
    let publish = |place, text| {
        redis.publish(lobby, &payload(0xa1b2_c3ff_ffff_ffff, place, "eve", text));
    };
    redis.publish(lobby, b"hello");
    a.server.wait_for_log(
        "WARNING - Ignored a message on the channel echo-server:room:lobby of Redis: it is not",
    );
    redis.publish("echo-server:servers", &vec![b'x'; 100_000]);
    redis.publish("echo-server:room:../lobby", &payload(1, (1, 1), "eve", "1"));
    redis.publish("echo-server:room:", b"");
    redis.publish(lobby, &payload(1, (1, 1), "eve~000000", "a forged name"));
    redis.publish(lobby, &payload(1, (1, 1), "eve", &"x".repeat(9000)));
    redis.publish("echo-server:room:nobody", &payload(1, (1, 1), "eve", "a room without members"));
    publish((1, 1), "1");
    publish((1, 1), "1");
    publish((1, 2), "2");
    publish((1, 1), "1");
    publish((1, 15), "15");
    publish((1, 14), "14");
    publish((2, 1), "the room began again");
    publish((1, 16), "16");
    publish((2, 2), "end");
    let received: Vec<_> = (0..5).map(|_| bob.line()).collect();
    assert_eq!(
        received,
        [
            "eve~a1b2c3: 1",
            "eve~a1b2c3: 2",
            "* 12 messages of server a1b2c3 were lost",
            "eve~a1b2c3: 15",
            "eve~a1b2c3: the room began again",
        ]
    );
    assert_eq!(bob.line(), "eve~a1b2c3: end");
}

#[test]
fn a_loss_before_a_silence_is_told_by_the_heartbeat_that_answers_a_hello() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let a = Server::start(&redis);
    let mut bob = a.join("bob");
    let heartbeat = |kind: u8, rooms: &[u8]| {
        let server = 0xa1b2_c3ff_ffff_ffff_u64.to_be_bytes();
        let head = [&b"ECR\x01"[..], &[kind], &server, &[0; 16]].concat();
        redis.publish("echo-server:servers", &[&head, rooms].concat());
    };
    // The test is a server that begins to listen.
    let received = redis.subscribe("echo-server:servers");
    heartbeat(b'h', b"");
    received.wait_for("the last event of the room, the second", |bytes, _| {
        let last = [&b"\x05lobby"[..], &1_u64.to_be_bytes(), &2_u64.to_be_bytes()].concat();
        bytes.windows(last.len()).any(|window| window == last).then_some(())
    });

    // Then it is a server whose last messages are lost.
    redis.publish("echo-server:room:lobby", &payload(0xa1b2_c3ff_ffff_ffff, (1, 1), "eve", "1"));
    assert_eq!(bob.line(), "eve~a1b2c3: 1");
    let last = [&b"\x05lobby"[..], &1_u64.to_be_bytes(), &5_u64.to_be_bytes()].concat();
    heartbeat(b's', &last);
    heartbeat(b's', &last);
    assert_eq!(bob.line(), "* 4 messages of server a1b2c3 were lost");
    bob.send("told once");
    assert_eq!(bob.line(), "bob: told once");
}

/// The other server had asked before this one began to listen, and learnt of a loss only by the next message.
#[test]
fn a_server_that_begins_to_listen_tells_its_last_events_without_a_question() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let user = "ACL SETUSER echo on >PASSWORD allchannels +@all";
    let user: Vec<_> = user.split_whitespace().map(str::as_bytes).collect();
    assert_eq!(redis.command(&user), "+OK");
    let url = format!("redis://echo:PASSWORD@{}", redis.host_port());
    let a = Server::connected(launch(&url).start());
    let _bob = a.join("bob");
    // The test is a server that listens and asks nothing.
    let received = redis.subscribe("echo-server:servers");
    let killed = redis.command(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub", b"USER", b"echo"]);
    assert_eq!(killed, ":1", "it does not listen now, and still publishes");
    received.wait_for("the last event of the room, the second", |bytes, _| {
        let last = [&b"\x05lobby"[..], &1_u64.to_be_bytes(), &2_u64.to_be_bytes()].concat();
        bytes.windows(last.len()).any(|window| window == last).then_some(())
    });
}

#[test]
fn a_user_of_redis_needs_no_more_rights_than_the_documentation_says() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let rights = "ACL SETUSER echo on >PASSWORD resetchannels &echo-server:room:* &echo-server:servers -@all +auth \
                  +select +publish +subscribe +psubscribe";
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ROOMS.md");
    let page = fs::read_to_string(page).expect("the page exists");
    let words: Vec<_> = page.split_whitespace().collect();
    assert!(words.join(" ").contains(rights));
    let command: Vec<_> = rights.split_whitespace().map(str::as_bytes).collect();
    assert_eq!(redis.command(&command), "+OK");
    let start = || {
        Server::connected(launch(&format!("redis://echo:PASSWORD@{}/1", redis.host_port())).start())
    };
    let (a, b) = (start(), start());
    let mut bob = a.join("bob");
    let mut carol = b.join("carol");
    bob.say("bob", "hello");
    carol.skip_to(&format!("{}: hello", a.guest("bob")));
}

#[test]
fn what_redis_has_refused_is_not_sent_later() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let b = Server::start(&redis);
    let mut carol = b.join("carol");
    let user = "ACL SETUSER echo on >PASSWORD allchannels +@all -publish";
    let user: Vec<_> = user.split_whitespace().map(str::as_bytes).collect();
    assert_eq!(redis.command(&user), "+OK");
    let server = launch(&format!("redis://echo:PASSWORD@{}", redis.host_port())).start();
    server.wait_for_log("WARNING - Rooms are not shared with other servers: .*permissions");
    let mut bob = Member::join(&server, "bob");
    bob.say("bob", "refused");
    // The join, the name and the message.
    wait_for_dropped(&server, 3);
    assert_eq!(redis.command(&[b"ACL", b"SETUSER", b"echo", b"+publish"]), "+OK");
    let a = Server::connected(server);
    bob.say("bob", "sent");
    assert_eq!(carol.line(), format!("{}: sent", a.guest("bob")));
}

#[test]
fn a_reload_with_another_redis_says_that_a_restart_is_necessary() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("echo.toml");
    let write = |redis: &str| {
        fs::write(&file, format!("listen = ['{LISTEN}']\nrooms = '{redis}'\n")).expect("writable");
    };
    // Nothing answers at this port.
    write("redis://:first@127.0.0.1:1");
    let server = EchoServer::start_with(&["--config", file.to_str().expect("UTF-8")]);
    write("redis://:second@127.0.0.1:1");
    server.signal(Signal::HUP);
    server
        .wait_for_log("WARNING - 'rooms' differs from its value at the start; restart the server");
    let (_, log) = server.terminate();
    assert!(!log.contains("first") && !log.contains("second"), "{log}");
}

#[test]
fn a_server_starts_without_redis_and_finds_it_later() {
    if skip_without(&[redis()]) {
        return;
    }
    let mut redis = Redis::stopped(&["--requirepass", "se%cret"]);
    let url = format!("redis://:se%25cret@{}/1?prefix=team", redis.host_port());
    let server = launch(&url).start();
    server.wait_for_log("WARNING - Rooms are not shared with other servers: .*connection refused");
    let mut bob = Member::join(&server, "bob");
    bob.say("bob", "alone");
    redis.start_again();
    let a = Server::connected(server);
    let b = Server::connected(launch(&url).start());
    let stranger = launch(&url.replace("team", "others")).start();
    let stranger = Server::connected(stranger);
    let mut carol = b.join("carol");
    let mut dave = stranger.join("dave");
    bob.say("bob", "hello");
    carol.skip_to(&format!("{}: hello", a.guest("bob")));
    dave.say("dave", "nobody else is here");
    bob.say("bob", "end");
    let before = carol.skip_to(&format!("{}: end", a.guest("bob")));
    assert_eq!(before, [""; 0], "rooms of another prefix are other rooms");
    drop((bob, carol, dave));
    for server in [a, b, stranger] {
        let (status, log) = server.server.terminate();
        assert!(status.success() || status.code() == Some(143), "{status}");
        assert!(!log.contains("cret"), "{log}");
    }
}

#[test]
fn a_wrong_password_is_one_warning_and_a_wrong_url_a_usage_error() {
    if skip_without(&[redis()]) {
        return;
    }
    let mut redis = Redis::stopped(&["--requirepass", "right"]);
    redis.start_again();
    let url = format!("redis://:wrong@{}", redis.host_port());
    let server = launch(&url).start();
    server.wait_for_log("WARNING - Rooms are not shared with other servers: .*(?i:password)");
    server.wait_for_log("DEBUG - Redis at .* still fails");
    assert_eq!(server.log().text().matches("WARNING").count(), 1);
    assert!(!server.log().text().contains("wrong@"));

    let error = Program::run_server(&["--rooms", "redis//:wrong@h"]);
    assert_eq!((error.code(), error.stderr.contains("wrong")), (2, false), "{error:?}");
    assert!(error.error_line().contains("--rooms: expected redis://"), "{error:?}");
}

#[test]
fn a_server_that_ends_publishes_what_it_has_received() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let (a, b) = (Server::start(&redis), Server::start(&redis));
    let mut bob = a.join("bob");
    let mut carol = b.join("carol");
    bob.send(&(0..200).map(|number| number.to_string()).collect::<Vec<_>>().join("\n"));
    bob.skip_to("bob: 199");
    let name = a.guest("bob");
    a.server.signal(Signal::TERM);
    for number in 0..200 {
        carol.skip_to(&format!("{name}: {number}"));
    }
    assert_eq!(carol.line(), format!("* {name} left"));
    drop(bob);
    let (_, log) = a.server.wait_with_log();
    assert!(!log.contains("not sent to other servers"), "{log}");
}

#[test]
fn a_server_ends_while_redis_hangs() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let a = Server::start(&redis);
    let mut bob = a.join("bob");
    redis.pause();
    bob.say("bob", "never sent");
    bob.send("exit");
    let _ = bob.0.read_to_end();
    drop(bob);
    let (_, log) = a.server.terminate();
    assert!(log.contains("Server shutdown complete"), "{log}");
    let is_told = log.contains("Redis does not answer at the end of this server")
        || log.contains("were not sent to other servers");
    assert!(is_told, "{log}");
}

#[test]
fn a_server_that_was_killed_comes_back_as_another_one() {
    if skip_without(&[redis()]) {
        return;
    }
    let redis = Redis::start();
    let b = Server::start(&redis);
    let mut carol = b.join("carol");
    let mut tags = Vec::new();
    for _ in 0..3 {
        let a = Server::start(&redis);
        let mut bob = a.join("bob");
        bob.say("bob", "hello");
        let before = carol.skip_to(&format!("{}: hello", a.guest("bob")));
        assert!(before.iter().all(|line| !line.contains("lost")), "{before:?}");
        a.server.signal(Signal::KILL);
        tags.push(a.tag.clone());
    }
    tags.dedup();
    assert_eq!(tags.len(), 3);
}

#[test]
fn rooms_are_shared_over_tls() {
    if skip_without(&[redis()]) {
        return;
    }
    let ca = TestCa::new();
    let redis = Redis::start_with_tls(&ca.localhost());
    let url = redis.url();
    let start = || Server::connected(launch(&url).env("SSL_CERT_FILE", ca.file()).start());
    let (a, b) = (start(), start());
    let mut bob = a.join("bob");
    let mut carol = b.join("carol");
    bob.say("bob", "hello");
    carol.skip_to(&format!("{}: hello", a.guest("bob")));
}

#[test]
fn a_server_with_rooms_of_its_own_has_no_thread_for_redis() {
    let server = EchoServer::start_with(&["--listen", LISTEN]);
    let tasks = format!("/proc/{}/task", server.pid().as_raw_nonzero());
    let names: Vec<_> = fs::read_dir(tasks)
        .expect("the process runs")
        .map(|task| fs::read_to_string(task.expect("a thread").path().join("comm")))
        .filter_map(Result::ok)
        .collect();
    assert!(names.iter().any(|name| name.starts_with("worker-1")), "{names:?}");
    assert!(names.iter().all(|name| !name.starts_with("relay")), "{names:?}");
}
