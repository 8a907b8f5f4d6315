//! Tests of the page of a listener for rooms, in a real browser. Other members speak the text framing.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::json;
use tests::{
    browser::{Browser, keys},
    net::{Peer, change_replies},
    programs::{EchoServer, Launch},
    requirements::{axe_core, chromium, skip_without},
};

use crate::page::tab_to;

/// Starts a server with a listener of lines and one of HTTP, whose members share their rooms. `parameters` are those of HTTP.
fn start_server(parameters: &str) -> EchoServer {
    let http = format!("http://127.0.0.1:0?protocol=room{parameters}");
    let args = ["--listen", "tcp://127.0.0.1:0?protocol=room", "--listen", &http];
    Launch::new(&args).without_port().start()
}

/// Returns the URL of the page.
fn url(server: &EchoServer) -> String {
    format!("{}/", server.addresses()[1])
}

fn address(server: &EchoServer, listener: usize) -> SocketAddr {
    let name = server.addresses()[listener].trim_start_matches("http://");
    name.parse().expect("an address of TCP")
}

/// Connects a member of the lobby that speaks lines.
fn join(server: &EchoServer, name: &str) -> Peer {
    let mut peer = Peer::connect(address(server, 0));
    peer.send(format!("/name {name}\n").as_bytes());
    peer.read_until(&format!(" is now {name}\n"));
    peer
}

/// Enters the room of the address under this name, by the page.
fn enter(browser: &Browser, name: &str) {
    browser.replace("#name", name);
    browser.click("#join");
    browser.wait_for_text("#state", "^Connected to ws://");
    browser.wait_for_text("#conversation-title", &format!(": you are {name}$"));
}

fn send(browser: &Browser, text: &str) {
    browser.type_into("#text", &format!("{text}{}", keys::ENTER));
}

#[test]
fn a_browser_and_a_client_of_lines_talk_in_one_room_and_hostile_text_stays_text() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server("");
    let mut lines = join(&server, "lines");
    let browser = Browser::open_recorded(&url(&server));
    enter(&browser, "web");
    lines.read_until("is now web\n");
    browser.wait_for_text("#members-title", r"^Members \(2\)$");
    assert_eq!(browser.text("#members"), "lines\nweb (you)");
    assert_eq!(browser.run("return location.hash"), "#lobby");

    send(&browser, "hello from the page");
    lines.expect(b"web: hello from the page\n");
    browser.wait_for_text("#log", "web: hello from the page$");
    lines.send(b"hello from lines\n");
    browser.wait_for_text("#log", "lines: hello from lines$");
    show_hostile_text(&browser, &mut lines);
    lines.send(b"/name text\n/leave\n");
    browser.wait_for_text("#log", "lines is now text$");
    browser.wait_for_text("#log", "text left$");
    browser.wait_for_text("#members-title", r"^Members \(1\)$");
    browser.wait_for_text("#sequence", "^[0-9]+ events, each once and in order");
    assert_eq!(browser.text("#pending"), "");

    send(&browser, "/who");
    browser.wait_for_text("#log", r"In lobby \(1\): web$");
    send(&browser, "/nick");
    browser.wait_for_text("#send-error", "^Commands: /join ROOM");
    browser.replace("#text", &format!("/join team{}", keys::ENTER));
    browser.wait_for_text("#conversation-title", "^team: you are web$");
    assert_eq!(browser.run("return location.hash"), "#team");

    let origin = url(&server);
    let is_own =
        |url: &String| url.starts_with(&origin) || url.starts_with(&origin.replace("http", "ws"));
    let urls = browser.requested_urls();
    assert!(urls.len() > 10 && urls.iter().all(is_own), "{urls:?}");
}

/// Sends markup, and marks that hide or reorder text. The page shows them as text.
fn show_hostile_text(browser: &Browser, lines: &mut Peer) {
    let hostile = "<img src=x onerror=document.title='run'><script>document.title='run'</script>";
    lines.send(format!("{hostile}\na\u{202e}b\u{1b}[2J\u{200b}c\n").as_bytes());
    lines.send("joined \u{1f469}\u{200d}\u{1f680}\n".as_bytes());
    browser.wait_for_text("#log", &format!("lines: {}$", regex::escape(hostile)));
    browser.wait_for_text("#log", r"lines: a\\u\{202e\}b\\x1b\[2J\\u\{200b\}c$");
    browser.wait_for_text("#log", "joined \u{1f469}\u{200d}\u{1f680}$");
    let created = browser.run("return document.querySelectorAll('main img, main script').length");
    let title = browser.run("return document.title");
    assert_eq!((created, title), (0.into(), "lobby – Rooms".into()));
}

