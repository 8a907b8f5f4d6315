//! Construction of a report from a plan and its outcome.

use super::{
    coordinator::process_pool::{Outcome, Start},
    evaluate::verdict,
    host::{clock::boot_id, cpu::cores},
    ipc::worker_config::{Framing, Pace, RoomConfig, Stop},
    plan::job::Plan,
    report::{
        distribution::Distribution,
        document::{ClientCpu, Pacing, ReceiptFigures, Report, TlsFigures, WebSocketFigures},
        figures::{
            datagram_counts::DatagramCounts,
            fault_figures::FaultFigures,
            room_figures::RoomFigures,
            start_figures::{ClockFigures, StartFigures},
        },
        load_spec::{LoadSpec, RoomSpec},
        time_series::TimeSeries,
    },
    stats::{
        counters::{DatagramStats, Stats},
        error_kind::ErrorKind,
        format::plural,
        rate::per_second,
        receipt_stats::ReceiptStats,
        room_stats::RoomStats,
    },
    worker::io::socket::RECEIVE_BUFFER,
};
use crate::net::{sign::Sign, target::Target};
use common::receipt::NoReceipt;

/// Builds the report of a load, which has found these faults. `receive_buffer` is the granted size of a socket's receive buffer, for a
/// load over UDP.
pub(super) fn build_report(
    target: &Target,
    plan: &Plan,
    outcome: Outcome,
    receive_buffer: Option<usize>,
    injected_faults: Option<FaultFigures>,
) -> Report {
    let seconds = measured_seconds(plan, &outcome);
    let client_cpu = client_cpu(target, &outcome);
    let series = time_series(plan, &outcome, seconds);
    let start = outcome.start.map(|start| start_figures(plan, start));
    let Outcome { stats, failed_processes, stopped_early, .. } = outcome;
    let datagrams = receive_buffer.map(|granted| datagram_counts(&stats, granted));
    let lost = datagrams.map_or(stats.lost, |_| stats.datagrams.lost());
    let remark = remark(&stats, target);
    let (tls, login, websocket) = layers(&stats, target);
    let is_open = plan.rate().is_some();
    let report = Report {
        stopped_early,
        plan: Some(load_spec(target, plan)),
        start,
        pacing: Some(if is_open { Pacing::OpenLoop } else { Pacing::ClosedLoop }),
        messages: stats.messages,
        lost: Some(lost),
        unsent: Some(stats.unsent),
        bytes_lost: Some(stats.bytes_lost),
        drains: Some(stats.drains),
        resent: Some(stats.resent),
        bytes_resent: Some(stats.bytes_resent),
        seconds,
        rate: per_second(stats.messages, seconds),
        bytes_sent: Some(stats.bytes_sent),
        bytes_checked: Some(stats.bytes_checked),
        bytes_per_second: Some(per_second(
            stats.bytes_checked,
            plan.warmup.as_secs_f64() + seconds,
        )),
        connects: Some(stats.connects),
        latency: stats.latency.into(),
        connect: datagrams.is_none().then(|| Distribution::from(stats.connect)),
        tls,
        login,
        websocket,
        lag: is_open.then(|| Distribution::from(stats.lag)),
        series,
        datagrams,
        room: plan.room.as_ref().map(|room| room_figures(plan, room, &stats.room, seconds)),
        receipts: plan.expects_receipt.then(|| receipt_figures(&stats.receipts)),
        errors: Some(stats.errors),
        injected_faults,
        faults: stats.faults,
        failed_processes,
        client_cpu,
        ..Report::unknown()
    };
    with_verdict(report, remark)
}

fn room_figures(plan: &Plan, room: &RoomConfig, stats: &RoomStats, seconds: f64) -> RoomFigures {
    RoomFigures {
        members: plan.total_connections(),
        senders: room.senders.into(),
        deliveries: stats.deliveries,
        deliveries_per_second: per_second(stats.deliveries, seconds),
        gaps: stats.told,
        relay_gaps: stats.relay_told,
        missing: stats.missing,
        duplicates: stats.duplicates,
        order_violations: stats.order,
        wrong_texts: stats.wrong_texts,
        foreign: stats.foreign,
    }
}

