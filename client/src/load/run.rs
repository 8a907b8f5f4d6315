//! One load, from its plan to its report.
//!
//! Owns the order of things: room, server, processes, figures, verdict. Must not know how a report is
//! shown.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    process::Command,
};

use rustix::io::Errno;

use super::{
    asked::Asked,
    crew::{self, Outcome, Patience, Task},
    failure::Failure,
    machine,
    plan::Plan,
    preflight::{self, Ports, Room, Shortage},
    progress::Progress,
    report::{ClientCpu, Distribution, Pacing, Report, VERSION},
    verdict::{Verdict, judge},
    wire::Stop,
};
use crate::{
    connect::Target,
    error::{Error, Unreachable},
    wait::{Deadline, Interrupt},
};

/// Where loads are run: the server, and what this machine has for them.
#[derive(Debug)]
pub struct Site<'s> {
    target: &'s Target,
    server: SocketAddr,
    interrupt: &'s Interrupt,
}

impl<'s> Site<'s> {
    /// Looks for room and for the server.
    ///
    /// # Errors
    ///
    /// There is too little room, or no server.
    pub fn new(target: &'s Target, plan: &Plan, interrupt: &'s Interrupt) -> Result<Self, Error> {
        let room = Room {
            descriptors: machine::raise_descriptors(),
            processes: machine::processes_left(),
        };
        preflight::check(plan, &room).map_err(Failure::from)?;
        let deadline = Deadline::after(target.timeout);
        let server = match &target.resolve(deadline)?[..] {
            [server] => server.clone(),
            // Of several addresses the one is taken that answers.
            several => target.connect_to(several, deadline, Some(interrupt))?.1,
        };
        // The configuration lets nothing but TCP through.
        let no_tcp = || target.unreachable(Unreachable::Io(io::ErrorKind::Unsupported.into()));
        let server = server.as_socket().ok_or_else(no_tcp)?;
        Ok(Self { target, server, interrupt })
    }

    /// Runs a load.
    ///
    /// # Errors
    ///
    /// It did not begin, or was interrupted twice. What goes wrong behind that is in the report.
    pub fn run(&self, plan: &Plan, mut progress: Progress) -> Result<Report, Error> {
        let sources = self.sources(plan).map_err(Failure::from)?;
        let order = |process| plan.order(process, self.server, &sources, self.target.timeout);
        let program = std::env::current_exe()
            .map_err(|error| Error::System { what: "find its own program", error })?;
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
        let outcome = crew::run(&task, &mut |tally| progress.show(tally))
            .map_err(|failure| self.explain(failure))?;
        Ok(report(Asked::new(self.target, plan), plan, outcome))
    }

    fn sources(&self, plan: &Plan) -> Result<Vec<IpAddr>, Shortage> {
        // A machine that does not tell its range is taken at its word when it comes to connecting.
        let Some((first, last)) = machine::port_range() else { return Ok(Vec::new()) };
        let ports = Ports {
            each: 1 + u64::from(last.saturating_sub(first)),
            taken: machine::ports_taken(self.server),
            are_reused: machine::reuses_ports(self.server.ip().is_loopback()),
        };
        preflight::sources(plan, self.server, &ports)
    }

    /// A connection that could not be made is said as the other ways of the client say it.
    fn explain(&self, failure: Failure) -> Error {
        let Failure::Connect { errno, .. } = failure else { return failure.into() };
        let errno = errno.map(Errno::from_raw_os_error);
        let reason = match errno {
            Some(Errno::CONNREFUSED) => Unreachable::Refused,
            Some(Errno::TIMEDOUT) | None => Unreachable::NoAnswer(self.target.timeout),
            Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => return Failure::NoPort.into(),
            Some(Errno::MFILE | Errno::NFILE) => return Failure::NoDescriptor.into(),
            Some(errno) => Unreachable::Io(io::Error::from(errno)),
        };
        Error::Connect { target: self.target.to_string(), reason }
    }
}

/// The name of the hidden command that a process of a load is started with.
pub const WORKER: &str = "load-worker";

fn report(asked: Asked, plan: &Plan, outcome: Outcome) -> Report {
    let Outcome { tally, measured, cpu, busiest, casualties, stopped_early } = outcome;
    let is_whole = !stopped_early && tally.errors.is_empty() && casualties.is_empty();
    let seconds = match plan.stop {
        // It was measured to the end, even if the last message came back before.
        Stop::After(time) if is_whole => measured.max(time),
        _ => measured,
    }
    .as_secs_f64();
    let (cpu, whole) = (cpu.as_secs_f64(), seconds + asked.warmup_seconds);
    let is_open = plan.rate().is_some();
    let mut report = Report {
        version: VERSION,
        verdict: Verdict::Unknown,
        reason: String::new(),
        stopped_early,
        plan: Some(asked),
        pacing: Some(if is_open { Pacing::OpenLoop } else { Pacing::ClosedLoop }),
        messages: tally.messages,
        lost: Some(tally.lost),
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
        connect: Some(tally.connect.into()),
        lag: is_open.then(|| Distribution::from(tally.lag)),
        errors: Some(tally.errors),
        faults: tally.faults,
        casualties,
        client_cpu: (seconds > 0.0).then(|| ClientCpu {
            seconds: cpu,
            cores: cpu / seconds,
            busiest_process: busiest,
            machine_cores: machine::cores(),
        }),
        assertions: Vec::new(),
        find_rate: None,
        parts: Vec::new(),
    };
    (report.verdict, report.reason) = judge(&report);
    report
}

/// Zero if nothing was measured.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn per_second(number: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
}
