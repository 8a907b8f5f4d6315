//! Tests of the page that the server serves, in a real browser.

use std::{fs, net::SocketAddr};

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    browser::{Browser, Theme, keys},
    net::change_replies,
    programs::{EchoServer, Launch},
    requirements::{axe_core, chromium, skip_without},
    wait::wait_until,
};

fn start_server() -> EchoServer {
    Launch::new(&["--listen", "http://127.0.0.1:0"]).without_port().start()
}

/// Returns the URL of the page, as the log names it.
fn url(server: &EchoServer) -> String {
    format!("{}/", server.addresses()[0])
}

fn address(server: &EchoServer) -> SocketAddr {
    let address = server.addresses()[0].strip_prefix("http://");
    address.and_then(|address| address.parse().ok()).expect("the listener has an address")
}

/// Opens the page and connects.
fn open(url: &str) -> Browser {
    connect(Browser::open(url))
}

fn connect(browser: Browser) -> Browser {
    browser.click("#connect");
    browser.wait_for_text("#state", "^Connected to ws://");
    browser
}

/// Sends a text, and returns what the page shows about its echo.
fn send_text(browser: &Browser, text: &str) -> String {
    browser.replace("#text", text);
    browser.click("#send");
    wait_for_newest(browser, text)
}

/// Waits until the newest message has a result.
fn wait_for_newest(browser: &Browser, sent: &str) -> String {
    let newest = "#messages > :first-child:not([data-result=waiting])";
    browser.text_when(newest, &regex::escape(sent))
}

#[test]
fn a_text_comes_back_with_the_same_bytes_and_markup_stays_text() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server();
    let browser = connect(Browser::open_recorded(&url(&server)));
    let shown = send_text(&browser, "hello, world");
    assert!(shown.contains("Same bytes") && shown.contains("#1 text, 12 B"), "{shown}");
    assert!(shown.contains(" ms"), "a round trip: {shown}");

    let hostile = "<img src=x onerror=document.title='run'><script>document.title='run'</script>";
    let shown = send_text(&browser, hostile);
    assert!(shown.contains("Same bytes"), "{shown}");
    assert_eq!(shown.matches(hostile).count(), 2, "sent and echoed: {shown}");
    let created = browser.run("return document.querySelectorAll('main img, main script').length");
    assert_eq!((created, browser.run("return document.title")), (0.into(), "Echo console".into()));

    // What the page shows cannot be reordered by what the text contains.
    browser.replace("#text", "a\u{202e}b");
    browser.click("#send");
    wait_for_newest(&browser, r"a\u{202e}b");

    let origin = url(&server);
    let is_own = |url: &String| url.starts_with(&origin) || *url == origin.replace("http", "ws");
    let urls = browser.requested_urls();
    assert!(urls.len() > 10 && urls.iter().all(is_own), "{urls:?}");
}

#[test]
fn bytes_and_files_come_back_with_the_same_bytes() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server();
    let browser = open(&url(&server));
    browser.click("input[value=hex]");
    browser.type_into("#hex", "de:ad 0xBE,ef 0g");
    browser.click("#send");
    browser.wait_for_text("#send-error", "“g” at character 16 is not a hexadecimal digit");
    browser.replace("#hex", "de:ad 0xBE,ef 00");
    browser.click("#send");
    let shown = wait_for_newest(&browser, "de ad be ef 00");
    assert!(shown.contains("Same bytes") && shown.contains("binary, 5 B"), "{shown}");

    let bytes: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    let file = browser.downloads().join("bytes");
    fs::write(&file, bytes).expect("the directory is writable");
    browser.click("input[value=file]");
    browser.click("#send");
    browser.wait_for_text("#send-error", "Choose a file first");
    browser.type_into("#file", file.to_str().expect("the path is UTF-8"));
    browser.click("#send");
    browser.wait_for_text("#progress-text", "^Message 2: echo after .*, same bytes$");
    let shown = wait_for_newest(&browser, "3.0 MB");
    assert!(shown.contains("Same bytes") && shown.contains("more"), "{shown}");
}

#[test]
fn the_first_byte_that_differs_is_marked() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server();
    let liar = change_replies(address(&server), b"truth", b"tru7h");
    let browser = open(&format!("http://{liar}/"));
    let shown = send_text(&browser, "this is the truth, they say");
    assert!(shown.contains("Different"), "{shown}");
    assert!(shown.contains("One byte differs, at offset 15 (0xf)."), "{shown}");
    let marked = browser.run(
        "return Array.from(document.querySelectorAll('#messages mark'), (mark) => mark.innerText)",
    );
    assert_eq!(marked, Value::from(vec!["74", "t", "37", "7"]));
    browser.wait_for_text("#figures", "Different\\s+1");
}

#[test]
fn a_run_counts_its_echoes_and_shows_percentiles() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server();
    let browser = open(&url(&server));
    browser.replace("#rate", "-1");
    browser.click("#repeat");
    browser.wait_for_text("#repeat-error", "^Rate, per second: write a number from 0 to 10,000");
    browser.replace("#rate", "500");
    browser.replace("#count", "60");
    browser.replace("#size", "70000");
    browser.click("#repeat");
    browser.wait_for_text("#run-state", "^Complete after ");
    let figures = browser.text("#run-figures");
    assert!(figures.contains("Sent\n60\nEchoes\n60\nDifferent\n0\nNo echo\n0\n"), "{figures}");
    assert!(!figures.contains('–'), "every figure is known: {figures}");
    browser.wait_for_text("#figures", "^60$");
    let label = browser.run("return document.querySelector('#histogram').ariaLabel");
    let label = label.as_str().expect("the chart has a label");
    assert!(label.starts_with("Histogram of 60 round trips: p50 "), "{label}");

    // Without a rate and a count it sends until it is stopped.
    browser.replace("#rate", "0");
    browser.replace("#count", "0");
    browser.replace("#size", "64");
    browser.click("#repeat");
    browser.wait_for_text("#run-state", "^Running");
    browser.wait_for_text("#run-figures", "Echoes\\s+[1-9]");
    browser.click("#repeat");
    browser.wait_for_text("#run-state", "^Ended after .*: stopped");
    assert!(browser.text("#run-figures").contains("Different\n0\nNo echo\n0\n"));
}

