//! Waiting: for readiness, with a deadline, and never deaf to Ctrl+C.
//!
//! Must not know what is waited for, nor read a byte of it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, Timespec, poll},
    io::Errno,
    net::{RecvFlags, recv},
};
use signal_hook::{consts::SIGINT, low_level::pipe};

/// The moment after which waiting is in vain.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// A deadline that does not come.
    pub const NEVER: Self = Self(None);

    /// This long from now; a time too long for the clock to hold never comes.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// How long it is until then, zero if it has passed; `None` if it does not come.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether it has passed.
    #[must_use]
    pub fn is_past(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

/// Waits until one of `fds` is ready, or until the deadline: then none of them has events.
///
/// # Errors
///
/// What `poll(2)` says, save for interruptions, after which it waits on.
pub fn wait(fds: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<()> {
    loop {
        // A time that the system's type cannot hold is as good as for ever.
        let left = deadline.left().and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, left.as_ref()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ctrl+C as something to wait for, instead of as the process's end.
#[derive(Debug)]
pub struct Interrupt(UnixStream);

impl Interrupt {
    /// From here on SIGINT no longer ends the process but makes this readable, and it stays so.
    ///
    /// # Errors
    ///
    /// No descriptor was left, or the system refused the handler.
    pub fn on_ctrl_c() -> io::Result<Self> {
        Self::on(&[SIGINT])
    }

    /// The same for several signals.
    ///
    /// # Errors
    ///
    /// As [`Interrupt::on_ctrl_c`].
    pub fn on(signals: &[i32]) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        for &signal in signals {
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self(read))
    }

    /// Takes the interrupt back, as one that has been heard; `true` if it was raised.
    #[must_use]
    pub fn take(&self) -> bool {
        let mut raised = [0; 64];
        let mut was_raised = false;
        while recv(&self.0, &mut raised, RecvFlags::DONTWAIT).is_ok_and(|(count, _)| count > 0) {
            was_raised = true;
        }
        was_raised
    }
}

impl From<UnixStream> for Interrupt {
    /// An interrupt that somebody else raises, by writing to the other end.
    fn from(read: UnixStream) -> Self {
        Self(read)
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::PollFlags;
    use std::io::Write as _;

    #[test]
    fn a_time_too_long_for_any_clock_never_comes() {
        assert!(Deadline::after(Duration::MAX).left().is_none());
        assert!(!Deadline::NEVER.is_past());
        assert!(Deadline::after(Duration::ZERO).is_past());
    }

    #[test]
    fn an_interrupt_stays_raised_until_it_is_taken() {
        let (read, mut write) = UnixStream::pair().unwrap();
        let interrupt = Interrupt::from(read);
        assert!(!interrupt.take());
        write.write_all(b"!!").unwrap();
        for _ in 0..2 {
            let mut fds = [PollFd::new(&interrupt, PollFlags::IN)];
            wait(&mut fds, Deadline::NEVER).unwrap();
            assert!(!fds[0].revents().is_empty());
        }
        assert!(interrupt.take());
        assert!(!interrupt.take());
    }
}
