//! The page of a report: `echo-client load --html`.

use std::{fs, path::Path};

use tests::{
    browser::Browser,
    net::{Fault, FaultServer},
    programs::{EchoServer, Program, Report, binaries::echo_client},
    requirements::{axe_core, chromium, skip_without},
};

/// Runs a load; returns its report, and the path of its page in this directory.
fn load_with_page(server: &EchoServer, directory: &Path, args: &str) -> (Report, String) {
    let page = directory.join("report.html").to_str().expect("the path is UTF-8").to_owned();
    let report = Report::run(server.address(), &format!("{args} --html {page}"));
    (report, page)
}

fn read(page: &str) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{page}: {error}"))
}

#[test]
fn the_page_has_the_verdict_and_the_figures_of_the_report_and_names_no_host() {
    let server = EchoServer::start_quiet();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let args = "--processes 1 --connections 2 --messages 700 --size 64 --assert p99<1m";
    let (report, page) = load_with_page(&server, directory.path(), args);
    report.expect_success();
    let page = read(&page);
    let verdict = format!("<span id=\"verdict\">{}</span>", report.verdict());
    for text in [&verdict[..], "<dt>messages</dt><dd>1,400</dd>", "<dt>errors</dt><dd>0</dd>"] {
        assert!(page.contains(text), "{text}");
    }
    for part in ["http:", "https:", " src=", " href="] {
        assert!(!page.contains(part), "{part}");
    }
}

#[test]
fn a_page_can_go_to_standard_output() {
    let server = EchoServer::start_quiet();
    let args = "--processes 1 --connections 2 --messages 10 --html -";
    let ended = Program::run_load(server.address(), args);
    assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    let page = ended.stdout_text();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{ended:?}");
    assert!(ended.stderr.contains("latency"), "{ended:?}");
}

#[test]
fn a_merged_page_shows_the_name_of_a_file_as_text() {
    let server = EchoServer::start_quiet();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path =
        |name: &str| directory.path().join(name).to_str().expect("the path is UTF-8").to_owned();
    let (hostile, page) = (path("<img src=x>&.json"), path("page.html"));
    for json in [&hostile, &path("two.json")] {
        let address = server.address().to_string();
        let args = ["load", &address, "--messages", "10", "--quiet", "--json", json];
        let ended = Program::start(echo_client(), &args).finish();
        assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    }
    let args = ["load", "merge", &hostile, &path("two.json"), "--html", &page];
    let ended = Program::start(echo_client(), &args).finish();
    assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    let page = read(&page);
    assert!(page.contains("&lt;img src=x&gt;&amp;.json"), "the name is missing");
    assert!(!page.contains("<img"), "the name became an element");
}

#[test]
fn a_browser_shows_the_page_without_requests_and_axe_core_finds_no_fault() {
    if skip_without(&[chromium(), axe_core()]) {
        return;
    }
    let server = FaultServer::on_first_connection(Fault::FlipBit(700));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let page = directory.path().join("report.html");
    let args = format!(
        "--processes 1 --connections 4 --rate 200 --duration 2500ms --assert p50<1m --html {}",
        page.display()
    );
    let report = Report::run(server.address(), &args);
    report.expect_failure();
    let browser = Browser::open_recorded(&format!("file://{}", page.display()));
    assert_eq!(browser.text("#verdict"), "FAILED");
    assert_eq!(browser.text("#reason"), report.json("/reason").as_str().unwrap_or_default());
    let requests = browser.requested_urls();
    assert!(requests.iter().all(|url| url.starts_with("file:")), "{requests:?}");
    // The script runs, although the policy of the page allows nothing else.
    let boxes = "return document.querySelectorAll('[data-chart=percentiles] .hover').length";
    assert_eq!(browser.run(boxes), 1);
    let _ = browser.run("document.querySelector('details').open = true");
    browser.expect_accessible(&[1280, 320]);
}
