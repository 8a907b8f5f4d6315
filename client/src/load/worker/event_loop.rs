//! Event loop of a worker process: all its channels on one poll.
//!
//! It connects all channels, reports that it is ready, waits for the start, and runs until every channel is
//! done or has failed, or until the time is up and the messages in flight have returned.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, ErrorKind as Io, Write},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, event::Event, unix::SourceFd};

use super::{
    commands::Commands,
    io::{channel::Channel, context::Context},
    room,
    timer::Timer,
    timing::{CHECK_INTERVAL, Timing},
};
use crate::{
    load::{
        ipc::{
            message::{MAX_OBSERVATIONS, Progress, Summary, WorkerMessage},
            wire::encode,
            worker_config::WorkerConfig,
        },
        stats::error_kind::ErrorKind,
    },
    login, websocket,
};

const COMMANDS: Token = Token(usize::MAX - 1);
const TIMER: Token = Token(usize::MAX - 2);

/// Maximum number of connections that are being made at the same time; more would exceed a listener's
/// backlog.
const MAX_CONNECTING: usize = 128;

/// Pause before the next attempt at a Unix socket whose backlog is full: no event tells when it has room.
const BACKLOG_PAUSE: Duration = Duration::from_millis(1);

/// Event loop and its channels.
pub(super) struct EventLoop<'a, C: Channel, W> {
    context: Context<'a, C::Shared>,
    poll: Poll,
    channels: Vec<C>,
    /// Number of channels that are not finished.
    active: usize,
    /// Number of messages that the channels know to be due (open loop).
    due: u64,
    /// Channels that messages have become due for; kept to reuse the allocation.
    woken: Vec<usize>,
    /// Channels that reached the limit of a turn.
    yielded: Vec<usize>,
    /// Channels that the server has ended before the start.
    ended_early: BTreeSet<Token>,
    timer: Timer,
    commands: Commands,
    messages: W,
}

impl<'a, C: Channel, W: Write> EventLoop<'a, C, W> {
    /// Creates an event loop that reads commands from `commands`, and writes messages to `messages`.
    ///
    /// # Errors
    ///
    /// The system has no descriptor left.
    pub(super) fn new(config: &'a WorkerConfig, commands: File, messages: W) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        let commands = Commands::new(commands);
        registry.register(&mut SourceFd(&commands.as_raw_fd()), COMMANDS, Interest::READABLE)?;
        let timer = Timer::register(registry, TIMER)?;
        let context = Context::new(config, registry.try_clone()?, C::shared(config))?;
        let channels: Vec<_> =
            (0..config.connections).map(|index| C::new(&context, index)).collect();
        Ok(Self {
            context,
            poll,
            active: channels.len(),
            channels,
            due: 0,
            woken: Vec::new(),
            yielded: Vec::new(),
            ended_early: BTreeSet::new(),
            timer,
            commands,
            messages,
        })
    }

    /// Runs the load.
    ///
    /// # Errors
    ///
    /// The coordinator is gone, or the poll fails.
    pub(super) fn run(mut self) -> io::Result<()> {
        // One event for each channel, the commands and the timer.
        let mut events = Events::with_capacity(self.channels.len() + 2);
        if let Err(error) = self.connect_all(&mut events)? {
            let (websocket, login) =
                (websocket::Error::inside(&error), login::Error::inside(&error));
            let (kind, text) = match (websocket, login) {
                _ if let Some(room) = room::Error::inside(&error) => {
                    (ErrorKind::Room, room.with_advice())
                }
                (Some(websocket), _) => (ErrorKind::Websocket, websocket.with_advice()),
                (_, Some(login)) => (ErrorKind::Login, login.with_advice()),
                _ if error.kind() == Io::InvalidData => (ErrorKind::Tls, error.to_string()),
                _ => (ErrorKind::Connect, error.to_string()),
            };
            let errno = error.raw_os_error();
            return self.send(&WorkerMessage::Failed { kind, errno, text });
        }
        self.send(&WorkerMessage::Ready)?;
        while !self.commands.has_started() && !self.commands.has_stopped() {
            self.wait(&mut events, None)?;
            self.record_early_ends(&events);
        }
        self.context.stats.ended_early = self.ended_early.len() as u64;
        let summary = self.work(&mut events)?;
        self.send(&WorkerMessage::Done(summary))
    }