#[test]
fn the_state_shows_why_a_connection_ended_or_failed() {
    if skip_without(&[chromium()]) {
        return;
    }
    let mut server = start_server();
    let browser = open(&url(&server));
    browser.click("#connect");
    browser.wait_for_text("#state", r"^Disconnected \(1000, normal closure\)");
    browser.click("#send");
    browser.wait_for_text("#send-error", "Not connected. Connect first.");

    browser.replace("#url", "ws://localhost:1/");
    browser.click("#connect");
    browser.wait_for_text("#state", "connects only to the server that serves it, ws://127.0.0.1:");

    browser.replace("#url", &url(&server).replace("http", "ws"));
    browser.click("#connect");
    browser.wait_for_text("#state", "^Connected");
    assert_eq!(browser.text("#send-error"), "");
    let shown = send_text(&browser, "Exit");
    assert!(shown.contains("Goodbye"), "{shown}");
    browser.wait_for_text("#state", r"^Closed by the server \(1000, normal closure\)");

    browser.click("#connect");
    browser.wait_for_text("#state", "^Connected");
    server.signal(Signal::TERM);
    browser.wait_for_text("#state", r"^Closed by the server \(1001, going away: .* shuts down”$");
    assert!(server.wait().success());
    browser.click("#connect");
    browser.wait_for_text("#state", "^Could not connect to ws://.*: the server does not answer");
}

#[test]
fn every_function_works_with_the_keyboard_alone() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server();
    let browser = Browser::open(&url(&server));
    // The theme, the URL, then the button.
    tab_to(&browser, "connect");
    browser.press(keys::ENTER);
    browser.wait_for_text("#state", "^Connected");
    tab_to(&browser, "text");
    browser.press(&format!("typed{}", keys::ENTER));
    assert!(wait_for_newest(&browser, "typed").contains("Same bytes"));
    tab_to(&browser, "count");
    browser.press("0");
    tab_to(&browser, "repeat");
    browser.press(keys::SPACE);
    browser.wait_for_text("#run-figures", "Echoes\\s+[1-9]");
    browser.press(keys::SPACE);
    browser.wait_for_text("#run-state", "^Ended after .*: stopped");
    tab_to(&browser, "export");
    browser.press(keys::ENTER);
    let export = browser.downloads().join("echo-console.json");
    let mut written = None;
    wait_until("the export is written", || {
        let text = fs::read_to_string(&export).unwrap_or_default();
        written = serde_json::from_str::<Value>(&text).ok();
        written.is_some()
    });
    let export = written.expect("it is written");
    assert_eq!(export["messages"][0]["sent"], "typed", "{export}");
    assert_eq!(export["messages"][0]["result"], "equal", "{export}");
    assert!(export["round_trips"]["equal"].as_u64() > Some(1), "{export}");
    tab_to(&browser, "clear");
    browser.press(keys::ENTER);
    browser.wait_for_text("#empty", "^No messages yet");
}

/// Presses the tabulator until the element with this id has the focus, which has to be visible.
pub(crate) fn tab_to(browser: &Browser, id: &str) {
    for _ in 0..20 {
        browser.press(keys::TAB);
        if browser.run("return document.activeElement.id") == id {
            let outline = "return getComputedStyle(document.activeElement).outlineStyle";
            assert_eq!(browser.run(outline), "solid", "{id}");
            return;
        }
    }
    panic!("the tabulator does not reach {id}");
}

#[test]
fn a_chosen_theme_is_kept() {
    if skip_without(&[chromium()]) {
        return;
    }
    let server = start_server();
    let browser = Browser::open(&url(&server));
    let background = || browser.run("return getComputedStyle(document.body).backgroundColor");
    browser.prefer(Theme::Light);
    let light = background();
    browser.prefer(Theme::Dark);
    let dark = background();
    assert_ne!(light, dark);
    browser.click("input[value=light]");
    assert_eq!(background(), light);
    browser.go_to(&url(&server));
    assert_eq!(background(), light);
    // By the keyboard: from Light to Dark.
    browser.prefer(Theme::Light);
    browser.type_into("input[value=light]", keys::RIGHT);
    assert_eq!(background(), dark);
}

#[test]
fn axe_core_finds_no_fault_in_both_themes_and_nothing_overflows_at_360_pixels() {
    if skip_without(&[chromium(), axe_core()]) {
        return;
    }
    let server = start_server();
    let liar = change_replies(address(&server), b"truth", b"tru7h");
    let browser = open(&format!("http://{liar}/"));
    browser.type_into("#text", &"the truth ".repeat(100));
    browser.click("#send");
    wait_for_newest(&browser, "100 bytes differ");
    send_text(&browser, "equal");
    browser.click("#repeat");
    browser.wait_for_text("#run-figures", "Echoes\\s+[1-9]");
    browser.click("summary");
    browser.expect_accessible(&[1280, 360]);
}
