//! How samples are shown: a line each, under one heading.

use std::time::Duration;

use crate::judge::{Sample, as_f64};

/// Above the lines.
pub(crate) const HEADING: &str =
    "    time   resident  heap, stacks  descriptors  connections     messages  rude acts";

/// What has been done so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// Connections that the server's log tells of.
    pub(crate) connections: u64,
    /// Messages that the server's log tells of.
    pub(crate) messages: u64,
    /// Of all rude peers together.
    pub(crate) acts: u64,
}

/// One sample, and what has been done by then.
pub(crate) fn line(sample: &Sample, done: &Done) -> String {
    format!(
        "{:>8}  {:>9}  {:>12}  {:>11}  {:>11}  {:>11}  {:>9}",
        clock(sample.at),
        size(sample.resident),
        size(sample.anonymous),
        sample.descriptors,
        done.connections,
        done.messages,
        done.acts,
    )
}

/// `5:07`, or `1:05:07`.
pub(crate) fn clock(time: Duration) -> String {
    let (hours, minutes, seconds) =
        (time.as_secs() / 3600, time.as_secs() / 60 % 60, time.as_secs() % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Bytes, in mebibytes.
pub(crate) fn size(bytes: u64) -> String {
    format!("{:.2} MiB", as_f64(bytes) / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_under_its_heading() {
        let sample = Sample {
            at: Duration::from_secs(1799),
            resident: 6 * 1024 * 1024,
            anonymous: 3 * 1024 * 1024,
            descriptors: 123,
        };
        let line = line(&sample, &Done { connections: 3_600_000, messages: 9, acts: 1 });
        assert_eq!(line.len(), HEADING.len());
        assert!(
            line.starts_with("   29:59   6.00 MiB      3.00 MiB          123      3600000"),
            "{line}"
        );
        assert_eq!(clock(Duration::from_secs(3661)), "1:01:01");
    }
}
