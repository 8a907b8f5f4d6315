//! Runner of one load: preflight, worker processes, report.
//!
//! Must not know how a report is shown.

use std::{fs, io, net::IpAddr, os::unix::process::CommandExt as _, process::Command};

use common::endpoint::Endpoint;
use rustix::io::Errno;

use super::{
    build_report::build_report,
    coordinator::{
        self,
        process_pool::{self, PoolConfig, PoolTimeouts},
    },
    error::Error,
    faults::log::FaultLog,
    host::{limits, sockets},
    ipc::worker_config::Server,
    plan::{job::Plan, start_time::CONNECT_LEAD},
    preflight::{
        capacity::{self, HostCapacity},
        ports::{LocalPorts, select_sources},
        probe::Probe,
        shortage::Shortage,
    },
    progress::Progress,
    report::document::Report,
    stats::error_kind::ErrorKind,
    worker::payload::streams::Streams,
};
use crate::{
    login::PASSWORD_VARIABLE,
    net::{
        poll::{Deadline, Interrupt},
        target::Target,
        unreachable::Unreachable,
    },
};

/// Running program: the same file, even if another one has taken its path since the start.
const PROGRAM: &str = "/proc/self/exe";

/// Name of the worker processes.
const NAME: &str = "echo-client";

/// Name of the hidden subcommand that runs a worker process.
const WORKER_SUBCOMMAND: &str = "load-worker";

/// Runner of loads against one server.
#[derive(Debug)]
pub(super) struct Runner<'s> {
    target: &'s Target,
    server: Server,
    interrupt: &'s Interrupt,
    /// Over UDP: granted size of the receive buffer of a socket.
    receive_buffer: Option<usize>,
}

impl<'s> Runner<'s> {
    /// Checks the capacity of the host, and finds the server.
    ///
    /// # Errors
    ///
    /// The capacity is too small, or the server cannot be reached.
    pub(super) fn new(
        target: &'s Target,
        plan: &Plan,
        interrupt: &'s Interrupt,
    ) -> Result<Self, Error> {
        let capacity = HostCapacity {
            descriptors: limits::raise_descriptor_limit(),
            processes: limits::processes_left(),
        };
        capacity::check(plan, &capacity)?;
        let deadline = Deadline::after(target.timeout);
        let addresses = target.resolve(deadline)?;
        // With --start-at, the connections are made shortly before the start; this one finds a wrong server at once.
        let begins_later = plan.start_at.is_some() && plan.fault_log.is_none();
        let (server, receive_buffer) = match (&target.endpoint, &addresses[..]) {
            (Endpoint::Unix(_) | Endpoint::Abstract(_), addresses) => {
                if target.tls.is_some() || target.login.is_some() || begins_later {
                    target.connect_to(addresses, deadline, Some(interrupt))?;
                }
                (target.endpoint.socket_name().map(Server::Unix), None)
            }
            (Endpoint::Tcp(_), [one])
                if !target.has_layers() && !begins_later || plan.fault_log.is_some() =>
            {
                (one.as_socket().map(Server::Tcp), None)
            }
            // Of several addresses, the load uses the first that answers. A server with TLS, a login or WebSocket is checked
            // before the start, since only one error can be shown.
            (Endpoint::Tcp(_), several) => {
                let connected = target.connect_to(several, deadline, Some(interrupt))?;
                if target.websocket.is_some() {
                    connected.stream.half_close();
                }
                (connected.address.as_socket().map(Server::Tcp), None)
            }
            (Endpoint::Udp(_), [first, ..]) if plan.fault_log.is_some() => {
                let answer = Probe::assume(first, target)?;
                (answer.address.as_socket().map(Server::Udp), Some(answer.receive_buffer))
            }
            (Endpoint::Udp(_), several) => {
                let probe = Probe { seed: plan.seed, size: plan.sizes.min, deadline, interrupt };
                let answer = probe.run(several, target)?;
                (answer.address.as_socket().map(Server::Udp), Some(answer.receive_buffer))
            }
        };
        // Every address of a host is an IP address.
        let no_address = || target.unreachable(Unreachable::UnknownHost);
        let server = server.ok_or_else(no_address)?;
        Ok(Self { target, server, interrupt, receive_buffer })
    }