    /// Connects all channels, a limited number at a time. The inner error is that of a connection.
    fn connect_all(&mut self, events: &mut Events) -> io::Result<io::Result<()>> {
        let (mut next, mut connecting) = (0, 0);
        let (timeout, mut last_event) = (self.context.config.timeout, self.context.now());
        while next < self.channels.len() || connecting > 0 {
            let mut is_full = false;
            while next < self.channels.len() && connecting < MAX_CONNECTING && !is_full {
                let channel = &mut self.channels[next];
                match channel.connect(&mut self.context) {
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
            let left = (last_event + timeout).saturating_sub(self.context.now());
            self.wait(events, Some(if is_full { left.min(BACKLOG_PAUSE) } else { left }))?;
            if !events.is_empty() {
                last_event = self.context.now();
            } else if left.is_zero() {
                let late = self.channels.iter().find_map(|it| it.late_handshake(timeout));
                return Ok(Err(late.unwrap_or_else(|| Io::TimedOut.into())));
            }
            self.record_early_ends(events);
            match self.finish_connects(events) {
                Ok(connected) => connecting -= connected,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    /// Finishes the connections whose sockets are ready; returns how many.
    fn finish_connects(&mut self, events: &Events) -> io::Result<usize> {
        let mut connected = 0;
        for event in events {
            if let Some(channel) = self.channels.get_mut(event.token().0)
                && channel.is_connecting()
            {
                channel.finish_connect(&mut self.context)?;
                connected += usize::from(!channel.is_connecting());
            }
        }
        Ok(connected)
    }

    /// Records the channels that the server ends before the start.
    fn record_early_ends(&mut self, events: &Events) {
        let ended = events.iter().filter(|event| event.is_read_closed()).map(Event::token);
        self.ended_early.extend(ended.filter(|token| token.0 < self.channels.len()));
    }

    /// Runs from the start to the end; returns the last message.
    fn work(&mut self, events: &mut Events) -> io::Result<Summary> {
        self.context.start_clock();
        let mut timing = Timing::new(self.context.config);
        // Events that arrived before the start are not repeated.
        self.for_each(C::drive);
        while self.active > 0 {
            let now = self.context.now();
            self.apply(&mut timing, now)?;
            self.send_due();
            let until = timing.next_wakeup(now).saturating_sub(self.context.now());
            let sleeps = self.arm_timer()? && self.yielded.is_empty();
            let is_polled = self.wait(events, Some(if sleeps { until } else { Duration::ZERO }))?;
            timing.mark_idle(events.is_empty() && sleeps, self.context.now());
            self.handle_events(events);
            // This process may have been stopped, and bytes that arrived meanwhile may not be received yet. The
            // bytes that arrived until `now` are, since the poll is later.
            if is_polled && now >= timing.next_check {
                timing.next_check = now + CHECK_INTERVAL;
                self.for_each(|channel, context| channel.check_timeouts(context, now));
            }
        }
        self.send_observations()?;
        let (worked, cpu) = timing.work(self.context.now());
        C::finalize(&self.channels, &mut self.context);
        let warmup = self.context.config.warmup;
        let has_messages = self.context.stats.messages > 0;
        Ok(Summary {
            since: timing.start_report(self.context.now(), has_messages),
            stats: std::mem::take(&mut self.context.stats),
            measured: self.context.last_progress.saturating_sub(warmup),
            cpu,
            tls_cpu: timing.tls_cpu(),
            worked: worked.saturating_sub(warmup),
        })
    }

    /// Reports, ends the warm-up, and stops, each at its time. A report is about the time before it.
    fn apply(&mut self, timing: &mut Timing, now: Duration) -> io::Result<()> {
        if timing.take_report(now) {
            let has_messages = self.context.stats.messages > 0;
            let progress = Progress {
                since: timing.start_report(now, has_messages),
                stats: std::mem::take(&mut self.context.stats),
                connections: self.open_channels(),
            };
            self.send(&WorkerMessage::Progress(progress))?;
            self.send_observations()?;
        }
        if timing.take_warmup_end(now)
            && let Some(schedule) = &mut self.context.schedule
        {
            schedule.end_warmup();
            self.for_each(C::drop_warmup);
        }
        if (timing.is_over(now) || self.commands.has_stopped()) && !self.context.is_stopping {
            self.stop(now);
            timing.set_give_up(now);
        }
        if timing.take_give_up(now) {
            self.for_each(C::drop_unsent);
        }
        Ok(())
    }

    /// Sends nothing new. What is due is still sent, whether or not this process has been in time.
    fn stop(&mut self, now: Duration) {
        self.context.is_stopping = true;
        if let Some(schedule) = &mut self.context.schedule {
            schedule.stop(now);
        }
        self.send_due();
        self.for_each(C::stop);
    }

    /// Drives the channels that have an event, and those that yielded before.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn handle_events(&mut self, events: &Events) {
        let mut yielded = std::mem::take(&mut self.yielded);
        for (turns, event) in events.iter().enumerate() {
            self.with_channel(event.token().0, |channel, context| {
                channel.handle_event(context, event);
            });
            // A constant, so other channels have no branch here.
            if C::TURNS_BETWEEN_SENDS < usize::MAX
                && turns % C::TURNS_BETWEEN_SENDS == C::TURNS_BETWEEN_SENDS - 1
            {
                self.send_due();
            }
        }
        for index in yielded.drain(..) {
            self.with_channel(index, C::drive);
        }
    }

    /// Open loop: tells the channels which messages are due. Messages that become due in the meantime have
    /// to wait: otherwise a process that cannot keep up would never receive.
    fn send_due(&mut self) {
        let Some(schedule) = &self.context.schedule else { return };
        let due = schedule.due_count(self.context.now());
        let count = schedule.channels();
        let mut woken = std::mem::take(&mut self.woken);
        // Each channel once, however many messages are due.
        for number in self.due..due.min(self.due + count) {
            let channel = number % count;
            let index = usize::try_from(channel).expect("the index of a channel");
            let due = schedule.channel_count(due, channel);
            if !self.channels[index].is_finished() && self.channels[index].extend_backlog(due) {
                woken.push(index);
            }
        }
        self.due = due;
        for index in woken.drain(..) {
            self.with_channel(index, C::drive);
        }
        self.woken = woken;
    }

    /// Open loop: arms the timer for the next message; returns `false` if one is due now.
    fn arm_timer(&self) -> io::Result<bool> {
        let schedule = self.context.schedule.as_ref();
        let Some(due) = schedule.and_then(|schedule| schedule.due_at(self.due)) else {
            return Ok(true);
        };
        let left = due.saturating_sub(self.context.now());
        if left.is_zero() {
            return Ok(false);
        }
        self.timer.arm(left)?;
        Ok(true)
    }

    /// Returns the number of channels that are connected.
    fn open_channels(&self) -> u64 {
        self.channels.iter().filter(|channel| channel.is_open()).count() as u64
    }

    fn for_each(&mut self, mut action: impl FnMut(&mut C, &mut Context<'a, C::Shared>)) {
        for index in 0..self.channels.len() {
            self.with_channel(index, &mut action);
        }
    }

    /// Calls `action` with the channel of this index, unless there is none, or it is finished.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn with_channel(
        &mut self,
        index: usize,
        action: impl FnOnce(&mut C, &mut Context<'a, C::Shared>),
    ) {
        if let Some(channel) = self.channels.get_mut(index)
            && !channel.is_finished()
        {
            action(channel, &mut self.context);
            self.active -= usize::from(channel.is_finished());
            if channel.take_yielded() {
                self.yielded.push(index);
            }
        }
    }

    /// Waits for events, and receives commands. Returns `false` if a signal interrupted the wait.
    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<bool> {
        let is_polled = match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == Io::Interrupted => false,
            polled => polled.map(|()| true)?,
        };
        if events.iter().any(|event| event.token() == COMMANDS) {
            self.commands.receive()?;
        }
        Ok(is_polled)
    }

    /// Reports the connections that have ended, if they are observed.
    fn send_observations(&mut self) -> io::Result<()> {
        let observations = std::mem::take(&mut self.context.observations);
        for part in observations.chunks(MAX_OBSERVATIONS) {
            self.send(&WorkerMessage::Observed(part.to_vec()))?;
        }
        Ok(())
    }

    fn send(&mut self, message: &WorkerMessage) -> io::Result<()> {
        self.messages.write_all(encode(message).as_bytes())?;
        self.messages.flush()
    }
}

#[cfg(test)]
mod tests;
