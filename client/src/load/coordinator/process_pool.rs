//! Pool of worker processes: started together, supervised while they run, named if they fail, and killed at
//! the end.

use std::{
    process,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags};

use super::{
    error::Error,
    exit_reason::ExitReason,
    worker_process::{State, WorkerProcess},
};
use crate::{
    load::{
        host::{
            clock::{ClockState, clock_state, clock_time},
            cpu::cpu_time,
        },
        ipc::{
            message::{Command, Progress, REPORT_INTERVAL, Summary, WorkerMessage},
            observation::Observation,
            worker_config::WorkerConfig,
        },
        stats::{counters::Stats, series::Series},
    },
    net::poll::{Deadline, Interrupt, poll},
};

/// Time limits of the processes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolTimeouts {
    /// Limit for all connections, in addition to the limit of each.
    pub(crate) connecting: Duration,
    /// Limit for the next message of a running process.
    pub(crate) silence: Duration,
    /// Limit for the end of the work, in addition to its duration and to that of the last reply.
    pub(crate) finishing: Duration,
}

impl Default for PoolTimeouts {
    /// Returns limits that allow many more processes than cores, and still detect a process that hangs.
    fn default() -> Self {
        Self {
            // Tens of thousands of connections take seconds on one core.
            connecting: Duration::from_secs(30),
            // A multiple of `REPORT_INTERVAL`.
            silence: Duration::from_secs(10),
            // A saturated client still has to receive, and to check, what its sockets have buffered.
            finishing: Duration::from_secs(30),
        }
    }
}

/// Work of a pool.
pub(crate) struct PoolConfig<'t> {
    /// Creates the command that starts a process.
    pub(crate) command: &'t dyn Fn() -> process::Command,
    /// Configuration of each process.
    pub(crate) workers: Vec<WorkerConfig>,
    /// Time at which the work starts; `None`: when all processes are ready.
    pub(crate) start_at: Option<Timestamp>,
    /// Time before a requested start at which the processes are started and connect.
    pub(crate) connect_lead: Duration,
    /// Duration of the work, unless it ends by the number of messages.
    pub(crate) duration: Option<Duration>,
    /// Limit for a connection, and for the last reply.
    pub(crate) timeout: Duration,
    /// Time limits of the processes.
    pub(crate) timeouts: PoolTimeouts,
    /// Interrupt that Ctrl+C raises.
    pub(crate) interrupt: &'t Interrupt,
}

/// Start of the work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Time by the clock of the machine.
    pub(crate) time: Timestamp,
    /// State of this clock, if it is known.
    pub(crate) clock: Option<ClockState>,
    /// The processes were not ready at the time at which the work should start.
    pub(crate) is_overdue: bool,
}

/// Result of a pool.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Time until the start, while the pool waits for it.
    pub(crate) starts_in: Option<Duration>,
    /// Start; `None` until then.
    pub(crate) start: Option<Start>,
    /// Statistics of all processes, including those that failed.
    pub(crate) stats: Stats,
    /// Time series of them.
    pub(crate) series: Series,
    /// Longest time that a process measured.
    pub(crate) measured: Duration,
    /// CPU time of all processes in it, including this one.
    pub(crate) cpu: Duration,
    /// CPU time that TLS took.
    pub(crate) tls_cpu: Duration,
    /// Number of cores that they used: the sum of the shares of a core, each over the work of its process.
    pub(crate) cores: f64,
    /// Share of a core that the busiest process used.
    pub(crate) busiest_process: f64,
    /// Connections and sockets that were observed.
    pub(crate) observations: Vec<Observation>,
    /// Processes that failed, and the reason of each.
    pub(crate) failed_processes: Vec<String>,
    /// Ctrl+C ended the work early.
    pub(crate) stopped_early: bool,
}

