//! The thread that asks the server, so that a server that does not answer delays no key.

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use super::series::next_due;
use crate::cli::{admin_client::Target, status::sample::Sample};

/// Samples that arrive. It is readable when there is one.
#[derive(Debug)]
pub(super) struct Sampler {
    samples: Receiver<Result<Sample, String>>,
    wakeup: UnixStream,
}

impl Sampler {
    /// Starts the thread. It ends with the program.
    pub(super) fn start(target: Target, interval: Duration) -> io::Result<Self> {
        let (wakeup, waker) = UnixStream::pair()?;
        wakeup.set_nonblocking(true)?;
        let (sender, samples) = channel();
        thread::Builder::new()
            .name("sampler".to_owned())
            .spawn(move || sample(&target, interval, &sender, waker))?;
        Ok(Self { samples, wakeup })
    }

    /// Returns the samples that have arrived.
    pub(super) fn take(&self) -> impl Iterator<Item = Result<Sample, String>> {
        // It is non-blocking, and another read follows if more has arrived.
        let _ = (&self.wakeup).read(&mut [0; 64]);
        self.samples.try_iter()
    }
}

impl AsFd for Sampler {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

/// Takes samples until nobody receives them.
fn sample(
    target: &Target,
    interval: Duration,
    sender: &Sender<Result<Sample, String>>,
    mut waker: UnixStream,
) {
    let mut due = Instant::now();
    while sender.send(Sample::take(target)).is_ok() && waker.write_all(&[1]).is_ok() {
        due = next_due(due, interval, Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
