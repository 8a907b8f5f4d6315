//! The figures of a report that have a name, for those who set conditions on them.
//!
//! Owns the names. Must not know what the figures are compared with.

use std::{fmt, str::FromStr};

use crate::load::{
    report::document::{Datagrams, Report},
    stats::{
        counters::{ErrorKind, Times},
        format,
    },
};

/// A figure of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// Of a histogram, in nanoseconds.
    Time(Subject, Statistic),
    /// Messages that came back.
    Messages,
    /// Messages that did not.
    Lost,
    /// Bytes that did not.
    BytesLost,
    /// Connections that the server ended cleanly.
    Drains,
    /// Messages that were sent again for that.
    Resent,
    /// All errors, or those of a kind.
    Errors(Option<ErrorKind>),
    /// Connections that were made.
    Connects,
    /// How long it was measured.
    Seconds,
    /// Messages a second.
    Rate,
    /// Bytes a second, each way.
    BytesPerSecond,
    /// Of a load over UDP.
    Datagrams(Count),
    /// One of these as a share of all messages that were sent, in percent.
    Share(Box<Self>),
}

/// What is counted of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// That were sent.
    Sent,
    /// That came back after the time limit.
    Late,
    /// That came back behind a later one.
    Reordered,
    /// That came back again.
    Duplicates,
    /// That came back wrong.
    Corrupt,
    /// That were not of this run.
    Strangers,
    /// That the client had no room for.
    Dropped,
}

/// What a histogram is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Messages.
    Latency,
    /// Connections being made.
    Connect,
    /// The client, behind its schedule.
    Lag,
}

/// A figure of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// What this share, from 0 to 1, did not exceed.
    Quantile(f64),
    /// The shortest.
    Min,
    /// The mean.
    Mean,
    /// The longest.
    Max,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// A plain number.
    Number,
}

impl Metric {
    /// What it is counted in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        if matches!(self, Self::Time(..)) { Unit::Time } else { Unit::Number }
    }

    /// A figure of it, as people read it.
    #[must_use]
    pub fn show(&self, figure: f64) -> String {
        match self {
            Self::Time(..) => format::time(whole(figure)),
            Self::Rate => format::rate(figure),
            Self::BytesPerSecond => format::bytes_per_second(figure),
            Self::Seconds => format!("{figure:.2}"),
            Self::Share(_) => format::percents(figure),
            _ => format::count(whole(figure)),
        }
    }

    /// What it comes to in this report, in its unit; `None` if that is not known, as the p99 of no
    /// message at all.
    #[must_use]
    pub fn of(&self, report: &Report) -> Option<f64> {
        match self {
            Self::Time(subject, statistic) => {
                let distribution = match subject {
                    Subject::Latency => Some(&report.latency),
                    Subject::Connect => report.connect.as_ref(),
                    Subject::Lag => report.lag.as_ref(),
                };
                statistic.of(&distribution?.histogram)
            }
            Self::Messages => Some(count(report.messages)),
            Self::Lost => report.lost.map(count),
            Self::BytesLost => report.bytes_lost.map(count),
            Self::Drains => report.drains.map(count),
            Self::Resent => report.resent.map(count),
            Self::Errors(None) => report.errors.as_ref().map(|errors| count(errors.values().sum())),
            Self::Errors(Some(kind)) => {
                report.errors.as_ref().map(|errors| errors.get(kind).copied().map_or(0.0, count))
            }
            Self::Connects => report.connects.map(count),
            Self::Seconds => Some(report.seconds),
            Self::Rate => Some(report.rate),
            Self::BytesPerSecond => report.bytes_per_second,
            Self::Datagrams(of) => report.datagrams.as_ref().map(|all| count(of.of(all))),
            Self::Share(part) => {
                let sent = match &report.datagrams {
                    Some(all) => all.sent,
                    // Of streams, what has not come back is not all counted until it is.
                    None => report.messages + report.lost?,
                };
                (sent > 0).then(|| Some(100.0 * part.of(report)? / count(sent)))?
            }
        }
    }

    /// The same as a share of what was sent, where that has a meaning.
    #[must_use]
    pub fn share(self) -> Option<Self> {
        let is_part = matches!(self, Self::Lost | Self::Datagrams(_));
        is_part.then(|| Self::Share(Box::new(self)))
    }
}

