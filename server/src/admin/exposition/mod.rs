//! `/metrics`: the counters of the server in the text formats of Prometheus.
//!
//! Owns the names, the types and the help of the metrics. Must not know who reads them.

use super::context::Context;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Version 0.0.4 of the text format of Prometheus.
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the media type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Returns all metrics.
pub(super) fn expose(_context: &Context<'_>, format: Format) -> Vec<u8> {
    match format {
        Format::Prometheus => Vec::new(),
        Format::OpenMetrics => b"# EOF\n".to_vec(),
    }
}
