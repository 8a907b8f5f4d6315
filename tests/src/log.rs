//! Patterns of log lines: times and addresses differ in every run, everything else is fixed.

use std::net::SocketAddr;

use regex::Regex;

/// Local time at the start of a log line.
const TIME: &str = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}";

/// Address with its port.
const PEER: &str = r"(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+";

/// Compiles a regular expression in which `{time}` matches any time and `{peer}` any address.
///
/// ```
/// let started = tests::log::pattern("^{time} - INFO - Echo server started on {peer}$");
/// assert!(started.is_match("2024-01-15 10:30:45 - INFO - Echo server started on 127.0.0.1:65432"));
/// ```
#[must_use]
pub fn pattern(pattern: &str) -> Regex {
    let pattern = pattern.replace("{time}", TIME).replace("{peer}", PEER);
    Regex::new(&pattern).expect("the patterns of tests compile")
}

/// Returns true if a [`pattern`] matches somewhere in the text, in any case. `^` and `$` match the ends of a line.
#[must_use]
pub fn matches(text: &str, pattern: &str) -> bool {
    self::pattern(&format!("(?im){pattern}")).is_match(text)
}

/// Returns the lines of `log` that name `peer`, with `{peer}` in place of its address and `{time}` in place of the
/// time, so that a test can compare whole lines.
#[must_use]
pub fn lines_of(log: &str, peer: SocketAddr) -> Vec<String> {
    let peer = peer.to_string();
    // 127.0.0.1:4000 is not a part of 127.0.0.1:40001.
    let names_peer = Regex::new(&format!(r"{}(\D|$)", regex::escape(&peer))).expect("escaped");
    let time = Regex::new(&format!("^{TIME}")).expect("a constant that compiles");
    log.lines()
        .filter(|line| names_peer.is_match(line))
        .map(|line| time.replace(line, "{time}").replace(&peer, "{peer}"))
        .collect()
}
