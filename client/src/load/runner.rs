//! One load, from its plan to its report.
//!
//! Owns the order of things: room, server, processes, figures, verdict. Must not know how a report is
//! shown.

use std::{io, net::IpAddr, process::Command};

use common::endpoint::Endpoint;
use rustix::io::Errno;

use crate::load::{
    coordinator::{
        process_pool::{self, Outcome, Patience, Task},
        progress::Progress,
    },
    error::Failure,
    evaluate::verdict::{Verdict, judge},
    host,
    ipc::wire::{Server, Stop},
    plan::Plan,
    preflight::{self, Ports, Room, Shortage},
    probe::Probe,
    report::{
        document::{self, ClientCpu, Distribution, Pacing, Report, VERSION},
        load_spec::Asked,
    },
    stats::counters::{Datagrams, ErrorKind, Tally},
    worker::socket::RECEIVE_BUFFER,
};
use crate::net::{
    poll::{Deadline, Interrupt},
    target::Target,
    unreachable::Unreachable,
};

/// Where loads are run: the server, and what this machine has for them.
#[derive(Debug)]
pub struct Site<'s> {
    target: &'s Target,
    server: Server,
    interrupt: &'s Interrupt,
    /// Over UDP: bytes that the receive buffer of a socket holds.
    buffer: Option<usize>,
}

impl<'s> Site<'s> {
    /// Looks for room and for the server.
    ///
    /// # Errors
    ///
    /// There is too little room, or no server.
    pub fn new(target: &'s Target, plan: &Plan, interrupt: &'s Interrupt) -> Result<Self, Failure> {
        let room =
            Room { descriptors: host::raise_descriptors(), processes: host::processes_left() };
        preflight::check(plan, &room).map_err(Failure::from)?;
        let deadline = Deadline::after(target.timeout);
        let addresses = target.resolve(deadline)?;
        let (server, buffer) = match (&target.endpoint, &addresses[..]) {
            (Endpoint::Unix(path), _) => (Some(Server::Unix(path.clone().into())), None),
            (Endpoint::Tcp(_), [one]) => (one.as_socket().map(Server::Tcp), None),
            // Of several addresses the one is taken that answers.
            (Endpoint::Tcp(_), several) => {
                let (_, address) = target.connect_to(several, deadline, Some(interrupt))?;
                (address.as_socket().map(Server::Tcp), None)
            }
            (Endpoint::Udp(_), several) => {
                let probe = Probe { seed: plan.seed, size: plan.sizes.min, deadline, interrupt };
                let found = probe.first_of(several, target)?;
                (found.address.as_socket().map(Server::Udp), Some(found.receive_buffer))
            }
        };
        // Every host has addresses of IP.
        let no_host = || Failure::from(target.unreachable(Unreachable::UnknownHost));
        let server = server.ok_or_else(no_host)?;
        Ok(Self { target, server, interrupt, buffer })
    }

    /// Runs a load.
    ///
    /// # Errors
    ///
    /// It did not begin, or was interrupted twice. What goes wrong behind that is in the report.
    pub fn run(&self, plan: &Plan, mut progress: Progress) -> Result<Report, Failure> {
        let sources = self.sources(plan).map_err(Failure::from)?;
        let order =
            |process| plan.order(process, self.server.clone(), &sources, self.target.timeout);
        let program = std::env::current_exe().map_err(Failure::Program)?;
        let task = Task {
            command: &|| {
                let mut command = Command::new(&program);
                command.arg(WORKER);
                command
            },
            orders: (0..plan.processes).map(order).collect(),
            time: plan.time(),
            timeout: self.target.timeout,
            patience: Patience::default(),
            interrupt: self.interrupt,
        };
        let outcome = process_pool::run(&task, &mut |tally| progress.show(tally))
            .map_err(|failure| self.explain(failure))?;
        Ok(report(Asked::new(self.target, plan), plan, outcome, self.buffer))
    }

