//! Sums of the figures of several loads. Counts saturate: those of files may be anything.

use std::collections::BTreeMap;

use crate::load::{
    report::{
        document::{ClientCpu, ReceiptFigures, Report, TlsFigures, WebSocketFigures},
        figures::{
            datagram_counts::DatagramCounts, fault_figures::FaultFigures, room_figures::RoomFigures,
        },
    },
    stats::{error_kind::ErrorKind, histogram::Histogram, rate::per_second},
};

/// Returns the sum, if all numbers are known.
pub(super) fn sum(mut numbers: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    numbers.try_fold(0_u64, |sum, number| Some(sum.saturating_add(number?)))
}

pub(super) fn sum_errors<'e>(
    mut all: impl Iterator<Item = Option<&'e BTreeMap<ErrorKind, u64>>>,
) -> Option<BTreeMap<ErrorKind, u64>> {
    all.try_fold(BTreeMap::new(), |mut sum: BTreeMap<_, u64>, errors| {
        for (kind, count) in errors? {
            let sum = sum.entry(*kind).or_default();
            *sum = sum.saturating_add(*count);
        }
        Some(sum)
    })
}

pub(super) fn sum_datagrams(
    mut all: impl Iterator<Item = Option<DatagramCounts>>,
) -> Option<DatagramCounts> {
    let first = all.next()??;
    all.try_fold(first, |sum, counts| {
        let counts = counts?;
        Some(DatagramCounts {
            sent: sum.sent.saturating_add(counts.sent),
            late: sum.late.saturating_add(counts.late),
            reordered: sum.reordered.saturating_add(counts.reordered),
            duplicates: sum.duplicates.saturating_add(counts.duplicates),
            corrupt: sum.corrupt.saturating_add(counts.corrupt),
            unrecognized: sum.unrecognized.saturating_add(counts.unrecognized),
            dropped_by_client: sum.dropped_by_client.saturating_add(counts.dropped_by_client),
            ..sum
        })
    })
}

pub(super) fn sum_receipts(
    mut all: impl Iterator<Item = Option<ReceiptFigures>>,
) -> Option<ReceiptFigures> {
    all.try_fold(ReceiptFigures::default(), |sum, figures| {
        let figures = figures?;
        Some(ReceiptFigures {
            compared: sum.compared.saturating_add(figures.compared),
            equal: sum.equal.saturating_add(figures.equal),
            missing: sum.missing.saturating_add(figures.missing),
            bytes_lost_to_server: sum
                .bytes_lost_to_server
                .saturating_add(figures.bytes_lost_to_server),
            bytes_added_to_server: sum
                .bytes_added_to_server
                .saturating_add(figures.bytes_added_to_server),
            bytes_unread_by_server: sum
                .bytes_unread_by_server
                .saturating_add(figures.bytes_unread_by_server),
            bytes_lost_back: sum.bytes_lost_back.saturating_add(figures.bytes_lost_back),
            bytes_added_back: sum.bytes_added_back.saturating_add(figures.bytes_added_back),
        })
    })
}

/// Returns the sum of the figures of several loads of a room, each with its own members.
pub(super) fn sum_rooms(
    mut all: impl Iterator<Item = Option<RoomFigures>>,
    seconds: f64,
) -> Option<RoomFigures> {
    let first = all.next()??;
    let sum = all.try_fold(first, |sum, room| {
        let room = room?;
        Some(RoomFigures {
            members: sum.members.saturating_add(room.members),
            senders: sum.senders.saturating_add(room.senders),
            deliveries: sum.deliveries.saturating_add(room.deliveries),
            deliveries_per_second: 0.0,
            gaps: sum.gaps.saturating_add(room.gaps),
            relay_gaps: sum.relay_gaps.saturating_add(room.relay_gaps),
            missing: sum.missing.saturating_add(room.missing),
            duplicates: sum.duplicates.saturating_add(room.duplicates),
            order_violations: sum.order_violations.saturating_add(room.order_violations),
            wrong_texts: sum.wrong_texts.saturating_add(room.wrong_texts),
            foreign: sum.foreign.saturating_add(room.foreign),
        })
    })?;
    Some(RoomFigures { deliveries_per_second: per_second(sum.deliveries, seconds), ..sum })
}

pub(super) fn sum_websockets<'w>(
    all: impl Iterator<Item = Option<&'w WebSocketFigures>>,
) -> Option<WebSocketFigures> {
    let (mut handshake, mut closes, mut unclosed) = (Histogram::default(), 0_u64, 0_u64);
    for figures in all {
        let figures = figures?;
        handshake.merge(&figures.handshake.histogram);
        closes = closes.saturating_add(figures.closes);
        unclosed = unclosed.saturating_add(figures.unclosed);
    }
    Some(WebSocketFigures { handshake: handshake.into(), closes, unclosed })
}

pub(super) fn sum_tls<'t>(all: impl Iterator<Item = Option<&'t TlsFigures>>) -> Option<TlsFigures> {
    let (mut handshake, mut resumed, mut truncated) = (Histogram::default(), 0_u64, 0_u64);
    for tls in all {
        let tls = tls?;
        handshake.merge(&tls.handshake.histogram);
        resumed = resumed.saturating_add(tls.resumed);
        truncated = truncated.saturating_add(tls.truncated);
    }
    Some(TlsFigures { handshake: handshake.into(), resumed, truncated })
}

pub(super) fn sum_cpu(mut all: impl Iterator<Item = Option<ClientCpu>>) -> Option<ClientCpu> {
    let first = all.next()??;
    all.try_fold(first, |sum, cpu| {
        let cpu = cpu?;
        Some(ClientCpu {
            seconds: sum.seconds + cpu.seconds,
            tls_seconds: sum.tls_seconds.zip(cpu.tls_seconds).map(|(one, other)| one + other),
            cores: sum.cores + cpu.cores,
            busiest_process: sum.busiest_process.max(cpu.busiest_process),
            machine_cores: sum.machine_cores.saturating_add(cpu.machine_cores),
        })
    })
}

/// Returns the sum of comparisons with faults. The median and the 99th percentile of a sum are unknown: the greatest are the bound.
pub(super) fn sum_faults(reports: &[(String, Report)]) -> Option<FaultFigures> {
    let mut sum = FaultFigures::default();
    for (file, report) in reports {
        sum.merge(report.injected_faults.as_ref()?, file);
    }
    Some(sum)
}
