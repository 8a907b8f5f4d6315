//! What a load has counted: by one process since its last report, by all of them in a run, by
//! several runs on several machines. They add up, without loss.

use std::{collections::BTreeMap, fmt, sync::LazyLock, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer as _, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};

/// Everything that is counted. Times are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Messages that came back, every byte as it was sent. Those of the warm-up are not counted.
    pub messages: u64,
    /// Messages of which the socket had taken something when their connection failed, and that had not
    /// come back; warm-up included.
    pub lost: u64,
    /// Bytes of which the same is true.
    pub bytes_lost: u64,
    /// Connections that the server ended cleanly, and that were made anew.
    pub drains: u64,
    /// Messages that had been under way then, nothing of whose echo came any more, and that were sent
    /// again.
    pub resent: u64,
    /// Bytes of them that the server had been sent.
    pub bytes_resent: u64,
    /// Bytes given to the sockets, warm-up included.
    pub bytes_sent: u64,
    /// Bytes that came back right, warm-up included.
    pub bytes_checked: u64,
    /// Connections that were made; sockets for datagrams.
    pub connects: u64,
    /// What became of datagrams.
    #[serde(skip_serializing_if = "Datagrams::is_empty")]
    pub datagrams: Datagrams,
    /// What went wrong, by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// The first differences between what was sent and what came back, explained; a few of each
    /// process.
    pub faults: Vec<Fault>,
    /// How long messages took to come back: in a closed loop from the moment at which they were
    /// sent, in an open loop from the moment at which they were due.
    #[serde(skip_serializing_if = "Times::is_empty")]
    pub latency: Times,
    /// How long connections took to be made.
    #[serde(skip_serializing_if = "Times::is_empty")]
    pub connect: Times,
    /// Open loop: how long after the moment at which it was due a message was sent.
    #[serde(skip_serializing_if = "Times::is_empty")]
    pub lag: Times,
}

/// What became of datagrams, besides those that came back in time. Without those of the warm-up, but for
/// what cannot be told of one that comes: when it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Datagrams {
    /// That were given to the sockets.
    pub sent: u64,
    /// That were not back within the time limit. One that came later is among those that are late too.
    pub given_up: u64,
    /// That came back when they had been given up.
    pub late: u64,
    /// That came back behind one with a higher number of the same socket (RFC 4737).
    pub reordered: u64,
    /// Copies of one that had come back; warm-up included.
    pub duplicates: u64,
    /// That came, and were nothing of this run; warm-up included.
    pub strangers: u64,
    /// That reached this machine, and were thrown away for want of room in the receiving socket; warm-up
    /// included.
    pub dropped: u64,
}

impl Datagrams {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.given_up += other.given_up;
        self.late += other.late;
        self.reordered += other.reordered;
        self.duplicates += other.duplicates;
        self.strangers += other.strangers;
        self.dropped += other.dropped;
    }
}

/// What can go wrong with a connection of the load.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// It could not be made.
    Connect,
    /// The peer reset it, or the system did.
    Reset,
    /// The peer ended it while it owed bytes.
    Closed,
    /// Bytes were owed, and none came for the time limit.
    Timeout,
    /// Other bytes came back than were sent.
    WrongBytes,
    /// Datagrams cannot get there: nobody listens, or there is no way (ICMP, RFC 792).
    Unreachable,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Connect,
        Self::Reset,
        Self::Closed,
        Self::Timeout,
        Self::WrongBytes,
        Self::Unreachable,
    ];
}

impl fmt::Display for ErrorKind {
    /// Its name, as it is in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::WrongBytes => "wrong-bytes",
            Self::Unreachable => "unreachable",
        })
    }
}

/// A difference between what was sent and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Fault {
    /// The connection's number in the run; the first is 0.
    pub connection: u64,
    /// The offset in its stream, or in its datagram, at which the difference begins; the first byte's is
    /// 0.
    pub offset: u64,
    /// What it is.
    pub kind: FaultKind,
    /// A sentence that says what was expected, what came, and whose it is.
    pub text: String,
}

/// What became of the bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Bytes of another connection came.
    Foreign,
    /// Bytes came again that had come before.
    Repeated,
    /// Bytes did not come; the ones after them did.
    Skipped,
    /// Later bytes came first, then the ones before them.
    Reordered,
    /// Bytes came that nobody had sent.
    Damaged,
}

impl Tally {
    /// The most faults that one tally holds: the first say what is wrong, the others say it again.
    pub const MAX_FAULTS: usize = 16;

    /// Counts one more error.
    pub fn error(&mut self, kind: ErrorKind) {
        *self.errors.entry(kind).or_default() += 1;
    }

