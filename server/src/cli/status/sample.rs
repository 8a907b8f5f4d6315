//! One sample: both answers of the admin listener, as text and as data.

use std::time::Duration;

use super::model::{Page, Status};
use crate::cli::admin_client::{Deadline, Target, get, push_line};

/// Time for both requests of a sample.
const TIME: Duration = Duration::from_secs(5);

/// The answers of a server.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) status: Status,
    pub(super) page: Page,
    /// The answers as they arrived.
    texts: [String; 2],
}

impl Sample {
    /// Asks the server. The error says why there is no answer, or not a usable one.
    pub(super) fn take(target: &Target) -> Result<Self, String> {
        let deadline = Deadline::after(TIME);
        let fetch = |path| get(target, path, deadline).map_err(|failure| failure.to_string());
        let status = fetch("/status")?;
        let page = fetch("/connections?sort=bytes&limit=10")?;
        Self::parse(status, page)
    }

    pub(super) fn parse(status: String, page: String) -> Result<Self, String> {
        let unusable = |path, error| format!("unexpected answer for {path}: {error}");
        Ok(Self {
            status: serde_json::from_str(&status).map_err(|error| unusable("/status", error))?,
            page: serde_json::from_str(&page).map_err(|error| unusable("/connections", error))?,
            texts: [status, page],
        })
    }

    /// Returns both answers as an object of JSON, in one line.
    pub(super) fn json(&self) -> String {
        let [status, connections] = &self.texts;
        let mut line = String::with_capacity(status.len() + connections.len() + 32);
        line.push_str("{\"status\":");
        push_line(&mut line, status);
        line.push_str(",\"connections\":");
        push_line(&mut line, connections);
        line.push('}');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_line_with_the_numbers_and_the_order_of_the_server() {
        let status = "{\n\"uptime_seconds\":1.50,\t\"version\" : \"\u{9b}2J \\\\\\\" \\\\\" ,\"phase\":\"running\",\"is_live\":true,\"is_ready\":true,\
            \"connections\":{\"open\":0,\"accepted\":18446744073709551615,\"refused\":0},\"later\":[1e3]}\n";
        let sample = Sample::parse(status.to_owned(), "{\"connections\":[]}".to_owned()).unwrap();
        assert_eq!(sample.status.connections.accepted, u64::MAX);
        assert_eq!(
            sample.json(),
            "{\"status\":{\"uptime_seconds\":1.50,\"version\":\"\\u009b2J \\\\\\\" \\\\\",\"phase\":\"running\",\"is_live\":true,\
             \"is_ready\":true,\"connections\":{\"open\":0,\"accepted\":18446744073709551615,\"refused\":0},\"later\":[1e3]},\
             \"connections\":{\"connections\":[]}}"
        );
    }

    #[test]
    fn an_answer_that_is_not_a_status_is_named() {
        for (status, message) in [
            ("", "unexpected answer for /status: EOF"),
            ("[]", "unexpected answer for /status: "),
            ("{\"version\":\"1\"}", "missing field `phase`"),
        ] {
            let error = Sample::parse(status.to_owned(), "{}".to_owned()).unwrap_err();
            assert!(error.contains(message), "{status}: {error}");
        }
    }
}
