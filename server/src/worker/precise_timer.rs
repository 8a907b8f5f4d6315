//! A timer that fires within microseconds, for deadlines that peers measure.
//!
//! The timeout of `epoll_wait(2)` is in milliseconds, rounded up: fine for a limit on silence, and too late for a configured
//! delay of 10 ms. Only a worker with faults on purpose has this timer.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::{
    fs::Timespec,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create,
        timerfd_settime,
    },
};

/// Token of the timer in the poll of its worker.
pub(super) const PRECISE_TIMER: Token = Token(usize::MAX - 1);

/// A `timerfd` that wakes a poll.
#[derive(Debug)]
pub(super) struct PreciseTimer(OwnedFd);

impl PreciseTimer {
    /// Creates the timer, whose events a poll reports.
    ///
    /// # Errors
    ///
    /// If the system is out of descriptors or memory.
    pub(super) fn new(registry: &Registry) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Edge-triggered: an expiry is an event, and nothing has to be read.
        registry.register(&mut SourceFd(&timer.as_raw_fd()), PRECISE_TIMER, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Makes the timer fire at `deadline`, unless it is set again.
    pub(super) fn set(&self, deadline: Instant) {
        // Zero would disarm it.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let Ok(it_value) = Timespec::try_from(left) else { return };
        let spec = Itimerspec { it_interval: zero, it_value };
        // The timeout of the poll remains, should this fail.
        let _ = timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &spec);
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn the_timer_fires_once_each_time_that_it_is_set() {
        let mut poll = Poll::new().unwrap();
        let timer = PreciseTimer::new(poll.registry()).unwrap();
        let mut events = Events::with_capacity(8);
        for _ in 0..3 {
            let deadline = Instant::now() + Duration::from_micros(500);
            timer.set(deadline);
            poll.poll(&mut events, None).unwrap();
            assert!(Instant::now() >= deadline);
            assert_eq!(
                events.iter().map(mio::event::Event::token).collect::<Vec<_>>(),
                [PRECISE_TIMER]
            );
        }
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
        timer.set(Instant::now());
        poll.poll(&mut events, None).unwrap();
        assert!(!events.is_empty(), "a deadline in the past fires as well");
    }
}
