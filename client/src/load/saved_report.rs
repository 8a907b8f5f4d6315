//! Reports that were saved: documents in JSON, and histogram logs.

use std::{fs, io::Read as _, path::Path};

use common::{cli::stdio::stdin, escape::Escaped, reason::reason};
use serde::Deserialize;

use super::{
    evaluate::verdict,
    report::{
        distribution::Distribution,
        document::{Report, VERSION},
        files::STANDARD,
        hlog::{self, Log},
    },
    stats::rate::per_second,
};

/// Failure to read a file.
#[derive(Debug, thiserror::Error)]
#[error("Could not read {name}: {reason}")]
pub(crate) struct Error {
    name: String,
    reason: String,
}

/// Returns the name of a file in the report.
fn name(path: &Path) -> String {
    if path == Path::new(STANDARD) {
        return "standard input".to_owned();
    }
    Escaped(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Reads a file; returns the report with the name of the file.
///
/// # Errors
///
/// It is neither a report nor a histogram log.
pub(super) fn read(path: &Path) -> Result<(String, Report), Error> {
    match content(path) {
        Ok(report) => Ok((name(path), report)),
        Err(reason) => Err(Error { name: name(path), reason }),
    }
}

/// Reads a file; returns a phrase that describes the problem if it cannot. The phrase quotes the file, so it is
/// escaped.
fn content(path: &Path) -> Result<Report, String> {
    let content = if path == Path::new(STANDARD) {
        let mut content = Vec::new();
        stdin().read_to_end(&mut content).map(|_| content)
    } else {
        fs::read(path)
    };
    let report = content.map_err(|error| reason(&error)).and_then(|content| parse(&content));
    report.map_err(|reason| Escaped(reason.as_bytes()).to_string())
}

fn parse(content: &[u8]) -> Result<Report, String> {
    if !content.trim_ascii_start().starts_with(b"{") {
        return hlog::read(content).map(report_of_log);
    }
    let Version { version } = serde_json::from_slice(content)
        .map_err(|error| format!("the file is not a report of echo-client load ({error})"))?;
    if version != VERSION {
        return Err(format!(
            "the report has version {version}, and this program reads version {VERSION}: repeat the load with this \
             program, or merge with the program that wrote the report"
        ));
    }
    serde_json::from_slice(content).map_err(|error| format!("the report is incomplete ({error})"))
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Returns the report of a histogram log, in which most values are unknown.
pub(super) fn report_of_log(log: Log) -> Report {
    let seconds = log.time.as_secs_f64();
    let messages = log.latency.len();
    let mut report = Report {
        messages,
        seconds,
        rate: per_second(messages, seconds),
        latency: log.latency.into(),
        connect: log.connect.map(Distribution::from),
        lag: log.lag.map(Distribution::from),
        ..Report::unknown()
    };
    verdict::set(&mut report);
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{
        evaluate::testing::report,
        report::files::{Destination, Destinations, ReportFiles},
    };

    #[test]
    fn reads_its_own_files_and_refuses_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let report = report(10, 100);
        // The old content is longer than the report, and none of it may remain.
        fs::write(path("json"), "x".repeat(100_000)).unwrap();
        let [json, histogram] = ["json", "hlog"].map(|name| Some(Destination::File(path(name))));
        let files = ReportFiles::open(&Destinations { json, histogram, ..Destinations::default() })
            .unwrap();
        files.write(&report, &mut Vec::new()).unwrap();
        assert_eq!(content(&path("json")).unwrap(), report);
        assert_eq!(content(&path("hlog")).unwrap().messages, 10);
        for (text, reason) in [
            ("", "the file has no histogram"),
            ("{\"a\": 1}", "the file is not a report of echo-client load"),
            ("{\"version\": 99}", "the report has version 99, and this program reads version 2"),
            ("{\"version\": 1}", "the report has version 1, and this program reads version 2"),
            ("{\"version\": 2}", "the report is incomplete"),
            ("some text\n", "neither a report nor a histogram log"),
            ("Tag=other,0.0,1.0,1.0,AAAA\n", "cannot be decoded"),
        ] {
            fs::write(path("wrong"), text).unwrap();
            let error = content(&path("wrong")).unwrap_err();
            assert!(error.contains(reason) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
