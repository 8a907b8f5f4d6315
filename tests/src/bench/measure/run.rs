//! One run: a server, a load, and the values measured meanwhile.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rustix::process::{Resource, getrlimit};
use serde_json::Value;

use super::{
    load::{Load, Shape, figure},
    server::{Server, Speech},
    tls,
    usage::{as_f64, machine_busy},
};
use crate::{
    candidate::Candidate,
    case::{
        ACTIVE, ACTIVE_SIZE, Case, DATAGRAM_SIZE, FEW_IDLE, Kind, MEMBERS, ROOM_DEPTH, ROOM_SIZE,
        Room, STREAM_DEPTH, STREAM_SIZE, WARM_UP, WEBSOCKET_IDLE,
    },
    metric::Metric,
    results::Run,
};

/// Number of descriptors that a server needs besides those of connections, with a reserve.
const SPARE_DESCRIPTORS: usize = 500;

/// Time until memory is stable and can be measured.
const SETTLE: Duration = Duration::from_millis(200);

/// Load of the active connections beside others.
const BESIDE: Shape = Shape {
    mode: "echo",
    connections: ACTIVE,
    size: ACTIVE_SIZE,
    depth: 1,
    rate: None,
    layer: None,
    udp: false,
    room: None,
    warm_up: WARM_UP,
};

/// Settings of every run.
pub(crate) struct Settings {
    /// Number of threads of a server.
    pub threads: usize,
    /// Duration of a measurement.
    pub duration: Duration,
    /// Messages per second of an open loop.
    pub rate: Option<u32>,
}

impl Settings {
    pub(crate) fn run(&self, case: &Case, candidate: Candidate) -> anyhow::Result<Run> {
        if case.kind.is_tls() {
            return tls::run(case.kind, candidate, self.threads, self.duration);
        }
        let speech = match case.kind {
            Kind::WebSocket { .. } | Kind::WebSocketIdle => Speech::WebSocket,
            Kind::Http { .. } => Speech::Http,
            Kind::Room(Room { lines, .. }) => Speech::Room { lines },
            Kind::Datagrams { .. } => Speech::Udp,
            _ => Speech::Plain,
        };
        let layer = speech.layer();
        let server = Server::start(candidate, self.threads, speech)?;
        let mut run = Run::new();
        let messages = match case.kind {
            _ if let Some(shape) = shape(case.kind, layer, self.rate) => {
                let load = Load::start(server.port, shape, self.duration)?;
                measure(&server, &mut [load], &mut run)?
            }
            Kind::Processes(processes) => self.processes(processes, &server, &mut run)?,
            Kind::Room(room) => self.room(room, candidate, &server, &mut run)?,
            Kind::Idle => self.idle(&server, &mut run)?,
            Kind::WebSocketIdle => self.idle_websockets(&server, &mut run)?,
            Kind::Fairness => self.fairness(&server, &mut run)?,
            _ => unreachable!("it has run above"),
        };
        if candidate == Candidate::OursLogged {
            let records = server.count_message_records()?;
            ensure!(
                records >= 2 * messages,
                "the log has {records} records of {messages} messages, fewer than two per message"
            );
        }
        Ok(run)
    }

    /// Measures loads of one connection each.
    fn processes(&self, processes: usize, server: &Server, run: &mut Run) -> anyhow::Result<u64> {
        // The processes start one after the other, so a warm-up would not be simultaneous.
        let alone = Shape { connections: 1, warm_up: Duration::ZERO, ..BESIDE };
        let mut loads = (0..processes)
            .map(|_| Load::start(server.port, alone, self.duration))
            .collect::<anyhow::Result<Vec<_>>>()?;
        measure(server, &mut loads, run)
    }

    /// Measures a room.
    fn room(
        &self,
        room: Room,
        candidate: Candidate,
        server: &Server,
        run: &mut Run,
    ) -> anyhow::Result<u64> {
        let shape = Shape {
            mode: "fan-out",
            connections: MEMBERS,
            size: ROOM_SIZE,
            depth: ROOM_DEPTH,
            room: Some((room, candidate.wire(room))),
            ..BESIDE
        };
        let load = Load::start(server.port, shape, self.duration)?;
        measure(server, &mut [load], run)
    }

    /// Measures memory with few and with many idle connections, then active connections beside the many.
    fn idle(&self, server: &Server, run: &mut Run) -> anyhow::Result<u64> {
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let max = usize::try_from(limit)?.min(1_000_000);
        ensure!(
            max > 2 * FEW_IDLE + SPARE_DESCRIPTORS,
            "the descriptor limit of {limit} is too low for this case"
        );
        let more = max - SPARE_DESCRIPTORS - ACTIVE - FEW_IDLE;
        let _idle = self.open_idle(server, BESIDE, more, run)?;
        let load = Load::start(server.port, BESIDE, self.duration)?;
        measure(server, &mut [load], run)
    }

    /// Measures memory with few and with many idle WebSocket connections. Returns the number of messages.
    fn idle_websockets(&self, server: &Server, run: &mut Run) -> anyhow::Result<u64> {
        let shape = Shape { layer: Speech::WebSocket.layer(), ..BESIDE };
        let _idle = self.open_idle(server, shape, WEBSOCKET_IDLE, run)?;
        run.insert(Metric::Peak, as_f64(server.memory_kib("VmHWM")?) / 1024.0);
        Ok((FEW_IDLE + WEBSOCKET_IDLE) as u64)
    }