    fn sources(&self, plan: &Plan) -> Result<Vec<IpAddr>, Shortage> {
        let (server, taken) = match &self.server {
            Server::Unix(_) => return Ok(Vec::new()),
            Server::Tcp(server) => (*server, host::ports_taken(*server)),
            Server::Udp(server) => (*server, host::udp_ports_taken(*server)),
        };
        // A machine that does not tell its range is taken at its word when it comes to connecting.
        let Some((first, last)) = host::port_range() else { return Ok(Vec::new()) };
        let ports = Ports {
            each: 1 + u64::from(last.saturating_sub(first)),
            taken,
            are_reused: host::reuses_ports(server.ip().is_loopback()),
        };
        preflight::sources(plan, server, &ports)
    }

    /// A connection that could not be made is said as the other ways of the client say it.
    fn explain(&self, failure: Failure) -> Failure {
        let Failure::Connect { errno, .. } = failure else { return failure };
        match errno.map(Errno::from_raw_os_error) {
            Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => Failure::NoPort,
            Some(Errno::MFILE | Errno::NFILE) => Failure::NoDescriptor,
            errno => {
                // Without a number it was the time limit.
                let error = errno.map_or(io::ErrorKind::TimedOut.into(), io::Error::from);
                return self.target.unreachable(self.target.reason(error)).into();
            }
        }
    }
}

/// The name of the hidden command that a process of a load is started with.
pub const WORKER: &str = "load-worker";

fn report(asked: Asked, plan: &Plan, outcome: Outcome, buffer: Option<usize>) -> Report {
    let Outcome { tally, measured, cpu, busiest, casualties, stopped_early } = outcome;
    let is_whole = !stopped_early && tally.errors.is_empty() && casualties.is_empty();
    let Datagrams { given_up, late, .. } = tally.datagrams;
    let datagrams = buffer.map(|given| datagrams(&tally, given));
    let seconds = match plan.stop {
        // It was measured to the end, even if the last message came back before.
        Stop::After(time) if is_whole => measured.max(time),
        _ => measured,
    }
    .as_secs_f64();
    let (cpu, whole) = (cpu.as_secs_f64(), seconds + asked.warmup_seconds);
    let is_open = plan.rate().is_some();
    let connect = datagrams.is_none().then(|| Distribution::from(tally.connect));
    let mut report = Report {
        version: VERSION,
        verdict: Verdict::Unknown,
        reason: String::new(),
        stopped_early,
        plan: Some(asked),
        pacing: Some(if is_open { Pacing::OpenLoop } else { Pacing::ClosedLoop }),
        messages: tally.messages,
        lost: Some(if datagrams.is_some() { given_up - late } else { tally.lost }),
        bytes_lost: Some(tally.bytes_lost),
        drains: Some(tally.drains),
        resent: Some(tally.resent),
        bytes_resent: Some(tally.bytes_resent),
        seconds,
        rate: per_second(tally.messages, seconds),
        bytes_sent: Some(tally.bytes_sent),
        bytes_checked: Some(tally.bytes_checked),
        bytes_per_second: Some(per_second(tally.bytes_checked, whole)),
        connects: Some(tally.connects),
        latency: tally.latency.into(),
        connect,
        lag: is_open.then(|| Distribution::from(tally.lag)),
        datagrams,
        errors: Some(tally.errors),
        faults: tally.faults,
        casualties,
        client_cpu: (seconds > 0.0).then(|| ClientCpu {
            seconds: cpu,
            cores: cpu / seconds,
            busiest_process: busiest,
            machine_cores: host::cores(),
        }),
        assertions: Vec::new(),
        find_rate: None,
        parts: Vec::new(),
    };
    (report.verdict, report.reason) = judge(&report);
    report
}

/// What became of datagrams, at sockets whose buffers hold so many bytes.
fn datagrams(tally: &Tally, buffer: usize) -> document::Datagrams {
    let Datagrams { sent, late, reordered, duplicates, strangers, dropped, .. } = tally.datagrams;
    document::Datagrams {
        sent,
        late,
        reordered,
        duplicates,
        corrupt: tally.errors.get(&ErrorKind::WrongBytes).copied().unwrap_or(0),
        strangers,
        dropped_by_client: dropped,
        receive_buffer_asked: RECEIVE_BUFFER as u64,
        receive_buffer_given: buffer as u64,
    }
}

/// Zero if nothing was measured.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn per_second(number: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
}
