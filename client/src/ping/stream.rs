//! Round trips over a connection: a line, and exactly that line back.
//!
//! Owns when to connect anew. Must not know how a message travels, nor what is made of its time.

use std::{
    slice,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags};
use socket2::SockAddr;

use crate::ping::run::{OnAside, Route};
use crate::{
    echo::exchange::{exchange, take_leave},
    net::{
        error::Error,
        poll::{Deadline, Interrupt, wait},
        stream::Link,
        target::Target,
    },
};

/// The way to a server over connections, one after the other.
pub(super) struct Stream<'p> {
    pub(super) target: &'p Target,
    /// The address that answered at first; a name is looked up once, as ping(8) does.
    pub(super) address: SockAddr,
    pub(super) interrupt: &'p Interrupt,
    /// `None` after a lost round trip: a reply that comes late must not answer the next.
    pub(super) link: Option<Link<'p>>,
}

impl<'p> Stream<'p> {
    fn connect(&self) -> Result<Link<'p>, Error> {
        let deadline = Deadline::after(self.target.timeout);
        self.target
            .connect_to(slice::from_ref(&self.address), deadline, Some(self.interrupt))
            .map(|(link, _)| link)
    }
}

impl Route for Stream<'_> {
    fn server(&self) -> String {
        self.target.show(&self.address)
    }

    /// Connects if need be, which is not part of the time, and exchanges one message.
    fn round_trip(&mut self, seq: u64, size: usize, _: OnAside<'_>) -> Result<Duration, Error> {
        let link = match self.link.take() {
            Some(link) => link,
            None => self.connect()?,
        };
        let payload = payload(seq, size);
        let began = Instant::now();
        exchange(&link, &payload)?;
        let time = began.elapsed();
        self.link = Some(link);
        Ok(time)
    }

    fn rest(&mut self, until: Deadline, _: OnAside<'_>) -> Result<(), Error> {
        let mut fds = [PollFd::new(self.interrupt, PollFlags::IN)];
        match wait(&mut fds, until) {
            Ok(()) if fds[0].revents().is_empty() => Ok(()),
            _ => Err(Error::Interrupted),
        }
    }

    fn end(self) {
        if let Some(link) = self.link {
            take_leave(link);
        }
    }
}

/// A line of `size` bytes, newline included. It begins with the number of the round trip, so that no
/// two are the same and none reads as an exit.
fn payload(seq: u64, size: usize) -> Vec<u8> {
    let mut line = Vec::with_capacity(size);
    line.extend(format!("{seq} ").bytes().chain((b'a'..=b'z').cycle()).take(size - 1));
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::exit::is_exit;

    #[test]
    fn a_payload_has_its_size_is_one_line_and_no_exit() {
        for size in 1..300 {
            for seq in [1, 9, 10, u64::MAX] {
                let payload = payload(seq, size);
                assert_eq!(payload.len(), size);
                assert_eq!(payload.iter().position(|&byte| byte == b'\n'), Some(size - 1));
                assert!(!is_exit(&payload), "{payload:?}");
            }
        }
        assert_ne!(payload(1, 64), payload(2, 64));
    }
}
