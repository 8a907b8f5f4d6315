//! `echo-server faults` against a running server.

use std::net::UdpSocket;

use serde_json::Value;
use tests::{
    net::Peer,
    programs::{EchoServer, Finished, Program},
    wait::DEADLINE,
};

/// A server with an admin listener.
struct Controlled {
    server: EchoServer,
    admin: String,
}

impl Controlled {
    fn start(args: &[&str]) -> Self {
        let admin = ["--admin", "http://127.0.0.1:0"];
        let server = EchoServer::start_with(&[&admin, args].concat());
        let line = server.log().wait_for_line("Admin listener started on http://");
        let admin = line.rsplit(' ').next().expect("a last word").to_owned();
        Self { server, admin }
    }

    fn run(&self, args: &[&str]) -> Finished {
        let (command, rest) = args.split_first().expect("a command");
        Program::run_server(&[&["faults", command, "--admin", &self.admin], rest].concat())
    }

    fn success(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!((done.code(), &done.stderr[..]), (0, ""), "{args:?}: {done:?}");
        done.stdout_text().to_owned()
    }

    /// Returns the listeners with their faults.
    fn list(&self) -> Vec<Value> {
        let text = self.success(&["list", "--json"]);
        assert_eq!(text.lines().count(), 1, "{text}");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        document["listeners"].as_array().expect("a list").clone()
    }
}

#[test]
fn faults_are_set_for_open_and_new_connections_and_cleared_again() {
    let controlled = Controlled::start(&["--listen", "tcp://127.0.0.1:0"]);
    let mut open = controlled.server.connect();
    open.exchange(b"hello\n");
    let set = controlled.success(&["set", "close-after=9", "--seed", "7"]);
    assert!(set.lines().nth(1).is_some_and(|row| row.ends_with("  7  close-after=9B")), "{set}");
    controlled.server.wait_for_log(
        "injects faults on purpose, set through the admin listener: close-after=9B&fault-seed=7$",
    );
    open.send(b"hello\n");
    open.expect_to_end(b"hel");
    let mut new = controlled.server.connect();
    new.send(b"hello\nhello\n");
    new.expect_to_end(b"hello\nhel");
    let [listener] = &controlled.list()[..] else { panic!("one listener") };
    assert_eq!((&listener["faults"], &listener["seed"]), (&"close-after=9B".into(), &7.into()));
    assert_eq!(listener["connections"], 2);
    controlled.success(&["clear"]);
    controlled.server.wait_for_log("Faults of .* cleared through the admin listener$");
    assert_eq!(controlled.list()[0]["faults"], Value::Null);
    let mut free = controlled.server.connect();
    free.exchange(b"hello\n");
    free.exchange(b"hello\n");
}

#[test]
fn cleared_faults_release_what_they_hold() {
    let controlled = Controlled::start(&["--listen", "tcp://127.0.0.1:0?delay=1h"]);
    let mut peer = controlled.server.connect();
    peer.send(b"hello\n");
    controlled.server.wait_for_log("Fault injected for .*: delay at byte 0");
    controlled.success(&["clear"]);
    peer.expect(b"hello\n");
    peer.exchange(b"more\n");
}

#[test]
fn a_profile_is_set_with_other_faults_at_all_listeners_or_at_one() {
    let listen = ["--listen", "tcp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0?protocol=raw"];
    let controlled = Controlled::start(&listen);
    let several = controlled.run(&["set", "delay=1s"]);
    assert_eq!(several.code(), 1);
    let expected = "the server has several listeners: ";
    assert!(several.stderr.contains(expected), "{}", several.stderr);
    controlled.success(&["set", "--all", "--profile", "slow-3g", "delay=off", "corrupt=1/MB@5%"]);
    let faults = || controlled.list().iter().map(|one| one["faults"].clone()).collect::<Vec<_>>();
    assert_eq!(faults(), ["throttle=50000B/s&corrupt=1/1MB@5%"; 2]);
    let [first, second] = controlled.server.addresses() else { panic!("two addresses") };
    controlled.success(&["clear", "--listener", first]);
    let url = format!("tcp://{second}");
    controlled.success(&["set", "--listener", &url, "truncate=0"]);
    assert_eq!(faults(), [Value::Null, "truncate=0B".into()]);
    let mut peer = Peer::connect(first.parse().expect("an address"));
    peer.exchange(b"hello\n");
    controlled.success(&["clear", "--all"]);
    assert_eq!(faults(), [Value::Null, Value::Null]);
}

