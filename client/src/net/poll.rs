//! Waiting for readiness, with a deadline, and with Ctrl+C as one more descriptor.
//!
//! Must not read from the descriptors of others, nor know what they are.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, Timespec},
    io::Errno,
    net::{RecvFlags, recv},
};
use signal_hook::{consts::SIGINT, low_level::pipe};

use super::error::Error;

/// Time at which a wait ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// Deadline that never passes.
    pub(crate) const NEVER: Self = Self(None);

    /// Returns the deadline that passes after `time`. If the clock cannot represent it, it never passes.
    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Returns the time left, zero if the deadline has passed, or `None` if it never passes.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Returns `true` if the deadline has passed.
    pub(crate) fn is_past(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// Divides the time left: returns the deadline for the first of `count` equal parts.
    pub(crate) fn share(self, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.left().map_or(Self::NEVER, |left| Self::after(left / count))
    }
}

/// Waits until one of `fds` is ready, or until the deadline; then no descriptor has events.
///
/// # Errors
///
/// An error of `poll(2)`, except EINTR, after which the wait continues.
pub(crate) fn poll(fds: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<()> {
    loop {
        // A time that does not fit into the system's type is longer than any run.
        let left = deadline.left().and_then(|left| Timespec::try_from(left).ok());
        match rustix::event::poll(fds, left.as_ref()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Descriptor that becomes readable on Ctrl+C, which then no longer ends the process.
#[derive(Debug)]
pub(crate) struct Interrupt(UnixStream);

impl Interrupt {
    /// Turns SIGINT into readability. The descriptor stays readable until [`Interrupt::take`].
    pub(crate) fn on_ctrl_c() -> Result<Self, Error> {
        Self::on(&[SIGINT])
    }

    /// Does the same for several signals.
    pub(crate) fn on(signals: &[i32]) -> Result<Self, Error> {
        Self::register(signals).map_err(Error::system("listen for Ctrl+C"))
    }

    fn register(signals: &[i32]) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        for &signal in signals {
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self(read))
    }

    /// Clears the interrupt; returns `true` if it was raised.
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        let mut bytes = [0; 64];
        let mut was_raised = false;
        while recv(&self.0, &mut bytes, RecvFlags::DONTWAIT).is_ok_and(|(count, _)| count > 0) {
            was_raised = true;
        }
        was_raised
    }
}

impl From<UnixStream> for Interrupt {
    /// Returns an interrupt that a write to the other end raises.
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
    fn a_deadline_beyond_the_clock_never_passes() {
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
            poll(&mut fds, Deadline::NEVER).unwrap();
            assert!(!fds[0].revents().is_empty());
        }
        assert!(interrupt.take());
        assert!(!interrupt.take());
    }
}
