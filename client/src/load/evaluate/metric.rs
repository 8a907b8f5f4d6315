//! Metrics of a report, by the names that assertions use.
//!
//! Must not know their values, nor what these are compared with.

use std::{fmt, str::FromStr};

use crate::load::stats::error_kind::ErrorKind;

/// Figure of a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Metric {
    /// Time from a histogram.
    Time(Subject, Statistic),
    /// Messages that returned.
    Messages,
    /// Messages that did not return.
    Lost,
    /// Bytes that did not return.
    BytesLost,
    /// Connections that the server ended cleanly.
    Drains,
    /// Messages that were sent again after such an end.
    Resent,
    /// Errors, of one kind or of all kinds.
    Errors(Option<ErrorKind>),
    /// Connections made.
    Connects,
    /// TLS handshakes that resumed an earlier session.
    Resumed,
    /// Connections that ended without a `close_notify` of TLS.
    Truncated,
    /// WebSocket connections that ended with close frames of both sides.
    Closes,
    /// WebSocket connections that ended without.
    Unclosed,
    /// Measured time.
    Seconds,
    /// Messages per second.
    Rate,
    /// Bytes per second, each way.
    BytesPerSecond,
    /// Count of a load over UDP.
    Datagrams(DatagramMetric),
    /// Count of a load of a room.
    Room(RoomMetric),
    /// Share of one of these in all messages that were sent, in percent.
    Share(Box<Self>),
}

/// Figure of a load of a room. Duplicates are those of [`DatagramMetric::Duplicates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomMetric {
    /// Messages that arrived at members.
    Deliveries,
    /// Deliveries per second.
    DeliveryRate,
    /// Events of which the server told that they are lost.
    Gaps,
    /// Messages between servers of which the server told that they are lost.
    RelayGaps,
    /// Events that are lost without being told.
    Missing,
    /// Violations of the order.
    Order,
    /// Messages with a wrong text.
    WrongTexts,
    /// Messages of others.
    Foreign,
}

/// Count of a load over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatagramMetric {
    /// Datagrams sent.
    Sent,
    /// Datagrams that returned after the time limit.
    Late,
    /// Datagrams that returned after a later one.
    Reordered,
    /// Copies; of a room, events and messages that arrived again.
    Duplicates,
    /// Datagrams with wrong bytes.
    Corrupt,
    /// Datagrams that do not belong to this run.
    Unrecognized,
    /// Datagrams that the client's system dropped.
    Dropped,
}

/// Subject of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Latency of messages.
    Latency,
    /// Time that connections took to be made.
    Connect,
    /// Time of TLS handshakes.
    Handshake,
    /// Time of logins.
    Login,
    /// Time of WebSocket handshakes.
    Upgrade,
    /// Delay of the client behind its schedule.
    Lag,
}

/// Statistic of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Statistic {
    /// Time that this share, from 0 to 1, does not exceed.
    Quantile(f64),
    /// Shortest time.
    Min,
    /// Mean.
    Mean,
    /// Longest time.
    Max,
}

/// Unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds.
    Time,
    /// Plain number.
    Number,
}

impl Metric {
    /// Returns its unit.
    pub(crate) fn unit(&self) -> Unit {
        if matches!(self, Self::Time(..)) { Unit::Time } else { Unit::Number }
    }

    /// Returns it as a share of what was sent, if that has a meaning.
    pub(crate) fn share(self) -> Option<Self> {
        let is_part = matches!(self, Self::Lost | Self::Datagrams(_));
        is_part.then(|| Self::Share(Box::new(self)))
    }
}

