//! A sample as a line of the table.

use std::time::Duration;

use crate::evaluate::{Sample, as_f64};

/// First line of the table.
pub(crate) const HEADING: &str =
    "    time   resident  heap, stacks  descriptors  connections     messages    actions";

/// Work that has been done so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Number of connections in the log of the server.
    pub(crate) connections: u64,
    /// Number of messages in the log of the server.
    pub(crate) messages: u64,
    /// Number of actions of all actors.
    pub(crate) actions: u64,
}

/// Formats a sample and the work done so far.
pub(crate) fn line(sample: &Sample, done: &Progress) -> String {
    format!(
        "{:>8}  {:>9}  {:>12}  {:>11}  {:>11}  {:>11}  {:>9}",
        clock(sample.at),
        size(sample.resident),
        size(sample.anonymous),
        sample.descriptors,
        done.connections,
        done.messages,
        done.actions,
    )
}

/// Formats a time as `5:07` or `1:05:07`.
pub(crate) fn clock(time: Duration) -> String {
    let (hours, minutes, seconds) =
        (time.as_secs() / 3600, time.as_secs() / 60 % 60, time.as_secs() % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Formats a number of bytes in mebibytes.
pub(crate) fn size(bytes: u64) -> String {
    format!("{:.2} MiB", as_f64(bytes) / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_line_are_under_their_headings() {
        let sample = Sample {
            at: Duration::from_secs(1799),
            resident: 6 * 1024 * 1024,
            anonymous: 3 * 1024 * 1024,
            descriptors: 123,
        };
        let line = line(&sample, &Progress { connections: 3_600_000, messages: 9, actions: 1 });
        assert_eq!(line.len(), HEADING.len());
        assert!(
            line.starts_with("   29:59   6.00 MiB      3.00 MiB          123      3600000"),
            "{line}"
        );
        assert_eq!(clock(Duration::from_secs(3661)), "1:01:01");
    }
}
