//! Reports that were saved: documents in JSON, and histogram logs.

use std::{fs, io::Read as _, path::Path};

use common::{cli::stdio::stdin, escape::Escaped, reason::reason};
use serde::Deserialize;
use serde_json::Value;

use super::{
    evaluate::verdict,
    report::{
        distribution::Distribution,
        document::{Report, VERSION},
        files::STANDARD,
        hlog::{self, Log},
    },
    stats::{hdr_base64::MAX_COUNT, rate::per_second},
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
    if content.is_empty() {
        return Err("the file is empty: its load has written no report".to_owned());
    }
    if !content.trim_ascii_start().starts_with(b"{") {
        return hlog::read(content).map(report_of_log);
    }
    let document: Value = serde_json::from_slice(content)
        .map_err(|error| format!("the file is not a report of echo-client load ({error})"))?;
    let Version { version } = Version::deserialize(&document)
        .map_err(|error| format!("the file is not a report of echo-client load ({error})"))?;
    if version != VERSION {
        return Err(format!(
            "the report has version {version}, and this program reads version {VERSION}: repeat the load with this \
             program, or merge with the program that wrote the report"
        ));
    }
    check_numbers("", &document)?;
    let report: Report = serde_json::from_value(document)
        .map_err(|error| format!("the report is incomplete ({error})"))?;
    match &report.series {
        Some(series) if series.interval_seconds == 0 => {
            Err("the report has a time series whose intervals have no length".to_owned())
        }
        _ => Ok(report),
    }
}

/// Checks that the numbers can be those of a load, so that sums and quotients of them are right. Numbers that are only shown may be
/// anything: the settings, seeds, and times in nanoseconds.
fn check_numbers(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !matches!(&name[..], "plan" | "seed" | "seeds"))
            .filter(|(name, _)| !name.ends_with("_ns"))
            .try_for_each(|(name, value)| check_numbers(name, value)),
        Value::Array(values) => values.iter().try_for_each(|value| check_numbers(name, value)),
        Value::Number(number) => {
            let is_possible = number.as_u64().is_some_and(|number| number <= MAX_COUNT)
                || number.as_f64().is_some_and(|number| (0.0..MAX_NUMBER).contains(&number));
            if is_possible {
                return Ok(());
            }
            Err(format!("the report has the number {number} for '{name}', which no load reaches"))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// Limit of numbers that are no counts: [`MAX_COUNT`].
const MAX_NUMBER: f64 = 9_007_199_254_740_992.0;

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
    use serde_json::json;

    use super::*;
    use crate::load::{
        evaluate::testing::{report, report_over_time},
        report::{
            figures::fault_figures::FaultFigures,
            files::{Destination, Destinations, ReportFiles},
        },
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
            ("", "the file is empty"),
            ("\n", "neither a report nor a histogram log"),
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

    #[test]
    fn a_report_with_numbers_that_no_load_reaches_is_refused() {
        let valid = serde_json::to_value(report_over_time(10, [300; 3])).unwrap();
        let changed = |pointer: &str, number: Value| {
            let mut document = valid.clone();
            *document.pointer_mut(pointer).unwrap() = number;
            parse(&serde_json::to_vec(&document).unwrap())
        };
        for pointer in [
            "/messages",
            "/lost",
            "/bytes_sent",
            "/series/intervals/1/messages",
            "/latency/count",
            "/seconds",
            "/rate",
            "/client_cpu/cores",
        ] {
            for number in
                [json!(u64::MAX), json!(MAX_COUNT + 1), json!(-1), json!(-0.5), json!(1e300)]
            {
                let error = changed(pointer, number.clone()).unwrap_err();
                let name = pointer.rsplit('/').next().unwrap();
                let expected = format!("the number {number} for '{name}', which no load reaches");
                assert!(error.contains(&expected), "{error}");
            }
            assert!(changed(pointer, json!(7)).is_ok(), "{pointer}");
        }
        let error = changed("/series/interval_seconds", json!(0)).unwrap_err();
        assert!(error.contains("intervals have no length"), "{error}");
    }

    #[test]
    fn settings_of_a_report_may_be_any_number() {
        let mut report = report(10, 100);
        report.injected_faults =
            Some(FaultFigures { seeds: [u64::MAX].into(), ..Default::default() });
        let document = serde_json::to_vec(&report).unwrap();
        assert_eq!(parse(&document).unwrap(), report);
    }

    /// The header of each histogram claims gigabytes; one is compressed.
    #[test]
    fn a_file_with_a_histogram_that_claims_to_be_longer_than_it_is_is_refused() {
        for histogram in [
            "HISTE/////AAAAAAAAAAAwAAAAAAAAABAAADRjC4oAA/8AAAAAAAAA==",
            "HISTFAAAACB42pNpmSz8////DwwQwAylGYFMN4MdCxjsoTIA1cAIOA==",
        ] {
            let mut document = serde_json::to_value(report(10, 100)).unwrap();
            document["latency"]["histogram"] = json!(histogram);
            let error = parse(&serde_json::to_vec(&document).unwrap()).unwrap_err();
            assert!(error.contains("a histogram is shorter than it says"), "{error}");
            let log = format!("Tag=lag,0.0,1.0,1.0,{histogram}\n");
            let error = parse(log.as_bytes()).unwrap_err();
            assert!(error.contains("a histogram is shorter than it says"), "{error}");
        }
    }
}
