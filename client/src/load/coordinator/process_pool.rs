//! All processes of a load: started together, heard while they work, named if they fail, and none of
//! them left behind.
//!
//! Generic over what is started. Must not know what the figures mean.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags};

use crate::load::{
    coordinator::worker_process::{Death, State, Worker},
    error::Failure,
    host::cpu_time,
    ipc::wire::{Order, REPORT_INTERVAL, Report, Word},
    stats::counters::Tally,
};
use crate::net::poll::{Deadline, Interrupt, poll};

/// How long processes are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For all connections, besides the time limit of each.
    pub connecting: Duration,
    /// For any word of a process that works.
    pub silence: Duration,
    /// For the end of the work, besides its time and that of the last reply.
    pub end: Duration,
}

impl Default for Patience {
    /// A machine with many more processes than cores takes its time; one that hangs is to be found all
    /// the same.
    fn default() -> Self {
        Self {
            // Tens of thousands of connections take seconds on one core.
            connecting: Duration::from_secs(30),
            // Many times REPORT_INTERVAL.
            silence: Duration::from_secs(10),
            end: Duration::from_secs(5),
        }
    }
}

/// Of work that takes less than this, being busy throughout says nothing: there was no more to do.
const BURST: Duration = Duration::from_millis(250);

/// What a crew is asked for.
pub struct Task<'t> {
    /// What makes the command of a process.
    pub command: &'t dyn Fn() -> Command,
    /// Every process's order.
    pub orders: Vec<Order>,
    /// From the start to the end of the work, if it ends by the clock.
    pub time: Option<Duration>,
    /// How long the last reply may take.
    pub timeout: Duration,
    /// How long the processes are waited for.
    pub patience: Patience,
    /// Raised by Ctrl+C.
    pub interrupt: &'t Interrupt,
}

/// What a crew has come to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What all have counted; what a process had reported before it died is in it.
    pub tally: Tally,
    /// The longest time that a process measured.
    pub measured: Duration,
    /// CPU time of all processes in it, this one included.
    pub cpu: Duration,
    /// The share of a core that the busiest process used in its measured time.
    pub busiest: f64,
    /// Processes that died or were ended, and how.
    pub casualties: Vec<String>,
    /// Whether Ctrl+C ended it.
    pub stopped_early: bool,
}

/// Does a task; `watch` is shown what has been counted, every [`REPORT_INTERVAL`] or so.
///
/// # Errors
///
/// Not all processes could be started and connected, or Ctrl+C came before they were, or a second time.
pub fn run(task: &Task<'_>, watch: &mut dyn FnMut(&Tally)) -> Result<Outcome, Failure> {
    let mut crew =
        Crew { workers: Vec::new(), outcome: Outcome::default(), interrupt: task.interrupt };
    for order in &task.orders {
        let started = Worker::start((task.command)(), order);
        crew.workers.push(started.map_err(|error| Failure::Spawn {
            number: u64::from(order.process) + 1,
            all: task.orders.len() as u64,
            error,
        })?);
    }
    crew.gather(task)?;
    crew.work(task, watch)?;
    Ok(crew.outcome)
}

/// Processes at work; the ones that are left when it is dropped are killed.
struct Crew<'c> {
    workers: Vec<Worker>,
    outcome: Outcome,
    interrupt: &'c Interrupt,
}