#[test]
fn the_address_chooses_the_room_and_a_refusal_and_the_last_messages_are_shown() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server("");
    let browser = Browser::open(&format!("{}#team", url(&server)));
    enter(&browser, "web");
    assert!(browser.text("#conversation-title").starts_with("team:"));
    assert!(browser.text("#state").ends_with("/team"));
    let _lines = join(&server, "lines");
    let _ = browser.run("location.hash = '#lobby'");
    browser.wait_for_text("#conversation-title", "^lobby: you are web$");

    browser.replace("#name", "Lines");
    browser.click("#join");
    browser.wait_for_text(".error:not(:empty)", "^That name is taken");
    browser.replace("#room", "no room");
    browser.click("#join");
    browser.wait_for_text("#entry-error", "^A room has a name of 1 to 64 letters");

    // A listener with one room refuses another one.
    let server = start_server("&room=only&history=2");
    browser.go_to(&format!("{}#other", url(&server)));
    browser.click("#join");
    browser.wait_for_text("#state", "refused the WebSocket.*one room only");
    let _ = browser.run("document.querySelector('#room').value = ''");
    enter(&browser, "web");
    assert!(browser.text("#conversation-title").starts_with("only:"));

    // It shows its last messages to who joins.
    send(&browser, "earlier");
    browser.wait_for_text("#log", "web: earlier$");
    browser.click("#disconnect");
    browser.wait_for_text("#state", "^Disconnected");
    browser.click("#join");
    browser.wait_for_text(".entry[data-is-replayed=true]", "web: earlier$");
    browser.wait_for_text("#sequence", "^[0-9]+ events, each once and in order");
}

#[test]
fn events_that_are_lost_repeated_or_late_are_shown() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server("");
    let mut lines = join(&server, "lines");
    // The page enters with the numbers 3 and 4.
    let liar = change_replies(address(&server, 1), br#""seq":6,"#, br#""seq":8,"#);
    let browser = Browser::open(&format!("http://{liar}/"));
    enter(&browser, "web");
    lines.send(b"five\nsix\nseven\neight\n");
    browser.wait_for_text("#log", r"Events 6 to 7 are missing \(2\)$");
    browser.wait_for_text("#log", "Event 7 arrived after later ones$");
    browser.wait_for_text("#log", "Event 8 arrived twice$");
    browser.wait_for_text("#sequence", "1 missing, 1 duplicate, 1 late");

    // The page has left with the number 9, and enters again with 10 and 11.
    let message = br#""type":"message","seq":12,"name":"lines","text":"gap""#;
    let gap = br#""type":"gap","seq":12,"count":12                     "#;
    let liar = change_replies(address(&server, 1), message, gap);
    let liar = change_replies(liar, br#""recorded":false"#, br#""recorded":true "#);
    browser.go_to(&format!("http://{liar}/"));
    lines.read_until("* web left\n");
    enter(&browser, "web");
    browser.wait_for_text("#recorded", "^Messages in this room are recorded");
    browser.wait_for_text("#sequence", "^2 events, each once and in order");
    lines.send(b"gap\n");
    browser
        .wait_for_text("#log", r"12 messages were lost \(12 to 23\): this connection is too slow$");
    browser.wait_for_text("#sequence", "12 dropped");
    check_sequences(&browser);
}

/// Calls the check of numbers that the page uses.
fn check_sequences(browser: &Browser) {
    let check = |steps: &str| {
        browser.run_async(&format!(
            "import('/page/rooms/sequence.js').then(({{ Sequence }}) => {{
                const sequence = new Sequence();
                sequence.start(41);
                done([{steps}, sequence.describe()]);
            }}, (error) => done(String(error)))"
        ))
    };
    let dropped = check("sequence.drop(42, 12), sequence.check(54), sequence.drop(57, 2)");
    let expected =
        json!([null, null, "Events 55 to 56 are missing (2)", "1 event; 14 dropped, 2 missing."]);
    assert_eq!(dropped, expected);
    let late =
        check("sequence.check(45), sequence.check(43), sequence.check(43), sequence.check(46)");
    let expected = json!([
        "Events 42 to 44 are missing (3)",
        "Event 43 arrived after later ones",
        "Event 43 arrived twice",
        null,
        "4 events; 2 missing, 1 duplicate, 1 late."
    ]);
    assert_eq!(late, expected);
}

#[test]
fn messages_that_the_reader_has_not_seen_are_marked_and_counted() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server("");
    let mut lines = join(&server, "lines");
    let browser = Browser::open(&url(&server));
    enter(&browser, "web");
    let many: Vec<_> = (0..80).map(|number| format!("line {number}\n")).collect();
    lines.send(many.concat().as_bytes());
    browser.wait_for_text("#log", "line 79$");
    let is_at_end = "const log = document.querySelector('#log');
        return log.scrollHeight - log.scrollTop - log.clientHeight < 2";
    assert_eq!(browser.run(is_at_end), true);
    let _ = browser.run("document.querySelector('#log').scrollTop = 0");
    browser.wait_for_text("#newest:not([hidden])", "^Newest");
    lines.send(b"unseen\nunseen too\n");
    browser.wait_for_text("#newest:not([hidden])", "^2 new messages");
    assert_eq!(browser.run("return document.title"), "(2) lobby – Rooms");
    assert_eq!(browser.run("return document.querySelector('#log').scrollTop"), 0);
    let follower = "return document.querySelector('.marker + .entry').innerText";
    assert!(browser.run(follower).as_str().expect("a text").ends_with("lines: unseen"));
    browser.click("#newest");
    assert_eq!(browser.run(is_at_end), true);
    assert_eq!(browser.run("return document.title"), "lobby – Rooms");
    send(&browser, "seen");
    browser.wait_for_text("#log", "web: seen$");
    assert_eq!(browser.run("return document.querySelectorAll('.marker').length"), 0);

    // In the background.
    let _ = browser.run("document.hasFocus = () => false");
    lines.send(b"later\n");
    browser.wait_for_text(".marker + .entry", "lines: later$");
    assert_eq!(browser.run("return document.title"), "(1) lobby – Rooms");
}

