//! Reports for unit tests.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::verdict;
use crate::load::{
    report::{
        document::{ClientCpu, Pacing, Report},
        figures::datagram_counts::DatagramCounts,
        figures::room_figures::RoomFigures,
        time_series::TimeSeries,
    },
    stats::{counters::Stats, histogram::Histogram, series::Series},
};

/// Returns the report of a load over UDP that lost one datagram of a hundred.
pub(crate) fn datagrams(messages: u32, latency_us: u64) -> Report {
    let sent = u64::from(messages) * 100 / 99;
    let mut report = Report {
        lost: Some(sent - u64::from(messages)),
        datagrams: Some(DatagramCounts { sent, ..DatagramCounts::default() }),
        ..report(messages, latency_us)
    };
    verdict::set(&mut report);
    report
}

/// Returns the report of a load of a room with a hundred members.
pub(crate) fn room(messages: u32, figures: RoomFigures) -> Report {
    let deliveries = 100 * u64::from(messages);
    let room = RoomFigures { members: 100, senders: 2, deliveries, ..figures };
    let mut report = Report { room: Some(room), ..report(messages, 300) };
    verdict::set(&mut report);
    report
}

/// Returns the report of a load with this latency in each second.
pub(crate) fn report_over_time(
    messages: u64,
    latencies_us: impl IntoIterator<Item = u64>,
) -> Report {
    let (mut series, mut latency) = (Series::default(), Histogram::default());
    let mut count = 0;
    for latency_us in latencies_us {
        let mut stats = Stats { messages, ..Stats::default() };
        // A tenth of the messages takes longer.
        stats.latency.record_n(Duration::from_micros(latency_us), messages - messages / 10);
        stats.latency.record_n(Duration::from_micros(3 * latency_us), messages / 10);
        latency.merge(&stats.latency);
        series.record(Duration::from_secs(count), &stats, 10);
        count += 1;
    }
    let mut report = report(1, 1);
    report.messages = messages * count;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let (seconds, rate) = (count as f64, messages as f64);
    (report.seconds, report.rate) = (seconds, rate);
    report.latency = latency.into();
    report.series = Some(TimeSeries::new(Timestamp::UNIX_EPOCH, seconds, &series));
    report
}

/// Returns the report of an open loop without errors, one second long, in which each message took
/// `latency_us`.
pub(crate) fn report(messages: u32, latency_us: u64) -> Report {
    let mut latency = Histogram::default();
    (0..messages).for_each(|_| latency.record(Duration::from_micros(latency_us)));
    let mut report = Report {
        pacing: Some(Pacing::OpenLoop),
        messages: messages.into(),
        lost: Some(0),
        unsent: Some(0),
        bytes_lost: Some(0),
        drains: Some(0),
        resent: Some(0),
        bytes_resent: Some(0),
        seconds: 1.0,
        rate: messages.into(),
        bytes_sent: Some(u64::from(messages) * 64),
        bytes_checked: Some(u64::from(messages) * 64),
        bytes_per_second: Some(f64::from(messages) * 64.0),
        connects: Some(10),
        latency: latency.into(),
        connect: Some(Histogram::default().into()),
        lag: Some(Histogram::default().into()),
        errors: Some(BTreeMap::new()),
        client_cpu: Some(ClientCpu {
            seconds: 0.5,
            tls_seconds: None,
            cores: 0.5,
            busiest_process: 0.25,
            machine_cores: 4,
        }),
        ..Report::unknown()
    };
    verdict::set(&mut report);
    report
}
