//! Round trips over a stream: a line, and exactly that line back.
//!
//! Owns the decision when to reconnect.

use std::{
    slice,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags};
use socket2::SockAddr;

use crate::{
    echo::{
        exchange::{exchange, ping},
        exit::close_gracefully,
    },
    net::{
        self,
        poll::{Deadline, Interrupt, poll},
        stream::Stream,
        target::{ConnectionTimes, Target},
    },
};

use super::{
    error::Error,
    transport::{OnUnexpected, Transport},
};

/// Path to a server over one connection at a time.
pub(super) struct StreamTransport<'p> {
    pub(super) target: &'p Target,
    /// Address that answered first. The name is resolved once, as ping(8) does.
    pub(super) address: SockAddr,
    pub(super) interrupt: &'p Interrupt,
    /// `None` after a lost round trip: a late reply must not be taken for the next one.
    pub(super) stream: Option<Stream<'p>>,
    /// Times of the last connection, until they are recorded.
    pub(super) connection_times: Option<ConnectionTimes>,
    /// Round trips are pings and pongs of WebSocket, in place of messages.
    pub(super) uses_pings: bool,
}

impl<'p> StreamTransport<'p> {
    fn connect(&mut self) -> Result<Stream<'p>, Error> {
        let deadline = Deadline::after(self.target.timeout);
        let address = slice::from_ref(&self.address);
        let connected = self.target.connect_to(address, deadline, Some(self.interrupt))?;
        self.connection_times = Some(connected.times);
        Ok(connected.stream)
    }
}

impl Transport for StreamTransport<'_> {
    fn server(&self) -> String {
        self.target.show(&self.address)
    }

    /// Exchanges one message. The time does not include a reconnect.
    fn round_trip(
        &mut self,
        seq: u64,
        size: usize,
        _: OnUnexpected<'_>,
    ) -> Result<Duration, Error> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        // A message of a WebSocket has no newline.
        let payload = payload(seq, size + usize::from(stream.is_websocket()));
        let start = Instant::now();
        if self.uses_pings {
            ping(&stream, &payload[..size])?;
        } else {
            exchange(&stream, &payload)?;
        }
        let time = start.elapsed();
        self.stream = Some(stream);
        Ok(time)
    }

    fn wait(&mut self, until: Deadline, _: OnUnexpected<'_>) -> Result<(), Error> {
        // A WebSocket answers the pings of the server meanwhile. What else arrives belongs to the next round trip.
        if let Some(stream) = self.stream.as_ref().filter(|stream| stream.is_websocket()) {
            match stream.wait(false, None, until) {
                Err(net::Error::NoReply(_)) => return Ok(()),
                ready => ready?,
            };
        }
        let mut fds = [PollFd::new(self.interrupt, PollFlags::IN)];
        match poll(&mut fds, until) {
            Ok(()) if fds[0].revents().is_empty() => Ok(()),
            _ => Err(net::Error::Interrupted.into()),
        }
    }

    fn take_connection_times(&mut self) -> Option<ConnectionTimes> {
        self.connection_times.take()
    }

    fn advice(&self, error: &Error) -> Option<String> {
        let tip = || {
            let tip = self.target.tip(error.sign()?, self.target.tls.is_some())?;
            Some(format!("Tip: {tip}"))
        };
        error.advice().or_else(tip)
    }

    fn close(self) {
        if let Some(stream) = self.stream {
            close_gracefully(stream);
        }
    }
}

/// Returns a line of `size` bytes with its newline. It starts with the number of the round trip, so no two
/// lines are equal, and none reads as an exit.
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
    fn a_payload_is_one_line_of_its_size_and_never_an_exit() {
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