#[test]
fn the_state_shows_the_end_and_a_button_connects_again() {
    if skip_without(&[chromium()]) {
        return;
    }
    let mut server = start_server("");
    let mut lines = join(&server, "lines");
    let browser = Browser::open(&url(&server));
    send(&browser, "too early");
    browser.wait_for_text("#send-error", "^Not connected. Join a room first.");
    assert_eq!(browser.run("return document.querySelector('#text').value"), "too early");
    enter(&browser, "web");
    lines.read_until("is now web\n");
    browser.click("#disconnect");
    browser.wait_for_text("#state", r"^Disconnected \(1000, normal closure\)");
    lines.expect(b"* web left\n");
    lines.send(b"unheard\n");
    lines.expect(b"lines: unheard\n");
    browser.click("#join");
    browser.wait_for_text("#state", "^Connected");
    browser.wait_for_text("#log", "2 events happened while you were not connected");
    browser.wait_for_text("#conversation-title", ": you are web$");
    server.signal(Signal::TERM);
    browser.wait_for_text("#state", r"^Closed by the server \(1001, going away: .*");
    drop(lines);
    assert!(server.wait().success());
    browser.wait_for_text("#join", "^Reconnect$");
    browser.click("#join");
    browser.wait_for_text("#state", "^Could not connect to ws://.*: the server does not answer");

    // A message that the server did not take does not return.
    let mut server = start_server("");
    browser.go_to(&url(&server));
    enter(&browser, "web");
    server.pause();
    send(&browser, "lost");
    browser.wait_for_text("#pending", "^1 message not yet returned");
    server.signal(Signal::KILL);
    browser.wait_for_text("#state", r"^Connection lost \(1006");
    browser.wait_for_text(
        "#log",
        "Your last message did not return: the room may not have received it$",
    );
    assert!(!server.wait().success());
}

#[test]
fn every_function_of_the_rooms_page_works_with_the_keyboard_alone() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server("");
    let mut lines = join(&server, "lines");
    let browser = Browser::open(&url(&server));
    tab_to(&browser, "name");
    browser.press(&format!("web{}", keys::ENTER));
    browser.wait_for_text("#conversation-title", "^lobby: you are web$");
    assert_eq!(browser.run("return document.activeElement.id"), "text");
    browser.press(&format!("typed{}", keys::ENTER));
    browser.wait_for_text("#log", "web: typed$");
    browser.press(&format!("//typed{}", keys::ENTER));
    browser.wait_for_text("#log", "web: /typed$");
    browser.press(&format!("/name other{}", keys::ENTER));
    browser.wait_for_text("#conversation-title", "^lobby: you are other$");
    tab_to(&browser, "numbers");
    browser.press(keys::SPACE);
    browser.wait_for_text("#log", "5 ?web: typed$");
    tab_to(&browser, "log");
    tab_to(&browser, "refresh");
    browser.press(keys::ENTER);
    tab_to(&browser, "disconnect");
    browser.press(keys::SPACE);
    browser.wait_for_text("#state", r"^Disconnected \(1000, normal closure\)");
    lines.read_until("* other left\n");
    assert_eq!(browser.run("return localStorage.getItem('echo-room-name')"), "other");
}

#[test]
fn axe_core_finds_no_fault_in_rooms_in_both_themes_and_nothing_overflows_at_360_pixels() {
    if skip_without(&[chromium(), axe_core()]) {
        return;
    }
    let server = start_server("");
    let mut lines = join(&server, "lines");
    let long = "a-name-of-thirty-two-characters-";
    let _others = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", long]
        .map(|name| join(&server, name));
    let browser = Browser::open(&url(&server));
    for width in [1280, 360] {
        browser.set_width(width);
        browser.go_to(&url(&server));
        enter(&browser, "web");
        lines.send(&[b"hello\n", &b"long".repeat(100)[..], b"\n"].concat());
        browser.wait_for_text("#log", "longlong$");
        send(&browser, "/join with/slash");
        browser.wait_for_text("#send-error", "^A room has");
        browser.expect_accessible(&[width]);
        // The window shows the log and the field below it.
        let size = browser.run(
            "const { scrollWidth, scrollHeight } = document.documentElement;
             return [scrollWidth, scrollHeight, document.querySelector('#log').clientHeight > 300]",
        );
        assert_eq!(size, json!([width, 800, true]));
    }
}