    /// All errors, of whatever kind.
    #[must_use]
    pub fn all_errors(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds what another process, or another run, has counted.
    pub fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.bytes_lost += other.bytes_lost;
        self.drains += other.drains;
        self.resent += other.resent;
        self.bytes_resent += other.bytes_resent;
        self.bytes_sent += other.bytes_sent;
        self.bytes_checked += other.bytes_checked;
        self.connects += other.connects;
        self.datagrams.add(&other.datagrams);
        for (kind, count) in &other.errors {
            *self.errors.entry(*kind).or_default() += count;
        }
        let room = Self::MAX_FAULTS.saturating_sub(self.faults.len());
        self.faults.extend(other.faults.iter().take(room).cloned());
        self.latency.add(&other.latency);
        self.connect.add(&other.connect);
        self.lag.add(&other.lag);
    }
}

/// A histogram of times: nanoseconds, three significant digits, up to [`Times::MAX`].
///
/// As text it is an HDR histogram (V2, compressed) in base64: the form of the HDR log format.
///
/// ```ignore
/// use client::load::stats::counters::Times;
/// use std::time::Duration;
/// let mut times = Times::default();
/// times.record(Duration::from_micros(120));
/// let quantile = times.quantile(0.99);
/// assert!(quantile.abs_diff(Duration::from_micros(120)) < Duration::from_micros(1));
/// ```ignore
#[derive(Clone, Default, PartialEq)]
pub struct Times(Option<Histogram<u64>>);

/// What [`Times`] without a histogram show: a histogram is some hundred kilobytes, and most of those in
/// a report of a moment hold nothing.
static NONE: LazyLock<Histogram<u64>> = LazyLock::new(empty);

fn empty() -> Histogram<u64> {
    let most = u64::try_from(Times::MAX.as_nanos()).expect("an hour is 3.6e12 ns");
    Histogram::new_with_bounds(1, most, 3).expect("constants that hdrhistogram allows")
}

impl fmt::Debug for Times {
    /// What it comes to: its buckets are tens of thousands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, min, max) = (self.len(), self.min(), self.max());
        write!(f, "{count} times from {min:?} to {max:?}")
    }
}

impl Times {
    /// The longest time that is told apart from longer ones.
    pub const MAX: Duration = Duration::from_hours(1);

    /// Counts a time.
    pub fn record(&mut self, time: Duration) {
        self.record_n(time, 1);
    }

    /// Counts a time so many times.
    pub fn record_n(&mut self, time: Duration, times: u64) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.get_or_insert_with(empty).saturating_record_n(nanos, times);
    }

    /// Adds what another has counted.
    ///
    /// # Panics
    ///
    /// Never: all have the same bounds.
    pub fn add(&mut self, other: &Self) {
        if let Some(other) = &other.0 {
            self.0.get_or_insert_with(empty).add(other).expect("both have the same bounds");
        }
    }

    /// How many times were counted.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.histogram().len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.histogram().is_empty()
    }

    /// The time that this share of them, from 0 to 1, did not exceed; zero if there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.histogram().value_at_quantile(share))
    }

    /// The longest; zero if there are none.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.histogram().max())
    }

    /// The shortest; zero if there are none.
    #[must_use]
    pub fn min(&self) -> Duration {
        Duration::from_nanos(self.histogram().min())
    }

    /// The mean; zero if there are none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.histogram().mean() / 1e9)
    }

    /// For those who draw it, or write it in another form.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        self.0.as_ref().unwrap_or(&NONE)
    }
}

impl From<Histogram<u64>> for Times {
    /// Takes over a histogram with whatever bounds; times over [`Times::MAX`] count as that.
    fn from(histogram: Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let bounds = |of: &Histogram<u64>| (of.low(), of.high(), of.sigfig());
        if bounds(&histogram) == bounds(&NONE) {
            return Self(Some(histogram));
        }
        let mut times = empty();
        for value in histogram.iter_recorded() {
            let nanos = value.value_iterated_to().clamp(1, times.high());
            times.record_n(nanos, value.count_at_value()).expect("clamped to the bounds");
        }
        Self(Some(times))
    }
}

impl Serialize for Times {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(self.histogram(), &mut bytes)
            .map_err(serde::ser::Error::custom)?;
        to.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wrong = serde::de::Error::custom;
        let bytes = STANDARD.decode(String::deserialize(from)?).map_err(wrong)?;
        let histogram: Histogram<u64> =
            Deserializer::new().deserialize(&mut &bytes[..]).map_err(serde::de::Error::custom)?;
        Ok(histogram.into())
    }
}

#[cfg(test)]
mod tests;
