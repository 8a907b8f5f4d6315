//! Values of metrics in a report, and their text.

use super::metric::{DatagramMetric, Metric, RoomMetric, Statistic, Subject};
use crate::load::{
    report::{
        document::Report, figures::datagram_counts::DatagramCounts,
        figures::room_figures::RoomFigures,
    },
    stats::{format, histogram::Histogram},
};

impl Metric {
    /// Returns its value in a report, in its unit; `None` if it is unknown, as the p99 of an empty
    /// histogram.
    pub(crate) fn value(&self, report: &Report) -> Option<f64> {
        let errors = report.errors.as_ref();
        match self {
            Self::Time(subject, statistic) => {
                let distribution = match subject {
                    Subject::Latency => Some(&report.latency),
                    Subject::Connect => report.connect.as_ref(),
                    Subject::Handshake => report.tls.as_ref().map(|tls| &tls.handshake),
                    Subject::Login => report.login.as_ref(),
                    Subject::Upgrade => report.websocket.as_ref().map(|it| &it.handshake),
                    Subject::Lag => report.lag.as_ref(),
                };
                statistic.value(&distribution?.histogram)
            }
            Self::Messages => Some(count(report.messages)),
            Self::Lost => report.lost.map(count),
            Self::BytesLost => report.bytes_lost.map(count),
            Self::Drains => report.drains.map(count),
            Self::Resent => report.resent.map(count),
            Self::Errors(None) => errors.map(|errors| count(errors.values().sum())),
            Self::Errors(Some(kind)) => {
                errors.map(|errors| errors.get(kind).copied().map_or(0.0, count))
            }
            Self::Connects => report.connects.map(count),
            Self::Resumed => report.tls.as_ref().map(|tls| count(tls.resumed)),
            Self::Truncated => report.tls.as_ref().map(|tls| count(tls.truncated)),
            Self::Closes => report.websocket.as_ref().map(|it| count(it.closes)),
            Self::Unclosed => report.websocket.as_ref().map(|it| count(it.unclosed)),
            Self::Seconds => Some(report.seconds),
            Self::Rate => Some(report.rate),
            Self::BytesPerSecond => report.bytes_per_second,
            Self::Datagrams(DatagramMetric::Duplicates) if report.room.is_some() => {
                report.room.map(|room| count(room.duplicates))
            }
            Self::Room(metric) => report.room.map(|room| metric.value(&room)),
            Self::Datagrams(metric) => {
                report.datagrams.as_ref().map(|counts| count(metric.value(counts)))
            }
            Self::Share(part) => {
                let sent = match &report.datagrams {
                    Some(counts) => counts.sent,
                    // Over streams, a message that was sent has returned or is lost.
                    None => report.messages + report.lost?,
                };
                (sent > 0).then(|| Some(100.0 * part.value(report)? / count(sent)))?
            }
        }
    }

    /// Formats a value of it.
    pub(crate) fn format(&self, value: f64) -> String {
        match self {
            Self::Time(..) => format::time(whole(value)),
            Self::Rate | Self::Room(RoomMetric::DeliveryRate) => format::rate(value),
            Self::BytesPerSecond => format::bytes_per_second(value),
            Self::Seconds => format!("{value:.2}"),
            Self::Share(_) => format::percents(value),
            _ => format::count(whole(value)),
        }
    }
}

impl DatagramMetric {
    fn value(self, counts: &DatagramCounts) -> u64 {
        match self {
            Self::Sent => counts.sent,
            Self::Late => counts.late,
            Self::Reordered => counts.reordered,
            Self::Duplicates => counts.duplicates,
            Self::Corrupt => counts.corrupt,
            Self::Unrecognized => counts.unrecognized,
            Self::Dropped => counts.dropped_by_client,
        }
    }
}

impl RoomMetric {
    fn value(self, room: &RoomFigures) -> f64 {
        match self {
            Self::Deliveries => count(room.deliveries),
            Self::DeliveryRate => room.deliveries_per_second,
            Self::Gaps => count(room.gaps),
            Self::RelayGaps => count(room.relay_gaps),
            Self::Missing => count(room.missing),
            Self::Order => count(room.order_violations),
            Self::WrongTexts => count(room.wrong_texts),
            Self::Foreign => count(room.foreign),
        }
    }
}

impl Statistic {
    fn value(self, histogram: &Histogram) -> Option<f64> {
        let time = match self {
            _ if histogram.is_empty() => return None,
            Self::Quantile(share) => histogram.quantile(share),
            Self::Min => histogram.min(),
            Self::Mean => histogram.mean(),
            Self::Max => histogram.max(),
        };
        Some(time.as_secs_f64() * 1e9)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "values are positive")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "no run counts 2^53 messages")]
fn count(count: u64) -> f64 {
    count as f64
}
