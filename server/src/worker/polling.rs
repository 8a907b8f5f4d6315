//! Polling: the worker waits for events and records the readiness of its connections.

use std::{
    io,
    time::{Duration, Instant},
};

use mio::{
    Events,
    event::{Event, Source},
};

use super::{
    precise_timer::{PRECISE_TIMER, PreciseTimer},
    worker::Worker,
};
#[cfg(feature = "admin")]
use crate::worker::listing;
use crate::{
    connection::{Readiness, Stream},
    shared::{WAKE, WorkerMessage},
};

impl<S: Stream + Source> Worker<'_, S> {
    /// Polls, and sleeps until there is something to do. Returns the latest time before which all events
    /// have been seen, if it is known. It is unknown if the sleep was interrupted, as it is when the process
    /// was stopped and continues (`signal(7)`).
    pub(super) fn wait(&mut self, events: &mut Events) -> io::Result<Option<Instant>> {
        let idle = self.ready.is_empty() && self.ready_handshakes.is_empty();
        self.busy_poll.begin_iteration();
        // Taken before the poll: if the process is stopped after the poll, bytes that arrive during the stop
        // must not count as late.
        let mut begun = self.now;
        if idle {
            begun = Instant::now();
            self.count_busy(begun);
        }
        let polled = (idle && self.busy_poll(events)?) || self.sleep(events, idle)?;
        self.now = Instant::now();
        if idle {
            self.busy_since = self.now;
        } else {
            self.count_busy(self.now);
        }
        let reported = polled.then(|| events.iter().count());
        let sockets = self.connections.len() + self.udp_sockets.len();
        Ok(reported.and_then(|reported| self.poll_coverage.record(begun, reported, sockets)))
    }

    /// Polls, and sleeps in the poll if the worker is idle. Returns false if the poll was interrupted.
    fn sleep(&mut self, events: &mut Events, idle: bool) -> io::Result<bool> {
        let sleeps = idle && self.shared.dispatch.prepare_park(self.index);
        let timeout = if sleeps { self.until_next_deadline() } else { Some(Duration::ZERO) };
        if sleeps && self.precise_timer.is_some() {
            self.arm_precise_timer();
        }
        let polled = self.poll.poll(events, timeout);
        if sleeps {
            self.shared.dispatch.unpark(self.index);
        }
        match polled {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Busy-polls for a moment, if that is likely to succeed. Returns whether it found events.
    fn busy_poll(&mut self, events: &mut Events) -> io::Result<bool> {
        let Some(budget) = self.busy_poll.budget() else {
            return Ok(false);
        };
        let budget = self.until_next_deadline().map_or(budget, |left| left.min(budget));
        let start = Instant::now();
        let mut before = start;
        let mut elapsed = Duration::ZERO;
        while !self.shared.dispatch.has_work_for(self.index) {
            match self.poll.poll(events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                polled => polled?,
            }
            if !events.is_empty() {
                self.busy_poll.record_hit();
                return Ok(true);
            }
            // A thread that preempted this one did not use the core to send bytes to this worker.
            if self.busy_poll.was_preempted(elapsed) || before.duration_since(start) >= budget {
                self.busy_poll.record_miss();
                break;
            }
            // Another thread that needs this core gets it now, which the clock will show.
            std::thread::yield_now();
            let now = Instant::now();
            elapsed = now.duration_since(std::mem::replace(&mut before, now));
        }
        Ok(false)
    }

    /// Makes deadlines precise from now on: the worker has faults on purpose, whose delays are measured.
    #[cold]
    pub(super) fn use_precise_timer(&mut self) {
        if self.precise_timer.is_none() {
            // Without it, deadlines are up to a millisecond late.
            self.precise_timer = PreciseTimer::new(self.poll.registry()).ok();
        }
    }

    #[cold]
    #[inline(never)]
    fn arm_precise_timer(&self) {
        if let (Some(timer), Some(next)) = (&self.precise_timer, self.timers.next()) {
            timer.set(next);
        }
    }

    /// Returns the time until the next deadline. `None`: only an event ends the sleep.
    fn until_next_deadline(&self) -> Option<Duration> {
        // The next check decides whether the worker still takes no connections.
        let check = self.overloaded.then(|| self.rebalancer.next());
        let next = [self.timers.next(), self.drain_deadline, check].into_iter().flatten().min()?;
        // `self.now` is from before the last turns.
        Some(next.saturating_duration_since(Instant::now()))
    }

    pub(super) fn record_readiness(&mut self, events: &Events) {
        for event in events {
            // An event may belong to a connection that is closed, or be spurious: an extra turn is harmless.
            let Some(slot) = self.connections.get_mut(event.token().0) else {
                self.handle_other_event(event);
                continue;
            };
            let has_more = event.is_read_closed() || event.is_error() || event.is_priority();
            let readable = event.is_readable() || has_more;
            slot.connection.set_ready(Readiness { readable, has_more });
            self.queue(event.token().0);
        }
    }

    /// Handles an event that does not belong to an open connection.
    #[cold]
    fn handle_other_event(&mut self, event: &Event) {
        if event.token() == WAKE {
            self.receive_messages();
        } else if event.token() != PRECISE_TIMER {
            self.udp_sockets.handle_event(event.token(), &mut self.ready);
        }
    }

    /// Handles the messages to this worker, and changes of the UDP listeners and the users.
    pub(super) fn receive_messages(&mut self) {
        for message in self.messages.try_iter() {
            match message {
                WorkerMessage::OpenUdp(socket) => {
                    self.udp_sockets.open(*socket, self.poll.registry(), &self.telemetry);
                }
                #[cfg(feature = "admin")]
                WorkerMessage::List(request) => {
                    listing::answer(*request, &mut self.connections, self.index, self.now);
                }
            }
        }
        if let Some(ports) = self.shared.changed_udp_ports(&mut self.seen_udp_changes) {
            self.udp_sockets.update_listeners(ports, &mut self.ready);
        }
        if self.shared.faults.has_changed(&mut self.seen_fault_changes) {
            self.update_faults();
        }
        #[cfg(feature = "rooms")]
        if self.shared.rooms.has_mail(self.index) {
            self.queue_rooms();
        }
        #[cfg(feature = "login")]
        if self.shared.limits.has_removed_users(&mut self.seen_removals) {
            self.close_removed_users();
        }
    }
}
