//! The HDR histogram log format, as other tools read and write it.
//!
//! A log has one interval for the whole run without a tag, which is the latency, and one each with the
//! tags `connect` and `lag`. Values are nanoseconds; the maximum in the open is in milliseconds, as is
//! usual.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer, V2DeflateSerializer,
        interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag},
    },
};

use crate::load::{report::document::Report, stats::counters::Times};

/// What a log says: nothing of what did not come back.
#[derive(Debug, Default)]
pub struct Log {
    /// How long messages took.
    pub latency: Times,
    /// How long connections took to be made, if it says so.
    pub connect: Option<Times>,
    /// How late messages were sent, if it says so.
    pub lag: Option<Times>,
    /// How long it was measured: the sum of the latency's intervals.
    pub time: Duration,
}

const CONNECT: &str = "connect";
const LAG: &str = "lag";

/// A report's histograms as a log.
///
/// # Panics
///
/// Never: it is written to memory, and all values are times.
#[must_use]
pub fn write(report: &Report) -> Vec<u8> {
    let mut text = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let time = Duration::try_from_secs_f64(report.seconds).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "a log says what the clock on the wall says")]
    let now = SystemTime::now();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("echo-client load; values in nanoseconds, maxima in milliseconds")
        .with_start_time(now.checked_sub(time).unwrap_or(SystemTime::UNIX_EPOCH))
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut text, &mut serializer)
        .expect("memory takes it");
    let histograms = [
        (None, Some(&report.latency)),
        (Tag::new(CONNECT), report.connect.as_ref()),
        (Tag::new(LAG), report.lag.as_ref()),
    ];
    for (tag, distribution) in histograms {
        if let Some(distribution) = distribution {
            let histogram = distribution.histogram.histogram();
            writer
                .write_histogram(histogram, Duration::ZERO, time, tag)
                .expect("a histogram of times can be written");
        }
    }
    text
}

/// Reads a log.
///
/// # Errors
///
/// What is the matter with it, in words.
pub fn read(text: &[u8]) -> Result<Log, String> {
    let mut log = Log::default();
    let mut has_intervals = false;
    for entry in IntervalLogIterator::new(text) {
        let entry = entry.map_err(|_| "it is neither a report nor a histogram log".to_owned())?;
        let LogEntry::Interval(interval) = entry else { continue };
        let times = decode(interval.encoded_histogram())
            .ok_or_else(|| "a histogram in it cannot be read".to_owned())?;
        has_intervals = true;
        match interval.tag().map(|tag| tag.as_str().to_owned()).as_deref() {
            None => {
                log.latency.add(&times);
                log.time = log.time.saturating_add(interval.duration());
            }
            Some(CONNECT) => log.connect.get_or_insert_default().add(&times),
            Some(LAG) => log.lag.get_or_insert_default().add(&times),
            Some(other) => {
                let known = format!("{CONNECT} and {LAG}");
                return Err(format!(
                    "it has histograms with the tag '{other}'; known are none, {known}"
                ));
            }
        }
    }
    if has_intervals { Ok(log) } else { Err("there is no histogram in it".to_owned()) }
}

fn decode(text: &str) -> Option<Times> {
    let bytes = STANDARD.decode(text).ok()?;
    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).ok()?;
    Some(histogram.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_longer_than_time_itself_are_no_panic() {
        let mut text = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut writer =
            IntervalLogWriterBuilder::new().begin_log_with(&mut text, &mut serializer).unwrap();
        let histogram = Histogram::<u64>::new(3).unwrap();
        for _ in 0..2 {
            writer
                .write_histogram(&histogram, Duration::ZERO, Duration::from_secs(1 << 63), None)
                .unwrap();
        }
        assert_eq!(read(&text).unwrap().time, Duration::MAX);
    }
}