fn receipt_figures(stats: &ReceiptStats) -> ReceiptFigures {
    ReceiptFigures {
        compared: stats.compared,
        equal: stats.equal,
        missing: stats.missing,
        bytes_lost_to_server: stats.lost_to_server,
        bytes_added_to_server: stats.added_to_server,
        bytes_unread_by_server: stats.unread,
        bytes_lost_back: stats.lost_back,
        bytes_added_back: stats.added_back,
    }
}

/// Returns the figures of TLS, of logins and of WebSocket.
fn layers(
    stats: &Stats,
    target: &Target,
) -> (Option<TlsFigures>, Option<Distribution>, Option<WebSocketFigures>) {
    let tls = target.tls.as_ref().map(|_| TlsFigures {
        handshake: stats.handshake.clone().into(),
        resumed: stats.resumed,
        truncated: stats.truncated,
    });
    let websocket = target.websocket.as_ref().map(|_| WebSocketFigures {
        handshake: stats.upgrade.clone().into(),
        closes: stats.closes,
        unclosed: stats.unclosed,
    });
    let login = target.login.as_ref().map(|_| stats.login.clone().into());
    (tls, login, websocket)
}

fn with_verdict(mut report: Report, remark: Option<String>) -> Report {
    verdict::set(&mut report);
    if let Some(remark) = remark {
        report.reason = format!("{}; {remark}", report.reason);
    }
    report
}

/// Returns what explains errors of TLS, of a login and of WebSocket, of a server that expects another protocol or a login, or of
/// connections that the server ended before the start.
fn remark(stats: &Stats, target: &Target) -> Option<String> {
    if stats.error_count() == 0 {
        return None;
    }
    let text = |layer: &str, failure: &str| format!("{layer}: {}", failure.replace('\n', ". "));
    if let Some(failure) = &stats.room_failure {
        return Some(text("room", failure));
    }
    match (&stats.tls_failure, &stats.login_failure, &stats.websocket_failure) {
        (Some(failure), ..) => Some(text("TLS", failure)),
        (None, Some(failure), _) => Some(text("login", failure)),
        (None, None, Some(failure)) => Some(text("WebSocket", failure)),
        (None, None, None) => {
            receipt_remark(&stats.receipts).or_else(|| match (stats.ended_early, sign(stats)) {
                (early @ 1.., None | Some(Sign::NoAnswer)) => Some(ended_early(early)),
                (_, sign) => target.tip(sign?, target.tls.is_some()),
            })
        }
    }
}

/// Returns the remark that the server ended this many connections before the start.
fn ended_early(connections: u64) -> String {
    format!(
        "the server ended {} before the start, as an idle timeout does",
        plural(connections, "connection")
    )
}

/// Returns what the receipts show, if it is not that both ends have the same bytes.
fn receipt_remark(receipts: &ReceiptStats) -> Option<String> {
    let is_missing = receipts.missing > 0 && receipts.compared == 0;
    receipts.difference.clone().or_else(|| is_missing.then(|| NoReceipt::Missing.to_string()))
}

/// Returns the sign that a server expects another protocol: an alert, a response of HTTP, a demand for a login, or no byte of an answer on any
/// connection before it ended.
fn sign(stats: &Stats) -> Option<Sign> {
    let has_ended =
        |kind| stats.errors.get(&kind).is_some_and(|&count| count > 0 && stats.bytes_checked == 0);
    if stats.tls_alerts > 0 {
        Some(Sign::TlsAlert)
    } else if stats.http_answers > 0 {
        Some(Sign::Http)
    } else if stats.login_demands > 0 {
        Some(Sign::Login)
    } else if has_ended(ErrorKind::Closed) || has_ended(ErrorKind::Reset) {
        Some(Sign::NoAnswer)
    } else {
        None
    }
}

