//! The list of connections.

use std::collections::HashSet;

use serde_json::Value;
use tests::programs::{EchoServer, Launch};

use crate::client::{AdminClient, admin_address, get, start};

/// Returns the connections of a list.
fn entries(list: &Value) -> &Vec<Value> {
    list["connections"].as_array().unwrap_or_else(|| panic!("{list}"))
}

#[test]
fn a_connection_is_listed_with_its_figures_and_that_of_the_operator_is_not() {
    let (server, admin) = start(&["--log-messages", "off", "--workers", "2"]);
    let mut peer = server.connect();
    peer.exchange(b"one\ntwo\nth");
    let list = get(admin, "/connections").json();
    let [entry] = &entries(&list)[..] else { panic!("one connection: {list}") };
    assert_eq!(list["open"], 1);
    assert_eq!(list["next"], Value::Null);
    assert_eq!(entry["peer"], peer.address().to_string());
    assert_eq!(entry["user"], Value::Null);
    assert_eq!(entry["protocol"], "text");
    assert_eq!(entry["layers"], Value::Array(Vec::new()));
    assert_eq!(entry["stage"], "serving");
    assert_eq!(entry["received"]["bytes"], 10);
    assert_eq!(entry["sent"]["bytes"], 10);
    // The third line has begun.
    assert_eq!(
        (&entry["received"]["messages"], &entry["sent"]["messages"]),
        (&3.into(), &3.into())
    );
    assert_eq!(entry["unsent_bytes"], 0);
    assert!(entry["age_seconds"].as_f64() >= entry["idle_seconds"].as_f64());
    assert!(entry["worker"] == 1 || entry["worker"] == 2, "{entry}");
    drop(peer);
    let (status, log) = server.terminate();
    assert!(status.success() && log.matches("New client connected").count() == 1, "{log}");
}

#[test]
fn the_layers_of_a_connection_are_those_of_its_listener() {
    let server = EchoServer::start_with(&[
        "--listen",
        "http://127.0.0.1:0?proxy=required",
        "--admin",
        "http://127.0.0.1:0",
    ]);
    let admin = admin_address(&server);
    let mut peer = server.connect();
    peer.send(
        b"PROXY TCP4 10.1.2.3 127.0.0.1 5000 80\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    let _ = peer.read_until("\r\n\r\n");
    let list = get(admin, "/connections?peer=10.1.2.3").json();
    let [entry] = &entries(&list)[..] else { panic!("one connection: {list}") };
    assert_eq!(entry["layers"], Value::from(vec!["proxy", "http"]));
    assert_eq!((&entry["peer"], &entry["protocol"]), (&"10.1.2.3:5000".into(), &"http".into()));
}

#[test]
fn pages_have_each_connection_once() {
    let (server, admin) = start(&["--log-messages", "off", "--workers", "3"]);
    let mut peers: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"hello\n");
    }
    let expected: HashSet<_> = peers.iter().map(|peer| peer.address().to_string()).collect();
    let mut client = AdminClient::connect(admin);
    for limit in [1, 7, 50, 1000] {
        let mut listed = Vec::new();
        let mut after = String::new();
        loop {
            let page = client.get(&format!("/connections?limit={limit}{after}")).json();
            assert!(entries(&page).len() <= limit);
            let names = entries(&page).iter().filter_map(|entry| entry["peer"].as_str());
            listed.extend(names.map(str::to_owned));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(listed.len(), 50, "with {limit} a page");
        assert_eq!(listed.into_iter().collect::<HashSet<_>>(), expected);
    }
    let of_worker = |worker| {
        let list = get(admin, &format!("/connections?worker={worker}")).json();
        assert!(entries(&list).iter().all(|entry| entry["worker"] == worker));
        entries(&list).len()
    };
    assert_eq!((1..=3).map(of_worker).sum::<usize>(), 50);
}

#[test]
fn a_sorted_list_has_the_highest_connections_of_all_workers() {
    let (server, admin) = start(&["--log-messages", "off", "--workers", "2"]);
    let mut peers: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.exchange(&vec![b'x'; 100 * (number + 1)]);
    }
    let list = get(admin, "/connections?sort=bytes&limit=3").json();
    let bytes: Vec<_> = entries(&list).iter().map(|entry| &entry["sent"]["bytes"]).collect();
    assert_eq!(bytes, [1000, 900, 800]);
    assert_eq!((&list["next"], &list["open"]), (&Value::Null, &10.into()));
    let ports: Vec<_> = peers.iter().map(|peer| peer.address().to_string()).collect();
    let by_age = get(admin, "/connections?sort=age").json();
    let ages = entries(&by_age).iter().map(|entry| entry["age_seconds"].as_f64());
    assert!(ages.is_sorted_by(|one, next| one >= next), "{by_age}");
    let named = get(admin, &format!("/connections?peer={}", ports[4])).json();
    assert_eq!(entries(&named).len(), 1);
    assert_eq!(entries(&get(admin, "/connections?min_idle=1h").json()).len(), 0);
    let unknown = get(admin, "/connections?listener=tls://h");
    assert_eq!(unknown.status, 400, "{unknown:?}");
    let wrong = get(admin, "/connections?sort=size");
    assert_eq!((wrong.status, wrong.body.contains("'sort=size': expected bytes")), (400, true));
}

#[test]
fn many_clients_list_at_the_same_time_while_connections_close() {
    let args = ["--log-messages", "off", "--workers", "2", "--admin", "http://127.0.0.1:0"];
    let server = Launch::new(&args).start();
    let admin = admin_address(&server);
    let mut peers: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"hello\n");
    }
    let request = "GET /connections?sort=bytes&limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let connect = |_| {
        // At once: a connection without a request has a deadline.
        let mut reader = AdminClient::connect(admin);
        reader.send(&request.repeat(3));
        reader
    };
    let mut readers: Vec<_> = (0..20).map(connect).collect();
    drop(peers);
    for reader in &mut readers {
        for _ in 0..3 {
            let response = reader.response(true);
            assert_eq!(response.status, 200, "{response:?}");
            assert!(entries(&response.json()).len() <= 200);
        }
    }
}