impl Crew<'_> {
    /// Waits until all are ready.
    fn gather(&mut self, task: &Task<'_>) -> Result<(), Failure> {
        let patience = task.timeout.saturating_add(task.patience.connecting);
        let end = Instant::now().checked_add(patience);
        while self.any(State::Connecting) {
            if self.turn(end)? {
                return Err(Failure::Interrupted);
            }
            if is_past(end) {
                self.lose(State::Connecting, |_| Death::Late);
            }
            // Without all of them it would be another load than the one that was asked for.
            if let Some(casualty) = self.outcome.casualties.pop() {
                return Err(Failure::NotReady(casualty));
            }
        }
        Ok(())
    }

    /// Starts all, and waits until all are over.
    fn work(&mut self, task: &Task<'_>, watch: &mut dyn FnMut(&Tally)) -> Result<(), Failure> {
        for worker in &mut self.workers {
            worker.state = State::Working;
            worker.heard = Instant::now();
            worker.say(Word::Start);
        }
        let last_reply = task.timeout.saturating_add(task.patience.end);
        let patience = task.time.map(|time| time.saturating_add(last_reply));
        let mut end = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut next_look = Instant::now();
        let own_cpu = cpu_time();
        while self.any(State::Working) {
            let now = Instant::now();
            if next_look <= now {
                next_look = now + REPORT_INTERVAL;
                watch(&self.outcome.tally);
            }
            let until = end.map_or(next_look, |end| end.min(next_look));
            if self.turn(Some(until))? {
                if self.outcome.stopped_early {
                    return Err(Failure::Interrupted);
                }
                self.outcome.stopped_early = true;
                self.workers.iter_mut().for_each(|worker| worker.say(Word::Stop));
                end = Instant::now().checked_add(last_reply);
            }
            if is_past(end) {
                self.lose(State::Working, |_| Death::Late);
            }
            self.lose(State::Working, |worker| {
                Some(Death::Silent).filter(|_| worker.heard.elapsed() > task.patience.silence)
            });
        }
        watch(&self.outcome.tally);
        // What adding up costs is a part of what the load costs.
        self.outcome.cpu += cpu_time().saturating_sub(own_cpu);
        Ok(())
    }

    /// Waits until somebody says something, and hears it; `true` if Ctrl+C came.
    fn turn(&mut self, until: Option<Instant>) -> Result<bool, Failure> {
        let at_work: Vec<_> =
            (0..self.workers.len()).filter(|&at| self.workers[at].state != State::Over).collect();
        let mut fds = vec![PollFd::new(self.interrupt, PollFlags::IN)];
        fds.extend(at_work.iter().map(|&at| PollFd::new(&self.workers[at], PollFlags::IN)));
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        poll(&mut fds, left.map_or(Deadline::NEVER, Deadline::after)).map_err(Failure::Poll)?;
        let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (&at, _) in at_work.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            let mut reports = Vec::new();
            let heard = self.workers[at].hear(&mut reports);
            reports.into_iter().try_for_each(|report| self.take(at, report))?;
            if let Err(death) = heard {
                self.bury(at, &death);
            }
        }
        Ok(ready[0] && self.interrupt.take())
    }

    fn take(&mut self, at: usize, report: Report) -> Result<(), Failure> {
        let worker = &mut self.workers[at];
        match report {
            Report::Ready => {
                if worker.state == State::Connecting {
                    worker.state = State::Ready;
                }
            }
            Report::Progress(tally) => self.outcome.tally.add(&tally),
            Report::Done(summary) => {
                worker.state = State::Over;
                let outcome = &mut self.outcome;
                outcome.tally.add(&summary.tally);
                outcome.measured = outcome.measured.max(summary.measured);
                outcome.cpu += summary.cpu;
                let share = summary.cpu.as_secs_f64() / summary.worked.max(BURST).as_secs_f64();
                outcome.busiest = outcome.busiest.max(share);
            }
            Report::Failed { errno, text, .. } if worker.state == State::Connecting => {
                return Err(Failure::Connect { errno, text });
            }
            Report::Failed { text, .. } => {
                let death = worker.give_up(Death::GaveUp(text));
                self.bury(at, &death);
            }
        }
        Ok(())
    }

    fn any(&self, state: State) -> bool {
        self.workers.iter().any(|worker| worker.state == state)
    }

    /// Ends those in this state for which there is a reason to.
    fn lose<D: Into<Option<Death>>>(&mut self, state: State, reason: impl Fn(&Worker) -> D) {
        for at in 0..self.workers.len() {
            if self.workers[at].state == state
                && let Some(death) = reason(&self.workers[at]).into()
            {
                let death = self.workers[at].give_up(death);
                self.bury(at, &death);
            }
        }
    }

    fn bury(&mut self, at: usize, death: &Death) {
        self.outcome.casualties.push(format!("{} {death}", self.workers[at].name()));
    }
}

fn is_past(end: Option<Instant>) -> bool {
    end.is_some_and(|end| end <= Instant::now())
}

#[cfg(test)]
mod tests;