impl Count {
    fn of(self, all: &Datagrams) -> u64 {
        match self {
            Self::Sent => all.sent,
            Self::Late => all.late,
            Self::Reordered => all.reordered,
            Self::Duplicates => all.duplicates,
            Self::Corrupt => all.corrupt,
            Self::Strangers => all.strangers,
            Self::Dropped => all.dropped_by_client,
        }
    }
}

impl Statistic {
    fn of(self, times: &Times) -> Option<f64> {
        let time = match self {
            _ if times.is_empty() => return None,
            Self::Quantile(share) => times.quantile(share),
            Self::Min => times.min(),
            Self::Mean => times.mean(),
            Self::Max => times.max(),
        };
        Some(time.as_secs_f64() * 1e9)
    }
}

/// The names that are not a histogram's.
const NUMBERS: [(&str, Metric); 17] = [
    ("messages", Metric::Messages),
    ("lost", Metric::Lost),
    ("bytes-lost", Metric::BytesLost),
    ("drains", Metric::Drains),
    ("resent", Metric::Resent),
    ("errors", Metric::Errors(None)),
    ("connects", Metric::Connects),
    ("seconds", Metric::Seconds),
    ("rate", Metric::Rate),
    ("bytes/s", Metric::BytesPerSecond),
    ("sent", Metric::Datagrams(Count::Sent)),
    ("late", Metric::Datagrams(Count::Late)),
    ("reordered", Metric::Datagrams(Count::Reordered)),
    ("duplicates", Metric::Datagrams(Count::Duplicates)),
    ("corrupt", Metric::Datagrams(Count::Corrupt)),
    ("strangers", Metric::Datagrams(Count::Strangers)),
    ("dropped", Metric::Datagrams(Count::Dropped)),
];

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(subject, statistic) => {
                f.write_str(match subject {
                    Subject::Latency => "",
                    Subject::Connect => "connect.",
                    Subject::Lag => "lag.",
                })?;
                match statistic {
                    // To a thousandth of a percent; f64 would show 99.9 with its rounding.
                    Statistic::Quantile(share) => {
                        write!(f, "p{}", (share * 100_000.0).round() / 1000.0)
                    }
                    Statistic::Min => f.write_str("min"),
                    Statistic::Mean => f.write_str("mean"),
                    Statistic::Max => f.write_str("max"),
                }
            }
            Self::Errors(Some(kind)) => write!(f, "errors.{kind}"),
            Self::Share(part) => part.fmt(f),
            other => {
                let name = NUMBERS.iter().find(|(_, metric)| metric == other);
                f.write_str(name.map_or("", |(name, _)| name))
            }
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
            let kind = ErrorKind::ALL.into_iter().find(|one| one.to_string() == kind);
            return kind.map(|kind| Self::Errors(Some(kind))).ok_or_else(|| {
                let kinds: Vec<_> = ErrorKind::ALL.iter().map(ToString::to_string).collect();
                format!("no error is of the kind '{typed}'; there are {}", kinds.join(" "))
            });
        }
        let (subject, name) = match typed.split_once('.') {
            Some(("connect", name)) => (Subject::Connect, name),
            Some(("lag", name)) => (Subject::Lag, name),
            _ => (Subject::Latency, typed),
        };
        let statistic = match name {
            "min" => Some(Statistic::Min),
            "mean" => Some(Statistic::Mean),
            "max" => Some(Statistic::Max),
            _ => name.strip_prefix('p').and_then(percent).map(Statistic::Quantile),
        };
        statistic.map(|statistic| Self::Time(subject, statistic)).ok_or_else(|| {
            format!(
                "no figure is named '{typed}'; there are p50 p90 p99 p99.9 (any percentile) min mean \
                 max, connect.p99 and lag.p99 (and so on), messages lost bytes-lost drains resent errors errors.KIND connects \
                 seconds rate bytes/s; over UDP also sent late reordered duplicates corrupt strangers dropped"
            )
        })
    }
}

/// A percentile's share.
fn percent(typed: &str) -> Option<f64> {
    if !typed.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    typed
        .parse()
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent: f64| percent / 100.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures are positive")]
fn whole(figure: f64) -> u64 {
    figure.round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 messages")]
fn count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