    /// Opens few idle connections, then `more`, and measures the memory of each of these.
    fn open_idle(
        &self,
        server: &Server,
        shape: Shape,
        more: usize,
        run: &mut Run,
    ) -> anyhow::Result<[Load; 2]> {
        let idle = |connections| {
            Load::start(server.port, Shape { mode: "idle", connections, ..shape }, self.duration)
        };
        let few = idle(FEW_IDLE)?;
        thread::sleep(SETTLE);
        let before = server.memory_kib("VmRSS")?;
        let many = idle(more)?;
        thread::sleep(SETTLE);
        let after = server.memory_kib("VmRSS")?;
        let grown = as_f64(after.saturating_sub(before)) * 1024.0;
        run.insert(Metric::IdleBytes, grown / as_f64(more as u64));
        run.insert(Metric::IdleConnections, as_f64((FEW_IDLE + more) as u64));
        Ok([few, many])
    }

    /// Measures interactive clients beside one streaming client per worker.
    fn fairness(&self, server: &Server, run: &mut Run) -> anyhow::Result<u64> {
        let shape = Shape {
            connections: self.threads,
            size: STREAM_SIZE,
            depth: STREAM_DEPTH,
            // The streams must not have bytes in flight before the measurement.
            warm_up: Duration::ZERO,
            ..BESIDE
        };
        // The streams start before the measurement and end after it.
        let mut streams = Load::start(server.port, shape, self.duration + 2 * WARM_UP)?;
        let load = Load::start(server.port, BESIDE, self.duration)?;
        streams.begin()?;
        // The warm-up of the streams: no event marks a steady flow.
        thread::sleep(WARM_UP);
        let messages = measure(server, &mut [load], run)?;
        let streamed = figure(&streams.report()?, "/rate")? * as_f64(STREAM_SIZE as u64);
        run.insert(Metric::Streamed, streamed / 1e6);
        // The processor time of messages cannot be separated from that of the streams.
        for metric in [Metric::Cpu, Metric::UserCpu, Metric::SystemCpu, Metric::Others] {
            run.remove(&metric);
        }
        Ok(messages)
    }
}

/// Returns the load of a case that is measured as a whole.
fn shape(kind: Kind, layer: Option<&'static str>, rate: Option<u32>) -> Option<Shape> {
    Some(match kind {
        Kind::OpenLoop { .. } => Shape { rate, ..BESIDE },
        Kind::Echo { connections, size, depth } => Shape { connections, size, depth, ..BESIDE },
        Kind::WebSocket { connections, size } | Kind::Http { connections, size } => {
            Shape { connections, size, layer, ..BESIDE }
        }
        Kind::Churn { connections, size } => Shape { mode: "churn", connections, size, ..BESIDE },
        Kind::Datagrams { sockets, depth } => {
            Shape { connections: sockets, size: DATAGRAM_SIZE, depth, udp: true, ..BESIDE }
        }
        _ => return None,
    })
}

/// Runs loads, and measures the server before and after. Returns the number of messages including those of the warm-up.
fn measure(server: &Server, loads: &mut [Load], run: &mut Run) -> anyhow::Result<u64> {
    let (start, busy) = (Instant::now(), machine_busy()?);
    let before = server.usage()?;
    loads.iter_mut().try_for_each(Load::begin)?;
    let reports = loads.iter_mut().map(Load::report).collect::<anyhow::Result<Vec<_>>>()?;
    let sum = |pointer| {
        let figures = reports.iter().map(|report| figure(report, pointer));
        figures.sum::<anyhow::Result<f64>>()
    };
    let cpu = server.usage()?.since(&before);
    let busy = machine_busy()? - busy;
    let seconds = start.elapsed().as_secs_f64();

    let peak = as_f64(server.memory_kib("VmHWM")?) / 1024.0;
    let messages = sum("/messages")?;
    ensure!(messages > 0.0, "no message has returned");
    let client = sum("/client_cpu/seconds")?;
    let cores = as_f64(thread::available_parallelism()?.get() as u64);
    let others = (busy - client - cpu.total()).max(0.0) / (seconds * cores);
    for (metric, value) in [
        (Metric::Rate, sum("/rate")?),
        (Metric::Cpu, cpu.total() / messages * 1e6),
        (Metric::UserCpu, cpu.user / messages * 1e6),
        (Metric::SystemCpu, cpu.system / messages * 1e6),
        (Metric::Others, others * 100.0),
        (Metric::Peak, peak),
    ] {
        run.insert(metric, value);
    }
    for (metric, pointer) in [
        (Metric::P50, "/latency_seconds/p50"),
        (Metric::P99, "/latency_seconds/p99"),
        (Metric::P999, "/latency_seconds/p99_9"),
    ] {
        // Percentiles of several reports cannot be combined.
        if let [report] = &reports[..]
            && let Ok(seconds) = figure(report, pointer)
        {
            run.insert(metric, seconds * 1e6);
        }
    }
    let counts =
        reports.iter().map(|report| report.pointer("/messages_in_all").and_then(Value::as_u64));
    counts.sum::<Option<u64>>().context("the report has no /messages_in_all")
}
