//! What clients cannot do to the admin listener.

use std::{net::TcpStream, thread};

use serde_json::Value;
use tests::{
    net::Peer,
    programs::{EchoServer, Launch},
    system::procfs::descriptor_count,
    wait::wait_until,
};

use crate::client::{AdminClient, admin_address, get, start};

/// The number of connections that the admin listener has at most.
const MOST: usize = 32;

#[test]
fn more_slow_clients_than_the_listener_has_room_for_keep_nobody_out() {
    let (_server, admin) = start(&[]);
    let mut slow = Vec::new();
    for _ in 0..3 * MOST {
        let mut client = AdminClient::connect(admin);
        client.send("GET /livez HTTP/1.1\r\nX: ");
        slow.push(client);
        assert_eq!(get(admin, "/livez").status, 200);
    }
    // The first ones have made room, without a response.
    slow[0].expect_end();
    // The last one is still there.
    let last = &mut slow[3 * MOST - 1];
    last.send("y\r\nHost: localhost\r\n\r\n");
    assert_eq!(last.response(true).status, 200);
}

/// The listener accepts eight in one iteration. With the eighth attempt, it learns that there are no more than seven.
#[test]
fn any_number_of_clients_that_connect_at_once_is_served() {
    let (server, admin) = start(&[]);
    for count in [7, 8, 9, 15] {
        server.pause();
        let mut clients: Vec<_> = (0..count).map(|_| AdminClient::connect(admin)).collect();
        server.resume();
        for client in &mut clients {
            assert_eq!(client.get("/livez").status, 200, "{count} clients");
        }
    }
    let log = server.terminate().1;
    assert!(!log.contains("ERROR"), "{log}");
}

/// Each deadline is five seconds, so they pass beside each other.
#[test]
fn clients_that_complete_no_head_or_never_read_are_closed_at_their_deadlines() {
    thread::scope(|scope| {
        scope.spawn(a_client_that_does_not_complete_its_head_receives_408_and_is_closed);
        scope.spawn(a_client_that_never_reads_is_closed_and_keeps_nobody_out);
        scope.spawn(a_client_that_does_not_complete_its_body_receives_408_and_changes_nothing);
    });
}

fn a_client_that_does_not_complete_its_body_receives_408_and_changes_nothing() {
    let (_server, admin) = start(&[]);
    let mut slow = AdminClient::connect(admin);
    slow.send("PUT /faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\ndelay");
    assert_eq!(get(admin, "/livez").status, 200);
    assert_eq!(slow.response(true).status, 408);
    slow.expect_end();
    assert_eq!(get(admin, "/faults").json()["listeners"][0]["faults"], Value::Null);
}

fn a_client_that_does_not_complete_its_head_receives_408_and_is_closed() {
    let (_server, admin) = start(&[]);
    let mut silent = AdminClient::connect(admin);
    let mut slow = AdminClient::connect(admin);
    slow.send("GET /livez HTTP/1.1\r\n");
    assert_eq!(slow.response(true).status, 408);
    slow.expect_end();
    silent.expect_end();
}

fn a_client_that_never_reads_is_closed_and_keeps_nobody_out() {
    // The list has to fill the buffers, and may miss connections that move between workers.
    let (server, admin) = start(&["--log-messages", "off", "--consolidate", "off"]);
    let mut peers: Vec<_> = (0..800).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"hello\n");
    }
    let descriptors = descriptor_count(server.pid());
    let mut readers = Vec::new();
    for _ in 0..MOST {
        let mut reader = Peer::connect(admin);
        reader.shrink_buffers();
        // The response is larger than the buffers of both sockets together.
        reader.send(b"GET /connections?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        readers.push(reader);
    }
    // It is accepted after all of them.
    assert_eq!(get(admin, "/readyz").status, 200);
    wait_until("all are closed", || descriptor_count(server.pid()) == descriptors);
}

#[test]
fn a_flood_of_clients_at_the_limit_of_connections_does_not_affect_a_scrape() {
    let (server, admin) = start(&["--max-connections", "50", "--log-messages", "off"]);
    let mut peers: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"hello\n");
    }
    let address = server.address();
    let flood = thread::spawn(move || {
        for _ in 0..500 {
            drop(TcpStream::connect(address));
        }
    });
    let mut client = AdminClient::connect(admin);
    while !flood.is_finished() {
        assert_eq!(client.get("/metrics").status, 200);
        assert_eq!(get(admin, "/livez").status, 200);
    }
    flood.join().expect("the flood does not fail");
    let list = client.get("/connections").json();
    assert_eq!(list["open"], 50);
    assert_eq!(list["connections"].as_array().map(Vec::len), Some(50));
}

#[test]
fn the_admin_listener_answers_when_clients_have_taken_all_other_descriptors() {
    // The limit on connections follows from that on descriptors, which leaves room for the admin listener.
    let server = Launch::new(&["--admin", "http://127.0.0.1:0", "--workers", "1"])
        .descriptor_limit(128)
        .start();
    let admin = admin_address(&server);
    let mut peers = Vec::new();
    let is_full = || get(admin, "/readyz").status == 503;
    while !is_full() {
        let mut peer = server.connect();
        peer.exchange(b"hello\n");
        peers.push(peer);
    }
    let mut clients: Vec<_> = (0..MOST).map(|_| AdminClient::connect(admin)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/livez").status, 200);
    }
    let open = clients[0].get("/connections?limit=1").json()["open"].clone();
    assert_eq!(open, Value::from(peers.len()));
}

#[test]
fn a_shortage_of_descriptors_ends_neither_the_listener_nor_its_busy_clients() {
    // More connections than descriptors.
    let args = ["--admin", "http://127.0.0.1:0", "--workers", "1", "--max-connections", "1000"];
    let server = Launch::new(&args).descriptor_limit(64).start();
    let admin = admin_address(&server);
    let mut idle = AdminClient::connect(admin);
    assert_eq!(idle.get("/livez").status, 200);
    let peers: Vec<_> = (0..100).map(|_| server.connect()).collect();
    server.wait_for_log("Cannot accept connections: too many open files");
    // The idle connection makes room for the new one.
    assert_eq!(get(admin, "/livez").status, 200);
    drop(peers);
    assert_eq!(get(admin, "/livez").status, 200);
}

#[test]
fn clients_of_the_admin_listener_count_in_no_limit() {
    let server = EchoServer::start(&[
        "--admin",
        "http://127.0.0.1:0",
        "--max-connections",
        "1",
        "--max-connections-per-ip",
        "1",
    ]);
    let admin = admin_address(&server);
    let mut clients = [AdminClient::connect(admin), AdminClient::connect(admin)];
    for client in &mut clients {
        assert_eq!(client.get("/readyz").status, 200);
    }
    server.connect().exchange(b"hello\n");
}
