//! The loop of one process of a load: all its channels on one poll, connections or sockets for datagrams.
//!
//! It connects, says that it is ready, waits for the word to start, and goes on until every
//! channel is done, has failed, or the time is up and what was under way has come back.
//!
//! An open loop is timed by a timer of the kernel's: a poll counts in milliseconds, and a message
//! that is sent late because the client slept too long would be counted against the server.

use std::{
    fs::File,
    io::{self, ErrorKind as Io, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::load::{
    host::cpu_time,
    ipc::wire::{Order, Pace, REPORT_INTERVAL, Report, Stop, Summary, Word, line},
    stats::counters::ErrorKind,
    worker::{channel::Channel, context::Bench, schedule::Schedule},
};

const COMMANDS: Token = Token(usize::MAX - 1);
const TIMER: Token = Token(usize::MAX - 2);

/// Connections that are being made at the same time; more would overrun a listener's backlog.
const CONNECTING: usize = 128;

/// When to look again for room in the backlog of a Unix socket, of which nothing tells.
const BACKLOG_PAUSE: Duration = Duration::from_millis(1);

/// How often channels that have waited too long are looked for.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A process's loop and what it owns.
pub struct Engine<'a, C, W> {
    bench: Bench<'a>,
    poll: Poll,
    channels: Vec<C>,
    /// Channels that are not over.
    active: usize,
    schedule: Option<Schedule>,
    /// Channels that messages have become due for; kept for its room.
    waiting: Vec<usize>,
    /// Channels that stopped for the sake of the others.
    again: Vec<usize>,
    timer: OwnedFd,
    commands: Commands,
    reports: W,
}

/// The parent's words, as they come.
struct Commands {
    input: File,
    text: Vec<u8>,
    started: bool,
    stopped: bool,
}

impl<'a, C: Channel, W: Write> Engine<'a, C, W> {
    /// A loop for this order; `commands` brings the parent's words, `reports` takes ours.
    ///
    /// # Errors
    ///
    /// The system has no room for a poll.
    pub fn new(order: &'a Order, commands: File, reports: W) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&commands.as_raw_fd()), COMMANDS, Interest::READABLE)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let bench = Bench::new(order, registry.try_clone()?);
        let channels: Vec<_> = (0..order.connections).map(|index| C::new(&bench, index)).collect();
        let schedule = match order.pace {
            Pace::Depth(_) => None,
            Pace::Rate(rate) => {
                let all = match order.stop {
                    Stop::After(_) => u64::MAX,
                    Stop::Messages(each) => each.saturating_mul(order.connections.into()),
                };
                Some(Schedule::new(rate, order.process, order.processes, all))
            }
        };
        let commands =
            Commands { input: commands, text: Vec::new(), started: false, stopped: false };
        let active = channels.len();
        let (waiting, again) = (Vec::new(), Vec::new());
        Ok(Self {
            bench,
            poll,
            channels,
            active,
            schedule,
            waiting,
            again,
            timer,
            commands,
            reports,
        })
    }

    /// Does what was ordered.
    ///
    /// # Errors
    ///
    /// The parent is gone, or the poll fails.
    pub fn run(mut self) -> io::Result<()> {
        // All that there can be to hear, besides the commands and the timer.
        let mut events = Events::with_capacity(self.channels.len() + 2);
        if let Err(error) = self.connect_all(&mut events)? {
            return self.say(&Report::Failed {
                kind: ErrorKind::Connect,
                errno: error.raw_os_error(),
                text: error.to_string(),
            });
        }
        self.say(&Report::Ready)?;
        while !self.commands.started && !self.commands.stopped {
            self.wait(&mut events, None)?;
        }
        let summary = self.work(&mut events)?;
        self.say(&Report::Done(summary))
    }

    /// Connects all channels, so many at a time. The inner error is one that makes the run pointless.
    fn connect_all(&mut self, events: &mut Events) -> io::Result<io::Result<()>> {
        let (mut next, mut connecting) = (0, 0);
        let (timeout, mut last) = (self.bench.order.timeout, self.bench.now());
        while next < self.channels.len() || connecting > 0 {
            let mut is_full = false;
            while next < self.channels.len() && connecting < CONNECTING && !is_full {
                let channel = &mut self.channels[next];
                match channel.connect(&mut self.bench) {
                    Err(error) if error.kind() == Io::WouldBlock => is_full = true,
                    Err(error) => return Ok(Err(error)),
                    Ok(()) => {
                        next += 1;
                        connecting += usize::from(channel.is_connecting());
                    }
                }
            }
            if connecting == 0 && !is_full {
                continue;
            }
            let left = (last + timeout).saturating_sub(self.bench.now());
            self.wait(events, Some(if is_full { left.min(BACKLOG_PAUSE) } else { left }))?;
            if !events.is_empty() {
                last = self.bench.now();
            } else if left.is_zero() {
                return Ok(Err(Io::TimedOut.into()));
            }
            for event in &*events {
                let Some(channel) = self.channels.get_mut(event.token().0) else {
                    continue;
                };
                if channel.is_connecting() {
                    if let Err(error) = channel.finish_connect(&mut self.bench) {
                        return Ok(Err(error));
                    }
                    connecting -= usize::from(!channel.is_connecting());
                }
            }
        }
        Ok(Ok(()))
    }

    /// From the start to the end: what is still to be reported then.
    fn work(&mut self, events: &mut Events) -> io::Result<Summary> {
        self.bench.start();
        let end = match self.bench.order.stop {
            Stop::After(duration) => self.bench.order.warmup + duration,
            Stop::Messages(_) => Duration::MAX,
        };
        let mut cpu_before = cpu_time();
        let mut is_warm = self.bench.order.warmup.is_zero();
        let (mut next_report, mut next_watch) = (REPORT_INTERVAL, WATCH_INTERVAL);
        // What is lost on its way is waited for at the end, and that is no work: since when there has been
        // none, and what had been used by then.
        let mut idle = None;
        // What an event would have told before the start is not told again.
        self.for_each(|channel, bench| channel.go_on(bench));
        while self.active > 0 {
            let now = self.bench.now();
            if !is_warm && now >= self.bench.order.warmup {
                (is_warm, cpu_before) = (true, cpu_time());
            }
            if (now >= end || self.commands.stopped) && !self.bench.stopping {
                self.stop();
            }
            if now >= next_report {
                next_report = now + REPORT_INTERVAL;
                let tally = std::mem::take(&mut self.bench.tally);
                self.say(&Report::Progress(tally))?;
            }
            self.send_due();
            let until =
                next_report.min(next_watch).min(end.max(now)).saturating_sub(self.bench.now());
            let sleeps = self.arm_timer()? && self.again.is_empty();
            let timeout = if sleeps { until } else { Duration::ZERO };
            let heard = self.wait(events, Some(timeout))?;
            let now = self.bench.now();
            if events.is_empty() && sleeps {
                idle.get_or_insert_with(|| (now, cpu_time()));
            } else {
                idle = None;
            }
            let mut again = std::mem::take(&mut self.again);
            for event in &*events {
                self.touch(event.token().0, |channel, bench| channel.ready(bench, event));
            }
            for index in again.drain(..) {
                self.touch(index, C::go_on);
            }
            // Nobody is late whose bytes may only not have been heard of, as after a stop of this process.
            if heard && now >= next_watch {
                next_watch = now + WATCH_INTERVAL;
                self.for_each(|channel, bench| channel.watch(bench, now));
            }
        }
        let (worked, cpu) = idle.unwrap_or_else(|| (self.bench.now(), cpu_time()));
        C::conclude(&self.channels, &mut self.bench);
        Ok(Summary {
            tally: std::mem::take(&mut self.bench.tally),
            measured: self.bench.last_progress.saturating_sub(self.bench.order.warmup),
            cpu: cpu.saturating_sub(cpu_before),
            worked: worked.saturating_sub(self.bench.order.warmup),
        })
    }

    fn stop(&mut self) {
        self.bench.stopping = true;
        if let Some(schedule) = &mut self.schedule {
            schedule.stop();
        }
        self.for_each(C::stop);
    }

    /// Open loop: gives the messages that are due to their channels. Not those that become due in
    /// the meantime, or a process that cannot keep up would never come to see what returns.
    fn send_due(&mut self) {
        let now = self.bench.now();
        let all = self.channels.len() as u64;
        let mut waiting = std::mem::take(&mut self.waiting);
        while let Some((number, due)) =
            self.schedule.as_mut().and_then(|schedule| schedule.take(now))
        {
            let index = usize::try_from(number % all).expect("the index of a channel");
            let channel = &mut self.channels[index];
            if !channel.is_over() && channel.due(due) {
                waiting.push(index);
            }
        }
        for index in waiting.drain(..) {
            self.touch(index, C::go_on);
        }
        self.waiting = waiting;
    }

    /// Open loop: has the timer end the next wait when a message is due. `false`: one already is.
    fn arm_timer(&self) -> io::Result<bool> {
        let Some(due) = self.schedule.as_ref().and_then(Schedule::next_due) else {
            return Ok(true);
        };
        let left = due.saturating_sub(self.bench.now());
        if left.is_zero() {
            return Ok(false);
        }
        let it_value = Timespec::try_from(left).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(true)
    }

    fn for_each(&mut self, mut action: impl FnMut(&mut C, &mut Bench<'a>)) {
        for index in 0..self.channels.len() {
            self.touch(index, &mut action);
        }
    }

    /// Lets a channel do something, if there is one of that index and it is not over.
    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    fn touch(&mut self, index: usize, action: impl FnOnce(&mut C, &mut Bench<'a>)) {
        if let Some(channel) = self.channels.get_mut(index)
            && !channel.is_over()
        {
            action(channel, &mut self.bench);
            self.active -= usize::from(channel.is_over());
            if channel.take_again() {
                self.again.push(index);
            }
        }
    }

    /// Waits for events; hears the parent's words among them. `false`: it was interrupted, and has heard
    /// nothing.
    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<bool> {
        let heard = match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == Io::Interrupted => false,
            polled => polled.map(|()| true)?,
        };
        if events.iter().any(|event| event.token() == COMMANDS) {
            self.commands.hear()?;
        }
        Ok(heard)
    }

    fn say(&mut self, report: &Report) -> io::Result<()> {
        self.reports.write_all(line(report).as_bytes())?;
        self.reports.flush()
    }
}

impl Commands {
    /// Takes the words that have come.
    fn hear(&mut self) -> io::Result<()> {
        let mut chunk = [0; 256];
        loop {
            match self.input.read(&mut chunk) {
                Ok(0) => return Err(io::Error::other("the parent is gone")),
                Ok(read) => self.text.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == Io::WouldBlock => break,
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while let Some(newline) = memchr::memchr(b'\n', &self.text) {
            let line: Vec<u8> = self.text.drain(..=newline).collect();
            match serde_json::from_slice(&line)? {
                Word::Start => self.started = true,
                Word::Stop => self.stopped = true,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