    /// Runs a load; returns its report.
    ///
    /// # Errors
    ///
    /// The load did not start, or was interrupted twice. Later failures are in the report.
    pub(super) fn run(&self, plan: &Plan, mut progress: Progress) -> Result<Report, Error> {
        let sources = self.sources(plan)?;
        let worker =
            |process| plan.worker_config(process, self.server.clone(), &sources, self.target);
        fs::metadata(PROGRAM).map_err(Error::Program)?;
        let config = PoolConfig {
            command: &|| {
                let mut command = Command::new(PROGRAM);
                command.arg0(NAME).arg(WORKER_SUBCOMMAND).env_remove(PASSWORD_VARIABLE);
                command
            },
            workers: (0..plan.processes).map(worker).collect(),
            start_at: plan.start_at,
            connect_lead: CONNECT_LEAD,
            duration: plan.duration(),
            timeout: self.target.timeout,
            timeouts: self.timeouts(plan),
            interrupt: self.interrupt,
        };
        let log = plan.fault_log.as_deref().map(FaultLog::open).transpose()?;
        let mut outcome = process_pool::run(&config, &mut |outcome| progress.update(outcome))
            .map_err(|error| self.explain(error))?;
        let observations = std::mem::take(&mut outcome.observations);
        let streams = Streams::new(plan.seed, plan.sizes.min..=plan.sizes.max);
        let faults = log.map(|log| log.compare(&observations, &streams)).transpose()?;
        Ok(build_report(self.target, plan, outcome, self.receive_buffer, faults))
    }

    /// Returns the time limits of the processes. An open loop may send for one time limit after its end, and then
    /// waits for one more. A member of a room waits for the senders, which do so, and then for itself.
    fn timeouts(&self, plan: &Plan) -> PoolTimeouts {
        let mut timeouts = PoolTimeouts::default();
        if plan.rate().is_some() {
            timeouts.finishing = timeouts.finishing.saturating_add(self.target.timeout);
        }
        if plan.room.is_some() {
            timeouts.finishing = timeouts.finishing.saturating_add(self.target.timeout);
        }
        timeouts
    }

    /// Selects the local addresses to connect from.
    fn sources(&self, plan: &Plan) -> Result<Vec<IpAddr>, Shortage> {
        let (server, in_use) = match &self.server {
            Server::Unix(_) => return Ok(Vec::new()),
            Server::Tcp(server) => (*server, sockets::tcp_ports_in_use(*server)),
            Server::Udp(server) => (*server, sockets::udp_ports_in_use(*server)),
        };
        // If the range of ports is unknown, a shortage appears when the connections are made.
        let Some((first, last)) = limits::local_port_range() else { return Ok(Vec::new()) };
        let ports = LocalPorts {
            per_address: 1 + u64::from(last.saturating_sub(first)),
            in_use,
            are_reused: limits::reuses_ports(server.ip().is_loopback()),
        };
        select_sources(plan, server, &ports)
    }

    /// Replaces the failure of a connection by the error that the other subcommands return for it.
    fn explain(&self, error: coordinator::Error) -> Error {
        let coordinator::Error::Connect { kind, errno, text } = error else { return error.into() };
        if kind == ErrorKind::Login {
            return self.target.login_failed(text).into();
        }
        if matches!(kind, ErrorKind::Tls | ErrorKind::Websocket | ErrorKind::Room) {
            return self.target.unreachable(Unreachable::Reported(text)).into();
        }
        match errno.map(Errno::from_raw_os_error) {
            Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => Error::NoPort,
            Some(Errno::MFILE | Errno::NFILE) => Error::NoDescriptor,
            errno => {
                // Only the time limit has no error number.
                let error = errno.map_or(io::ErrorKind::TimedOut.into(), io::Error::from);
                self.target.unreachable(self.target.reason(error)).into()
            }
        }
    }
}
