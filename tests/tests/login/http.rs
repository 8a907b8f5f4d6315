//! Logins over HTTP and WebSocket.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::Signal;
use tests::{
    net::{Peer, assert_same_bytes},
    payload::Random,
    programs::{EchoServer, Launch},
};

use crate::Users;

/// A handshake of a WebSocket without its credentials.
const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn start(users: &Users, more: &[&str]) -> EchoServer {
    let mut args = users.server("http://127.0.0.1:0?login=required");
    args.extend(more.iter().map(|&arg| arg.to_owned()));
    Launch::new(&args).without_port().start()
}

fn basic(name: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{name}:{password}")))
}

fn connect(server: &EchoServer) -> Peer {
    let address = server.addresses()[0].strip_prefix("http://").expect("it speaks HTTP");
    Peer::connect(address.parse().expect("the listener has an address"))
}

/// Sends a request that closes the connection, and returns the response.
fn get(server: &EchoServer, path: &str, headers: &str) -> String {
    let mut peer = connect(server);
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    peer.send(request.as_bytes());
    String::from_utf8(peer.read_to_end()).expect("the response is text")
}

#[test]
fn a_request_is_answered_if_it_shows_a_password_a_token_or_a_cookie() {
    let users = Users::new();
    let token = users.run("", &["add", "ci", "--token"]);
    let token = token.stdout_text().lines().last().expect("the token is printed").to_owned();
    let server = start(&users, &[]);
    let refused = get(&server, "/", "");
    assert!(refused.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{refused}");
    for challenge in
        ["Basic realm=\"echo-server\", charset=\"UTF-8\"", "Bearer realm=\"echo-server\""]
    {
        assert!(refused.contains(&format!("\r\nWWW-Authenticate: {challenge}\r\n")), "{refused}");
    }
    let answered = get(&server, "/x", &basic("alice", "pencil"));
    assert!(answered.contains(r#""user": "alice""#), "{answered}");
    assert!(answered.contains(r#"["Authorization", "(hidden)"]"#), "{answered}");
    let answered = get(&server, "/x", &format!("Authorization: Bearer {token}\r\n"));
    assert!(answered.contains(r#""user": "ci""#), "{answered}");

    let page = get(&server, "/", &format!("Accept: text/html\r\n{}", basic("alice", "pencil")));
    let cookie = page.split("\r\nSet-Cookie: ").nth(1).expect("the page has a cookie");
    let cookie = cookie.lines().next().expect("a header is a line");
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("it has a value");
    let answered = get(&server, "/x", &format!("Cookie: a=b; {cookie}\r\n"));
    assert!(answered.contains(r#""user": "alice""#), "{answered}");
    for changed in [cookie.replace("YW", "YX"), format!("{cookie}A"), cookie.replace(".1", ".2")] {
        assert!(get(&server, "/x", &format!("Cookie: {changed}\r\n")).contains(" 401 "));
    }

    // A changed password makes the cookie invalid.
    assert_eq!(users.run("pen\n", &["passwd", "alice", "--iterations", "4096"]).code(), 0);
    server.signal(Signal::HUP);
    server.wait_for_log("Configuration reloaded");
    assert!(get(&server, "/x", &format!("Cookie: {cookie}\r\n")).contains(" 401 "));
    assert!(get(&server, "/x", &basic("alice", "pen")).contains(" 200 "));
}

#[test]
fn a_wrong_password_an_unknown_name_and_a_wrong_token_have_the_same_answer() {
    let users = Users::new();
    let server = start(&users, &[]);
    let without_date = |response: String| {
        let lines = response.lines().filter(|line| !line.starts_with("Date: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = without_date(get(&server, "/", ""));
    for header in [
        basic("alice", "pen"),
        basic("bob", "pencil"),
        "Authorization: Bearer abc\r\n".to_owned(),
        "Authorization: Basic *\r\n".to_owned(),
        "Authorization: Digest username=alice\r\n".to_owned(),
        basic("alice", "pencil").repeat(2),
    ] {
        assert_eq!(without_date(get(&server, "/", &header)), expected, "{header}");
    }
    let (_, log) = server.terminate();
    let failed = log.lines().filter(|line| line.contains("failed to log in")).count();
    assert_eq!(failed, 6, "{log}");
    assert!(!log.contains("pencil") && !log.contains("broke the protocol"), "{log}");
}

#[test]
fn a_body_behind_a_password_that_is_being_verified_comes_back() {
    let users = Users::new();
    let server = start(&users, &["--log-messages", "off"]);
    let mut peer = connect(&server);
    let body = Random::new(5).bytes(3_000_000);
    for _ in 0..2 {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n",
            basic("alice", "pencil"),
            body.len()
        );
        let sender = peer.send_in_background([head.as_bytes(), &body].concat());
        let head = peer.read_until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let mut received = vec![0; body.len()];
        std::io::Read::read_exact(peer.stream(), &mut received).expect("the body comes back");
        assert_same_bytes(&received, &body);
        sender.join().expect("the sender does not panic").expect("everything is sent");
    }
    drop(peer);
    // One login for both requests.
    let (_, log) = server.terminate();
    assert_eq!(log.matches("logged in as 'alice' by Basic").count(), 1, "{log}");
}

#[test]
fn a_websocket_needs_a_login_and_with_a_cookie_the_own_origin() {
    let users = Users::new();
    let server = start(&users, &[]);
    let upgrade = |headers: &str| {
        let mut peer = connect(&server);
        peer.send(format!("{UPGRADE}{headers}\r\n").as_bytes());
        let mut status = [0; 12];
        std::io::Read::read_exact(peer.stream(), &mut status).expect("there is a response");
        String::from_utf8(status.to_vec()).expect("a status line is text")
    };
    assert_eq!(upgrade(""), "HTTP/1.1 401");
    assert_eq!(upgrade(&basic("alice", "pencil")), "HTTP/1.1 101");
    let page = get(&server, "/", &format!("Accept: text/html\r\n{}", basic("alice", "pencil")));
    let cookie = page.split("\r\nSet-Cookie: ").nth(1).and_then(|rest| rest.split(';').next());
    let cookie = format!("Cookie: {}\r\n", cookie.expect("the page has a cookie"));
    assert_eq!(upgrade(&cookie), "HTTP/1.1 101");
    assert_eq!(upgrade(&format!("{cookie}Origin: http://localhost\r\n")), "HTTP/1.1 101");
    assert_eq!(upgrade(&format!("{cookie}Origin: http://evil.example\r\n")), "HTTP/1.1 403");
}

#[test]
fn a_shutdown_answers_a_request_whose_password_is_being_verified() {
    let users = Users::new();
    // As many iterations as take long enough for the signal to arrive first.
    assert_eq!(users.run("pen\n", &["add", "bob", "--iterations", "100000"]).code(), 0);
    let server = start(&users, &[]);
    let mut peer = connect(&server);
    peer.send(
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", basic("bob", "pen")).as_bytes(),
    );
    server.wait_for_log("New client connected");
    server.signal(Signal::TERM);
    let response = String::from_utf8(peer.read_to_end()).expect("the response is text");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    drop(peer);
    assert!(server.wait_with_log().0.success());
}

#[test]
fn a_connection_without_a_login_ends_at_the_deadline() {
    let users = Users::new();
    let args = users.server("http://127.0.0.1:0?login=required&handshake-timeout=300ms");
    let server = Launch::new(&args).without_port().start();
    for sent in ["", "GET / HTTP/1.1\r\n"] {
        let mut peer = connect(&server);
        peer.send(sent.as_bytes());
        let end = String::from_utf8(peer.read_to_end()).expect("the response is text");
        assert!(end.starts_with("HTTP/1.1 408 ") && end.contains("there was no login in time"));
    }
}

#[test]
fn a_cookie_is_invalid_after_a_change_of_any_line_of_its_user() {
    let users = Users::new();
    assert_eq!(users.run("", &["add", "bob", "--certificate"]).code(), 0);
    assert_eq!(users.run("pen\n", &["add", "bob", "--iterations", "4096"]).code(), 0);
    let server = start(&users, &[]);
    let page = get(&server, "/", &format!("Accept: text/html\r\n{}", basic("bob", "pen")));
    let cookie = page.split("\r\nSet-Cookie: ").nth(1).and_then(|rest| rest.split(';').next());
    let cookie = format!("Cookie: {}\r\n", cookie.expect("the page has a cookie"));
    assert!(get(&server, "/x", &cookie).contains(" 200 "));
    assert_eq!(users.run("pencil\n", &["passwd", "bob", "--iterations", "4096"]).code(), 0);
    server.signal(Signal::HUP);
    server.wait_for_log("Configuration reloaded");
    assert!(get(&server, "/x", &cookie).contains(" 401 "));
}

#[test]
fn a_connection_has_one_session_however_often_its_user_logs_in() {
    let users = Users::new();
    let server = start(&users, &["--max-connections-per-user", "1"]);
    let mut peer = connect(&server);
    let mut request = |headers: &str| {
        peer.send(format!("GET /x HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes());
        peer.read_until("}\n")
    };
    assert!(request(&basic("alice", "pencil")).contains(" 200 "));
    assert_eq!(users.run("pen\n", &["add", "bob", "--iterations", "4096"]).code(), 0);
    server.signal(Signal::HUP);
    server.wait_for_log("Configuration reloaded");
    assert!(request(&basic("alice", "pencil")).contains(" 200 "));
    let other = get(&server, "/x", &basic("alice", "pencil"));
    assert!(
        other.starts_with("HTTP/1.1 429 ") && other.contains("\r\nRetry-After: 1\r\n"),
        "{other}"
    );
}

#[test]
fn nothing_of_a_request_without_a_login_is_logged_as_received() {
    let users = Users::new();
    let server = start(&users, &[]);
    let mut peer = connect(&server);
    peer.send(b"GET /secret HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert!(String::from_utf8_lossy(&peer.read_to_end()).starts_with("HTTP/1.1 400 "));
    drop(peer);
    let (_, log) = server.terminate();
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn the_websocket_of_a_removed_user_is_closed_with_a_reason() {
    let users = Users::new();
    let server = start(&users, &["--removed-users", "close"]);
    let mut peer = connect(&server);
    peer.send(format!("{UPGRADE}{}\r\n", basic("alice", "pencil")).as_bytes());
    assert!(peer.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    assert_eq!(users.run("", &["remove", "alice"]).code(), 0);
    server.signal(Signal::HUP);
    // A close frame with 1008 (RFC 6455, section 7.4.1).
    let reason = b"the user was removed";
    peer.expect(&[&[0x88, 22, 0x03, 0xf0][..], reason].concat());
    peer.expect_end();
}
