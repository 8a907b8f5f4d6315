//! The cases over TLS.
//!
//! `echo-client load` generates the load. It starts to measure by itself, so the processor time of the server is that of a
//! part of the measured time, in which the load is steady. It is divided by the number of messages at the measured rate.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::Value;
use tests::{net::TestCa, system::tcp};

use super::{
    load::figure,
    server::{Server, Speech},
    tls_load::{TlsLoad, TlsShape, Traffic},
    usage::{as_f64, machine_busy},
};
use crate::{
    candidate::Candidate,
    case::{ACTIVE, BESIDE_FLOOD_RATE, Kind, TLS_FEW_IDLE, TLS_IDLE},
    metric::Metric,
    results::Run,
};

/// Duration of the warm-up: the start of the processes, and the handshakes.
const WARM_UP: Duration = Duration::from_millis(500);

/// Time between the end of the warm-up and the first look at the server, and between the last one and the end.
const MARGIN: Duration = Duration::from_millis(100);

/// Minimum of the measured time, of which a part is left between the margins.
const MIN_DURATION: Duration = Duration::from_millis(500);

/// Time in which each idle connection has exchanged a message.
const IDLE_TIME: Duration = Duration::from_millis(1500);

/// Interval at which the connections are counted.
const COUNT_INTERVAL: Duration = Duration::from_millis(50);

/// Maximum time until all idle connections are open.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Number of processes of a load of which one, which is one thread, would be the limit: the client's part of a handshake,
/// and of a large message, takes more processor time than the server's.
const PROCESSES: usize = 2;

/// Maximum size of the messages for which one process is enough.
const SMALL: usize = 1024;

/// Runs a case on a candidate.
pub(super) fn run(
    kind: Kind,
    candidate: Candidate,
    threads: usize,
    duration: Duration,
) -> anyhow::Result<Run> {
    let ca = TestCa::new();
    let server = Server::start(candidate, threads, Speech::Tls(&ca.localhost()))?;
    let case = TlsCase { server, ca, duration: duration.max(MIN_DURATION) };
    match kind {
        Kind::TlsEcho { connections, size } => {
            case.steady(connections, Traffic::Closed { size }, "/latency")
        }
        Kind::TlsHandshakes { connections, resume } => {
            case.steady(connections, Traffic::Churn { resume }, "/tls/handshake")
        }
        Kind::TlsIdle => case.idle(),
        Kind::TlsFlood => case.flood(),
        _ => unreachable!("a case over TLS"),
    }
}

struct TlsCase {
    server: Server,
    ca: TestCa,
    duration: Duration,
}

impl TlsCase {
    fn load(&self, shape: TlsShape) -> anyhow::Result<TlsLoad> {
        TlsLoad::start(self.server.port, self.ca.file(), shape)
    }

    /// Measures a load whose rate does not change.
    ///
    /// The percentiles are those of the distribution `latency` of the report.
    fn steady(&self, connections: usize, traffic: Traffic, latency: &str) -> anyhow::Result<Run> {
        let processes = match traffic {
            Traffic::Closed { size: ..=SMALL } => 1,
            _ => PROCESSES,
        };
        let shape =
            TlsShape { processes, connections, traffic, warm_up: WARM_UP, duration: self.duration };
        let load = self.load(shape)?;
        thread::sleep(WARM_UP + MARGIN);
        let (start, before, busy) = (Instant::now(), self.server.usage()?, machine_busy()?);
        thread::sleep(self.duration.saturating_sub(3 * MARGIN));
        let cpu = self.server.usage()?.since(&before);
        let (seconds, busy) = (start.elapsed().as_secs_f64(), machine_busy()? - busy);
        let peak = as_f64(self.server.memory_kib("VmHWM")?) / 1024.0;
        let report = load.report()?;
        let rate = figure(&report, "/rate")?;
        ensure!(rate > 0.0, "no message has returned");
        let client = figure(&report, "/client_cpu/cores")? * seconds;
        let cores = as_f64(thread::available_parallelism()?.get() as u64);
        let others = (busy - client - cpu.total()).max(0.0) / (seconds * cores);
        let messages = rate * seconds;
        let mut run = Run::from([
            (Metric::Rate, rate),
            (Metric::Cpu, cpu.total() / messages * 1e6),
            (Metric::UserCpu, cpu.user / messages * 1e6),
            (Metric::SystemCpu, cpu.system / messages * 1e6),
            (Metric::Others, others * 100.0),
            (Metric::Peak, peak),
        ]);
        add_percentiles(&mut run, &report, latency)?;
        Ok(run)
    }

    /// Measures memory with few and with many connections that have been idle.
    fn idle(&self) -> anyhow::Result<Run> {
        let open = |connections, all| -> anyhow::Result<(TlsLoad, u64)> {
            let load = self.load(TlsShape {
                processes: 1,
                connections,
                traffic: Traffic::Rate(connections),
                warm_up: Duration::ZERO,
                duration: 10 * TIMEOUT,
            })?;
            self.wait_for_connections(all)?;
            thread::sleep(IDLE_TIME);
            Ok((load, self.server.memory_kib("VmRSS")?))
        };
        let (_few, before) = open(TLS_FEW_IDLE, TLS_FEW_IDLE)?;
        let (_many, after) = open(TLS_IDLE, TLS_FEW_IDLE + TLS_IDLE)?;
        let grown = as_f64(after.saturating_sub(before)) * 1024.0;
        Ok(Run::from([
            (Metric::IdleBytes, grown / as_f64(TLS_IDLE as u64)),
            (Metric::IdleConnections, as_f64((TLS_FEW_IDLE + TLS_IDLE) as u64)),
            (Metric::Peak, as_f64(self.server.memory_kib("VmHWM")?) / 1024.0),
        ]))
    }

    fn wait_for_connections(&self, count: usize) -> anyhow::Result<()> {
        let start = Instant::now();
        let is_open = |socket: &tcp::Socket| {
            socket.local.port() == self.server.port && socket.state == tcp::ESTABLISHED
        };
        while tcp::sockets().filter(is_open).count() < count {
            ensure!(start.elapsed() < TIMEOUT, "{count} connections are not open within 30 s");
            thread::sleep(COUNT_INTERVAL);
        }
        Ok(())
    }

    /// Measures connections with a fixed rate of messages while other connections make handshakes.
    fn flood(&self) -> anyhow::Result<Run> {
        let beside = TlsShape {
            processes: 1,
            connections: ACTIVE,
            traffic: Traffic::Rate(BESIDE_FLOOD_RATE),
            warm_up: 2 * WARM_UP,
            duration: self.duration,
        };
        let flood = TlsShape {
            traffic: Traffic::Churn { resume: false },
            warm_up: WARM_UP,
            // It begins before the measurement and ends after it.
            duration: self.duration + WARM_UP,
            ..beside
        };
        let beside = self.load(beside)?;
        let flood = self.load(flood)?;
        let report = beside.report()?;
        let mut run = Run::from([(Metric::Handshakes, figure(&flood.report()?, "/rate")?)]);
        add_percentiles(&mut run, &report, "/latency")?;
        Ok(run)
    }
}

fn add_percentiles(run: &mut Run, report: &Value, of: &str) -> anyhow::Result<()> {
    for (metric, name) in [(Metric::P50, "p50"), (Metric::P99, "p99"), (Metric::P999, "p99_9")] {
        run.insert(metric, figure(report, &format!("{of}/{name}_ns"))? / 1e3);
    }
    Ok(())
}