#[test]
fn what_the_server_refuses_changes_nothing_at_any_listener() {
    let listen = ["--listen", "tcp://127.0.0.1:0?delay=1ms", "--listen", "http://127.0.0.1:0"];
    let controlled = Controlled::start(&listen);
    for (args, message) in [
        (vec!["set", "--all", "close-code=1002"], "'close-code=1002': it needs a WebSocket"),
        (vec!["set", "--all", "refuse=100%", "delay=1s"], "every connection is reset"),
        (
            vec!["set", "--listener", "x\u{1b}", "delay=1s"],
            "no listener has the address 'x\\x1b'; the listeners are 127.",
        ),
        (vec!["clear", "--listener", "tcp://127.0.0.1:1"], "no listener has the address"),
    ] {
        let done = controlled.run(&args);
        assert_eq!(done.code(), 1, "{args:?}: {done:?}");
        assert!(done.stderr.starts_with(&controlled.admin), "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains("nothing has changed: "), "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(message), "{args:?}: {}", done.stderr);
        let faults: Vec<_> = controlled.list().iter().map(|one| one["faults"].clone()).collect();
        assert_eq!(faults, ["delay=1ms".into(), Value::Null], "{args:?}");
    }
}

#[test]
fn invalid_arguments_end_with_status_2_and_a_missing_server_with_1() {
    for (args, message) in [
        (&["set"][..], "required arguments"),
        (&["set", "lag=1s"], "unknown fault; the faults are delay"),
        (&["set", "fault-seed=7"], "use --profile and --seed"),
        (&["set", "--profile", "3g"], "slow-3g, lossy-wifi"),
        (&["set", "delay=1s", "--all", "--listener", "a"], "cannot be used with"),
    ] {
        let done = Program::run_server(&[&["faults"], args].concat());
        assert_eq!(done.code(), 2, "{args:?}: {done:?}");
        assert!(done.stderr.contains(message), "{args:?}: {}", done.stderr);
    }
    let done = Program::run_server(&["faults", "list", "--admin", "unix:/nowhere/admin.sock"]);
    assert_eq!(done.code(), 1, "{done:?}");
    assert!(done.stderr.contains("no answer: cannot connect: "), "{}", done.stderr);
}

#[test]
fn profiles_are_shown_with_their_sources() {
    let shown = Program::run_server(&["faults", "profiles"]).stdout_text().to_owned();
    for name in ["slow-3g", "lossy-wifi", "flaky-backend", "half-open", "overloaded"] {
        assert!(shown.contains(&format!("\n{name}: ")), "{name}: {shown}");
    }
    assert_eq!(shown.matches("\n  Source: ").count(), 5, "{shown}");
    let json = Program::run_server(&["faults", "profiles", "--json"]).stdout_text().to_owned();
    let profiles: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(profiles[0]["faults"], "delay=400ms&throttle=50000B/s");
}

#[test]
fn the_addresses_of_a_listener_with_a_name_share_its_faults() {
    for listen in ["tcp://localhost:0", "udp://localhost:0"] {
        let controlled = Controlled::start(&["--listen", listen]);
        let addresses = controlled.server.addresses();
        controlled.success(&["set", "delay=1ms", "--seed", "7"]);
        let [listener] = &controlled.list()[..] else { panic!("one listener") };
        assert_eq!(listener["addresses"].as_array().map(Vec::len), Some(addresses.len()));
        for address in addresses {
            let shown = controlled.success(&["set", "delay=2ms", "--listener", address]);
            assert!(shown.contains(address), "{shown}");
        }
        controlled.success(&["clear"]);
        assert_eq!(controlled.list()[0]["faults"], Value::Null);
    }
}

#[test]
fn faults_of_datagrams_are_set_and_cleared() {
    let controlled = Controlled::start(&["--listen", "udp://127.0.0.1:0"]);
    let address = controlled.server.addresses()[0].trim_start_matches("udp://");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.connect(address).expect("an address");
    socket.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
    let exchange = || {
        let mut buffer = [0; 100];
        socket.send(b"hello").expect("the server receives");
        let len = socket.recv(&mut buffer).expect("an answer");
        buffer[..len].to_vec()
    };
    assert_eq!(exchange(), b"hello");
    let refused = controlled.run(&["set", "refuse=1%"]);
    assert!(refused.stderr.contains("UDP has no connections"), "{refused:?}");
    controlled.success(&["set", "truncate=3"]);
    assert_eq!(exchange(), b"hel");
    controlled.success(&["clear"]);
    assert_eq!(exchange(), b"hello");
}
