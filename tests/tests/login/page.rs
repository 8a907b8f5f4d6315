//! The page of a listener that requires a login, in a real browser.

use tests::{
    browser::Browser,
    programs::Launch,
    requirements::{chromium, skip_without},
};

use crate::Users;

#[test]
fn a_browser_logs_in_and_so_does_the_websocket_of_the_page() {
    if skip_without(&[chromium()]) {
        return;
    }
    let users = Users::new();
    let args = users.server("http://127.0.0.1:0?login=required");
    let server = Launch::new(&args).without_port().start();
    let address = server.addresses()[0].strip_prefix("http://").expect("it speaks HTTP");
    let browser = Browser::open(&format!("http://alice:pencil@{address}/"));
    browser.click("#connect");
    browser.wait_for_text("#state", "^Connected to ws://");
    browser.replace("#text", "hello");
    browser.click("#send");
    let shown = browser.text_when("#messages > :first-child:not([data-result=waiting])", "hello");
    assert!(shown.contains("Same bytes"), "{shown}");
    server.wait_for_log("logged in as 'alice' by (Basic|cookie)");
    server.wait_for_log("Received from .*: 'hello'");
}

#[test]
fn a_member_of_a_room_has_the_name_of_its_login_on_the_page() {
    if skip_without(&[chromium()]) {
        return;
    }
    let users = Users::new();
    let args = users.server("http://127.0.0.1:0?login=required&protocol=room");
    let server = Launch::new(&args).without_port().start();
    let address = server.addresses()[0].strip_prefix("http://").expect("it speaks HTTP");
    let browser = Browser::open(&format!("http://alice:pencil@{address}/"));
    browser.replace("#name", "mallory");
    browser.click("#join");
    browser.wait_for_text("#conversation-title", "^lobby: you are @alice$");
    let name =
        "const { value, readOnly } = document.querySelector('#name'); return value + readOnly";
    assert_eq!(browser.run(name), "@alicetrue");
    browser.type_into("#text", "/name mallory\n");
    browser.wait_for_text("#send-error", "^Your name is that of your login$");
}