fn load_spec(target: &Target, plan: &Plan) -> LoadSpec {
    let (duration_seconds, messages) = match plan.stop {
        Stop::After(time) => (Some(time.as_secs_f64()), None),
        Stop::Messages(messages) => (None, Some(messages)),
    };
    let (pipeline, rate) = match plan.pace {
        Pace::Depth(depth) => (Some(depth), None),
        Pace::Rate(rate) => (None, Some(rate)),
    };
    LoadSpec {
        server: target.to_string(),
        processes: plan.processes,
        connections: plan.connections,
        duration_seconds,
        messages,
        min_size: plan.sizes.min,
        max_size: plan.sizes.max,
        pipeline,
        rate,
        churn: plan.churn,
        expect_restart: plan.expect_restart,
        warmup_seconds: plan.warmup.as_secs_f64(),
        timeout_seconds: target.timeout.as_secs_f64(),
        seed: plan.seed,
        room: plan.room.as_ref().map(|room| RoomSpec {
            senders: room.senders,
            name: room.name.clone(),
            is_text: room.framing == Framing::Text,
        }),
    }
}

fn start_figures(plan: &Plan, start: Start) -> StartFigures {
    let late = plan.start_at.map(|requested| requested.duration_until(start.time));
    StartFigures {
        requested: plan.start_at,
        actual: start.time,
        late_ns: late.map(|late| late.as_nanos().try_into().unwrap_or(0)),
        is_overdue: start.is_overdue,
        clock: start.clock.map(|clock| ClockFigures {
            is_synchronized: clock.is_synchronized,
            offset_ns: clock.offset_ns,
            estimated_error_ns: clock.estimated_error_ns,
            max_error_ns: clock.max_error_ns,
            boot_id: boot_id(),
        }),
    }
}

fn measured_seconds(plan: &Plan, outcome: &Outcome) -> f64 {
    let is_complete = !outcome.stopped_early
        && outcome.stats.errors.is_empty()
        && outcome.failed_processes.is_empty();
    match plan.stop {
        // A complete load is measured to the end, even if the last message returned before.
        Stop::After(time) if is_complete => outcome.measured.max(time),
        _ => outcome.measured,
    }
    .as_secs_f64()
}

/// Returns the time series of the load; `None` if it ended in the warm-up.
fn time_series(plan: &Plan, outcome: &Outcome, seconds: f64) -> Option<TimeSeries> {
    let start = outcome.start?.time.checked_add(plan.warmup).ok()?;
    let has_intervals = !outcome.series.intervals().is_empty();
    has_intervals.then(|| TimeSeries::new(start, seconds, &outcome.series))
}

fn client_cpu(target: &Target, outcome: &Outcome) -> Option<ClientCpu> {
    let machine_cores = cores();
    (outcome.busiest_process > 0.0).then(|| ClientCpu {
        seconds: outcome.cpu.as_secs_f64(),
        tls_seconds: target.tls.as_ref().map(|_| outcome.tls_cpu.as_secs_f64()),
        // The processes did not all work in the same time.
        cores: outcome.cores.min(machine_cores.into()),
        busiest_process: outcome.busiest_process,
        machine_cores,
    })
}

fn datagram_counts(stats: &Stats, receive_buffer: usize) -> DatagramCounts {
    let DatagramStats { sent, late, reordered, duplicates, unrecognized, dropped, .. } =
        stats.datagrams;
    DatagramCounts {
        sent,
        late,
        reordered,
        duplicates,
        corrupt: stats.errors.get(&ErrorKind::WrongBytes).copied().unwrap_or(0),
        unrecognized,
        dropped_by_client: dropped,
        receive_buffer_requested_bytes: RECEIVE_BUFFER as u64,
        receive_buffer_granted_bytes: receive_buffer as u64,
    }
}
