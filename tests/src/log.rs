//! Log lines compared by pattern: times and addresses differ in every run, everything else is fixed.

use std::net::SocketAddr;

use regex::Regex;

/// A local time as a log line has it.
const TIME: &str = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}";

/// An address with its port.
const PEER: &str = r"(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+";

/// A regular expression in which `{time}` and `{peer}` stand for any time and any address.
///
/// ```
/// let started = tests::log::pattern("^{time} - INFO - Echo server started on {peer}$");
/// assert!(started.is_match("2024-01-15 10:30:45 - INFO - Echo server started on 127.0.0.1:65432"));
/// ```
#[must_use]
pub fn pattern(pattern: &str) -> Regex {
    let pattern = pattern.replace("{time}", TIME).replace("{peer}", PEER);
    Regex::new(&pattern).expect("tests write patterns that compile")
}

/// The lines of `log` that name `peer`, with its address as `{peer}` and a time at their head as
/// `{time}`: to be compared with what they must be, word for word.
#[must_use]
pub fn lines_of(log: &str, peer: SocketAddr) -> Vec<String> {
    let peer = peer.to_string();
    // 127.0.0.1:4000 is no part of 127.0.0.1:40001.
    let names_it = Regex::new(&format!(r"{}(\D|$)", regex::escape(&peer))).expect("escaped");
    let time = Regex::new(&format!("^{TIME}")).expect("a constant that compiles");
    log.lines()
        .filter(|line| names_it.is_match(line))
        .map(|line| time.replace(line, "{time}").replace(&peer, "{peer}"))
        .collect()
}