/// Runs the work; calls `on_progress` with the result so far every [`REPORT_INTERVAL`], also while it waits for the start.
///
/// # Errors
///
/// A process could not be started or connected, or Ctrl+C came before the start, or for the second time.
pub(crate) fn run(
    config: &PoolConfig<'_>,
    on_progress: &mut dyn FnMut(&Outcome),
) -> Result<Outcome, Error> {
    let mut pool = ProcessPool {
        processes: Vec::new(),
        outcome: Outcome::default(),
        interrupt: config.interrupt,
    };
    if let Some(time) = config.start_at {
        pool.wait_until(time, config.connect_lead, on_progress)?;
    }
    for worker in &config.workers {
        let started = WorkerProcess::start((config.command)(), worker);
        pool.processes.push(started.map_err(|error| Error::Spawn {
            number: u64::from(worker.process) + 1,
            total: config.workers.len() as u64,
            error,
        })?);
    }
    pool.wait_until_ready(config)?;
    let is_overdue = match config.start_at {
        Some(time) => pool.wait_until(time, Duration::ZERO, on_progress)?,
        None => false,
    };
    pool.start(is_overdue);
    pool.supervise(config, on_progress)?;
    Ok(pool.outcome)
}

/// Pool of processes. Those that still run are killed when it is dropped.
struct ProcessPool<'c> {
    processes: Vec<WorkerProcess>,
    outcome: Outcome,
    interrupt: &'c Interrupt,
}