/// Names of the metrics that are not times.
const NUMBERS: [(&str, Metric); 29] = [
    ("messages", Metric::Messages),
    ("lost", Metric::Lost),
    ("bytes-lost", Metric::BytesLost),
    ("drains", Metric::Drains),
    ("resent", Metric::Resent),
    ("errors", Metric::Errors(None)),
    ("connects", Metric::Connects),
    ("resumed", Metric::Resumed),
    ("truncated", Metric::Truncated),
    ("closes", Metric::Closes),
    ("unclosed", Metric::Unclosed),
    ("seconds", Metric::Seconds),
    ("rate", Metric::Rate),
    ("bytes/s", Metric::BytesPerSecond),
    ("sent", Metric::Datagrams(DatagramMetric::Sent)),
    ("late", Metric::Datagrams(DatagramMetric::Late)),
    ("reordered", Metric::Datagrams(DatagramMetric::Reordered)),
    ("duplicates", Metric::Datagrams(DatagramMetric::Duplicates)),
    ("corrupt", Metric::Datagrams(DatagramMetric::Corrupt)),
    ("unrecognized", Metric::Datagrams(DatagramMetric::Unrecognized)),
    ("dropped", Metric::Datagrams(DatagramMetric::Dropped)),
    ("deliveries", Metric::Room(RoomMetric::Deliveries)),
    ("deliveries/s", Metric::Room(RoomMetric::DeliveryRate)),
    ("gaps", Metric::Room(RoomMetric::Gaps)),
    ("relay-gaps", Metric::Room(RoomMetric::RelayGaps)),
    ("missing", Metric::Room(RoomMetric::Missing)),
    ("order", Metric::Room(RoomMetric::Order)),
    ("wrong-texts", Metric::Room(RoomMetric::WrongTexts)),
    ("foreign", Metric::Room(RoomMetric::Foreign)),
];

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(subject, statistic) => write!(f, "{subject}{statistic}"),
            Self::Errors(Some(kind)) => write!(f, "errors.{kind}"),
            Self::Share(part) => part.fmt(f),
            other => {
                let name = NUMBERS.iter().find(|(_, metric)| metric == other);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

impl fmt::Display for Subject {
    /// Writes the prefix of the name; the latency has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latency => "",
            Self::Connect => "connect.",
            Self::Handshake => "handshake.",
            Self::Login => "login.",
            Self::Upgrade => "ws-handshake.",
            Self::Lag => "lag.",
        })
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Rounded to a thousandth of a percent, because 99.9 is not exact in binary.
            Self::Quantile(share) => write!(f, "p{}", (share * 100_000.0).round() / 1000.0),
            Self::Min => f.write_str("min"),
            Self::Mean => f.write_str("mean"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        if let Some((_, metric)) = NUMBERS.iter().find(|(name, _)| *name == typed) {
            return Ok(metric.clone());
        }
        if let Some(kind) = typed.strip_prefix("errors.") {
            return parse_error_kind(kind).map(|kind| Self::Errors(Some(kind)));
        }
        let (subject, name) = match typed.split_once('.') {
            Some(("connect", name)) => (Subject::Connect, name),
            Some(("handshake", name)) => (Subject::Handshake, name),
            Some(("login", name)) => (Subject::Login, name),
            Some(("ws-handshake", name)) => (Subject::Upgrade, name),
            Some(("lag", name)) => (Subject::Lag, name),
            _ => (Subject::Latency, typed),
        };
        let statistic = match name {
            "min" => Some(Statistic::Min),
            "mean" => Some(Statistic::Mean),
            "max" => Some(Statistic::Max),
            _ => name.strip_prefix('p').and_then(parse_percentile).map(Statistic::Quantile),
        };
        statistic.map(|statistic| Self::Time(subject, statistic)).ok_or_else(|| {
            format!(
                "unknown metric '{typed}'; known are p50 p90 p99 p99.9 (any percentile) min mean max, each also \
                 after connect. handshake. login. or lag., messages lost bytes-lost drains resent errors errors.KIND connects \
                 seconds rate bytes/s; over TLS also resumed truncated; over WebSocket also closes unclosed, and times after ws-handshake.; over UDP also sent late reordered duplicates corrupt unrecognized dropped; of a room also deliveries deliveries/s gaps relay-gaps missing duplicates order wrong-texts foreign"
            )
        })
    }
}

fn parse_error_kind(typed: &str) -> Result<ErrorKind, String> {
    ErrorKind::ALL.into_iter().find(|kind| kind.to_string() == typed).ok_or_else(|| {
        let kinds: Vec<_> = ErrorKind::ALL.iter().map(ToString::to_string).collect();
        format!("unknown kind of error '{typed}'; known are {}", kinds.join(" "))
    })
}

/// Returns the share of a percentile.
fn parse_percentile(typed: &str) -> Option<f64> {
    if !typed.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    typed
        .parse()
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent: f64| percent / 100.0)
}

#[cfg(test)]
mod tests;
