//! HDR histogram log format, which other tools read and write too.
//!
//! A log has an interval without a tag for the latency of the whole run, and one each with the tags
//! `connect`, `handshake` (over TLS), `login`, `ws-handshake` and `lag`. Values are nanoseconds; the maximum in plain text is in milliseconds, as usual.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag},
};

use super::document::Report;
use crate::load::stats::histogram::Histogram;

/// Content of a log. It tells nothing about lost messages.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Latency of messages.
    pub(crate) latency: Histogram,
    /// Time that connections took to be made.
    pub(crate) connect: Option<Histogram>,
    /// Delay of messages behind their schedule.
    pub(crate) lag: Option<Histogram>,
    /// Measured time: the sum of the intervals of the latency.
    pub(crate) time: Duration,
}

const CONNECT: &str = "connect";
const HANDSHAKE: &str = "handshake";

/// Tag of the intervals of logins.
const LOGIN: &str = "login";

/// Tag of the intervals of WebSocket handshakes.
const UPGRADE: &str = "ws-handshake";
const LAG: &str = "lag";

/// Version of the format. The tags came with 1.2, the base time with 1.1.
const FORMAT: &str = "#[Histogram log format version 1.3]";

/// Names of the columns.
const LEGEND: &str =
    r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#;

/// Writes the histograms of a report as a log.
///
/// # Panics
///
/// Never: the log is written to memory, and all values are times.
pub(crate) fn write(report: &Report) -> Vec<u8> {
    let time = Duration::try_from_secs_f64(report.seconds).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "a log holds the wall-clock time")]
    let now = SystemTime::now();
    let start = now.checked_sub(time).unwrap_or(SystemTime::UNIX_EPOCH);
    [header(start).into_bytes(), intervals(report, time)].concat()
}

/// Returns the lines before the intervals, in the order of Java's `HistogramLogWriter`. A reader needs the version
/// to accept the log, and takes the first line that is no comment for the legend.
fn header(start: SystemTime) -> String {
    let start = start.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    format!(
        "#[echo-client load: values in nanoseconds, maxima in milliseconds]\n{FORMAT}\n\
         #[BaseTime: {start:.3} (seconds since epoch)]\n#[StartTime: {start:.3} (seconds since epoch)]\n{LEGEND}\n"
    )
}

fn intervals(report: &Report, time: Duration) -> Vec<u8> {
    let mut text = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut text, &mut serializer)
        .expect("writing to memory");
    let histograms = [
        (None, Some(&report.latency)),
        (Tag::new(CONNECT), report.connect.as_ref()),
        (Tag::new(HANDSHAKE), report.tls.as_ref().map(|tls| &tls.handshake)),
        (Tag::new(LOGIN), report.login.as_ref()),
        (Tag::new(UPGRADE), report.websocket.as_ref().map(|it| &it.handshake)),
        (Tag::new(LAG), report.lag.as_ref()),
    ];
    for (tag, distribution) in histograms {
        if let Some(distribution) = distribution {
            let histogram = distribution.histogram.hdr();
            writer
                .write_histogram(histogram, Duration::ZERO, time, tag)
                .expect("a histogram of times can be written");
        }
    }
    // The writer has its own header, a comment that other readers do not expect after the legend.
    let is_interval = |line: &&[u8]| !line.starts_with(b"#");
    text.split_inclusive(|&byte| byte == b'\n').filter(is_interval).flatten().copied().collect()
}

/// Reads a log.
///
/// # Errors
///
/// A phrase that describes the problem.
pub(crate) fn read(text: &[u8]) -> Result<Log, String> {
    let mut log = Log::default();
    let mut has_intervals = false;
    for entry in IntervalLogIterator::new(text) {
        let entry =
            entry.map_err(|_| "the file is neither a report nor a histogram log".to_owned())?;
        let LogEntry::Interval(interval) = entry else { continue };
        let histogram = Histogram::decode(interval.encoded_histogram()).map_err(|reason| {
            format!("the file has a histogram that cannot be decoded: {reason}")
        })?;
        has_intervals = true;
        match interval.tag().map(|tag| tag.as_str().to_owned()).as_deref() {
            None => {
                log.latency.merge(&histogram);
                log.time = log.time.saturating_add(interval.duration());
            }
            Some(CONNECT) => log.connect.get_or_insert_default().merge(&histogram),
            // A log does not tell the counts that belong to it.
            Some(HANDSHAKE | LOGIN | UPGRADE) => {}
            Some(LAG) => log.lag.get_or_insert_default().merge(&histogram),
            Some(other) => {
                let known = format!("{CONNECT}, {HANDSHAKE}, {LOGIN}, {UPGRADE} and {LAG}");
                return Err(format!(
                    "the file has a histogram with the unknown tag '{other}'; known tags are {known}"
                ));
            }
        }
    }
    if has_intervals { Ok(log) } else { Err("the file has no histogram".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::evaluate::testing::report;
    use hdrhistogram::Histogram as HdrHistogram;
    use regex::Regex;

    #[test]
    fn a_log_has_the_header_of_the_format() {
        let text = String::from_utf8(write(&report(10, 300))).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "#[Histogram log format version 1.3]");
        let time = r"\d+\.\d{3} \(seconds since epoch\)";
        for (line, pattern) in [
            (lines[0], r"^#\[.*\]$".to_owned()),
            (lines[2], format!(r"^#\[BaseTime: {time}\]$")),
            (lines[3], format!(r"^#\[StartTime: {time}\]$")),
            (lines[4], format!("^{LEGEND}$")),
            (lines[5], r"^0\.000,1\.000,0\.300,HISTF\S+$".to_owned()),
            (lines[6], r"^Tag=connect,0\.000,1\.000,\d+\.\d{3},HISTF\S+$".to_owned()),
        ] {
            assert!(Regex::new(&pattern).unwrap().is_match(line), "{line}");
            // The C library reads lines of this length.
            assert!(
                line.starts_with("Tag=") || line.contains("HISTF") || line.len() < 127,
                "{line}"
            );
        }
    }

    #[test]
    fn the_sum_of_the_intervals_saturates() {
        let mut text = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut writer =
            IntervalLogWriterBuilder::new().begin_log_with(&mut text, &mut serializer).unwrap();
        let histogram = HdrHistogram::<u64>::new(3).unwrap();
        for _ in 0..2 {
            writer
                .write_histogram(&histogram, Duration::ZERO, Duration::from_secs(1 << 63), None)
                .unwrap();
        }
        assert_eq!(read(&text).unwrap().time, Duration::MAX);
    }
}