impl ProcessPool<'_> {
    /// Waits until all processes are ready.
    fn wait_until_ready(&mut self, config: &PoolConfig<'_>) -> Result<(), Error> {
        let limit = config.timeout.saturating_add(config.timeouts.connecting);
        let deadline = Instant::now().checked_add(limit);
        while self.has_any(State::Connecting) {
            if self.poll(deadline)? {
                return Err(Error::Interrupted);
            }
            if is_past(deadline) {
                self.terminate_if(State::Connecting, |_| Some(ExitReason::TimedOut));
            }
            // With fewer processes it would be another load.
            if let Some(process) = self.outcome.failed_processes.pop() {
                return Err(Error::NotReady(process));
            }
        }
        Ok(())
    }

    /// Starts the load, and supervises the processes until all have finished.
    fn supervise(
        &mut self,
        config: &PoolConfig<'_>,
        on_progress: &mut dyn FnMut(&Outcome),
    ) -> Result<(), Error> {
        let last_reply = config.timeout.saturating_add(config.timeouts.finishing);
        let limit = config.duration.map(|duration| duration.saturating_add(last_reply));
        let mut deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut next_progress = Instant::now();
        let (start, own_cpu) = (Instant::now(), cpu_time());
        while self.has_any(State::Running) {
            let now = Instant::now();
            if next_progress <= now {
                next_progress = now + REPORT_INTERVAL;
                on_progress(&self.outcome);
            }
            let until = deadline.map_or(next_progress, |deadline| deadline.min(next_progress));
            if self.poll(Some(until))? {
                if self.outcome.stopped_early {
                    return Err(Error::Interrupted);
                }
                self.outcome.stopped_early = true;
                self.processes.iter_mut().for_each(|process| process.send(Command::Stop));
                deadline = Instant::now().checked_add(last_reply);
            }
            if is_past(deadline) {
                self.terminate_if(State::Running, |_| Some(ExitReason::TimedOut));
            }
            self.terminate_if(State::Running, |process| {
                let is_silent = process.last_heard_at.elapsed() > config.timeouts.silence;
                is_silent.then_some(ExitReason::Silent)
            });
        }
        on_progress(&self.outcome);
        // Adding up the statistics is a part of the client's work.
        self.outcome.add_cpu(cpu_time().saturating_sub(own_cpu), start.elapsed());
        Ok(())
    }

    /// Waits until `ahead` before the requested start; returns `true` if this time has already passed.
    fn wait_until(
        &mut self,
        start: Timestamp,
        ahead: Duration,
        on_progress: &mut dyn FnMut(&Outcome),
    ) -> Result<bool, Error> {
        let is_past = time_until(start) <= ahead;
        loop {
            let starts_in = time_until(start);
            let left = starts_in.saturating_sub(ahead);
            if left.is_zero() {
                self.outcome.starts_in = None;
                return Ok(is_past);
            }
            self.outcome.starts_in = Some(starts_in);
            on_progress(&self.outcome);
            // Someone may set the clock meanwhile, so it is read again after each interval.
            if self.poll(Instant::now().checked_add(left.min(REPORT_INTERVAL)))? {
                return Err(Error::Interrupted);
            }
            if let Some(process) = self.outcome.failed_processes.pop() {
                return Err(Error::NotReady(process));
            }
        }
    }

    /// Starts the work of all processes.
    fn start(&mut self, is_overdue: bool) {
        let time = clock_time();
        for process in &mut self.processes {
            process.state = State::Running;
            process.last_heard_at = Instant::now();
            process.send(Command::Start);
        }
        self.outcome.start = Some(Start { time, clock: clock_state(), is_overdue });
    }

    /// Waits for messages, and handles them; returns `true` after Ctrl+C.
    fn poll(&mut self, deadline: Option<Instant>) -> Result<bool, Error> {
        let active: Vec<_> = (0..self.processes.len())
            .filter(|&index| self.processes[index].state != State::Finished)
            .collect();
        let mut fds = vec![PollFd::new(self.interrupt, PollFlags::IN)];
        fds.extend(active.iter().map(|&at| PollFd::new(&self.processes[at], PollFlags::IN)));
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        poll(&mut fds, left.map_or(Deadline::NEVER, Deadline::after)).map_err(Error::Poll)?;
        let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (&index, _) in active.iter().zip(&ready[1..]).filter(|(_, is_ready)| **is_ready) {
            let mut messages = Vec::new();
            let received = self.processes[index].recv(&mut messages);
            messages.into_iter().try_for_each(|message| self.handle(index, message))?;
            if let Err(reason) = received {
                self.record_exit(index, &reason);
            }
        }
        Ok(ready[0] && self.interrupt.take())
    }

    fn handle(&mut self, index: usize, message: WorkerMessage) -> Result<(), Error> {
        let process = &mut self.processes[index];
        match message {
            WorkerMessage::Ready => {
                if process.state == State::Connecting {
                    process.state = State::Ready;
                }
            }
            WorkerMessage::Progress(Progress { stats, since, connections }) => {
                process.connections = connections;
                self.record(since, &stats);
            }
            WorkerMessage::Observed(observations) => self.outcome.observations.extend(observations),
            WorkerMessage::Done(summary) => {
                process.state = State::Finished;
                self.record(summary.since, &summary.stats);
                self.outcome.add(&summary);
            }
            WorkerMessage::Failed { kind, errno, text } if process.state == State::Connecting => {
                return Err(Error::Connect { kind, errno, text });
            }
            WorkerMessage::Failed { text, .. } => {
                let reason = process.terminate(ExitReason::Failed(text));
                self.record_exit(index, &reason);
            }
        }
        Ok(())
    }

    /// Adds the statistics of a process since this time.
    fn record(&mut self, since: Option<Duration>, stats: &Stats) {
        self.outcome.stats.merge(stats);
        if let Some(since) = since {
            let connections = self.processes.iter().map(|process| process.connections).sum();
            self.outcome.series.record(since, stats, connections);
        }
    }

    fn has_any(&self, state: State) -> bool {
        self.processes.iter().any(|process| process.state == state)
    }

    /// Kills the processes in this state for which `reason` returns a reason.
    fn terminate_if(
        &mut self,
        state: State,
        reason: impl Fn(&WorkerProcess) -> Option<ExitReason>,
    ) {
        for index in 0..self.processes.len() {
            if self.processes[index].state == state
                && let Some(reason) = reason(&self.processes[index])
            {
                let reason = self.processes[index].terminate(reason);
                self.record_exit(index, &reason);
            }
        }
    }

    fn record_exit(&mut self, index: usize, reason: &ExitReason) {
        self.processes[index].connections = 0;
        self.outcome.failed_processes.push(format!("{} {reason}", self.processes[index].name()));
    }
}

impl Outcome {
    /// Adds the times of the last message of a process.
    fn add(&mut self, summary: &Summary) {
        self.tls_cpu += summary.tls_cpu;
        self.measured = self.measured.max(summary.measured);
        let share = self.add_cpu(summary.cpu, summary.worked);
        self.busiest_process = self.busiest_process.max(share);
    }

    /// Adds the CPU time of a process in this time; returns the share of a core.
    fn add_cpu(&mut self, cpu: Duration, time: Duration) -> f64 {
        self.cpu += cpu;
        // A process has one thread. The two clocks are not read at the same instant.
        let share = if cpu < time { cpu.as_secs_f64() / time.as_secs_f64() } else { 1.0 };
        self.cores += share;
        share
    }
}

fn time_until(time: Timestamp) -> Duration {
    clock_time().duration_until(time).try_into().unwrap_or_default()
}

fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

#[cfg(test)]
mod tests;
