//! One connection's side of a load: what it may send, what is under way, what must come back.
//!
//! Three positions in one stream, in this order: what has come back, what has been given to the
//! socket, what may be given to it. Nothing between them is kept but the times of the lines under
//! way: the bytes are made again, when they are sent and when they are checked.
//!
//! It knows no clock and no socket; times are given to it, as they pass since the start.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write},
    time::Duration,
};

use crate::load::worker::payload::{Cursor, Streams};

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Conversation {
    /// What has come back.
    returned: Cursor,
    /// What has been given to the socket.
    sent: Cursor,
    /// What may be given to it: always the end of a line.
    allowed: Cursor,
    /// From when the lines count that are allowed and have not come back, oldest first: so many from
    /// the same moment.
    since: VecDeque<(Duration, u64)>,
}

/// The first byte that came back otherwise than it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// So many of the bytes received before it were right.
    pub right: usize,
}

impl Conversation {
    /// At the start of a connection's stream, with nothing allowed.
    #[must_use]
    pub fn new(streams: &Streams, connection: u64) -> Self {
        let start = streams.cursor(connection);
        Self {
            returned: start.clone(),
            sent: start.clone(),
            allowed: start,
            since: VecDeque::new(),
        }
    }

    /// Allows more lines, which count from `since`.
    pub fn allow(&mut self, streams: &Streams, lines: u64, since: Duration) {
        self.allowed.advance(streams, self.allowed.bytes_of(streams, lines));
        self.since.push_back((since, lines));
    }

    /// Gives the socket as much of what is allowed as it takes; says how many bytes that was.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    #[expect(clippy::inline_always, reason = "see `socket`")]
    #[inline(always)]
    pub fn send(
        &mut self,
        streams: &Streams,
        socket: &mut impl Write,
        buffer: &mut [u8],
    ) -> io::Result<u64> {
        let mut sent = 0;
        while self.has_unsent() {
            let left = self.allowed.offset() - self.sent.offset();
            let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            streams.fill(&self.sent, &mut buffer[..len]);
            match socket.write(&buffer[..len]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.sent.advance(streams, taken as u64);
                    sent += taken as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Checks bytes that have come back. For lines that are whole, calls `whole` with the time from which
    /// they count, and how many they are. `buffer` is
    /// at least as long as `received`.
    ///
    /// # Errors
    ///
    /// A byte is wrong, or had not been sent. What was right before it has been taken.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter.
    pub fn receive(
        &mut self,
        streams: &Streams,
        received: &[u8],
        buffer: &mut [u8],
        mut whole: impl FnMut(Duration, u64),
    ) -> Result<(), Difference> {
        let owed =
            usize::try_from(self.sent.offset() - self.returned.offset()).unwrap_or(usize::MAX);
        let expected = &mut buffer[..received.len()];
        streams.fill(&self.returned, expected);
        let right = if *expected == *received && received.len() <= owed {
            received.len()
        } else {
            let same = received.iter().zip(&*expected).take_while(|(one, other)| one == other);
            same.count().min(owed)
        };
        let mut lines = self.returned.advance(streams, right as u64);
        while lines > 0 {
            let (since, alike) =
                self.since.front_mut().expect("a line that was sent was allowed before");
            let now = lines.min(*alike);
            whole(*since, now);
            lines -= now;
            *alike -= now;
            if *alike == 0 {
                self.since.pop_front();
            }
        }
        if right == received.len() { Ok(()) } else { Err(Difference { right }) }
    }

    /// Whether something is allowed that the socket has not taken.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.sent.offset() < self.allowed.offset()
    }

    /// Lines that are allowed and have not come back.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.allowed.lines() - self.returned.lines()
    }

    /// Bytes of those lines that have not come back.
    #[must_use]
    pub fn bytes_under_way(&self) -> u64 {
        self.allowed.offset() - self.returned.offset()
    }

    /// Lines that the socket has taken, some byte of them at least, and that have not come back.
    #[must_use]
    pub fn owed_lines(&self, streams: &Streams) -> u64 {
        let begun = u64::from(!self.sent.is_at_line(streams));
        self.sent.lines() + begun - self.returned.lines()
    }

    /// Bytes that the socket has taken and that have not come back.
    #[must_use]
    pub fn owed_bytes(&self) -> u64 {
        self.sent.offset() - self.returned.offset()
    }

    /// The socket is gone, and what it had taken will not come back: whatever line has not come back
    /// whole is to be sent again, and counts from when it did. Returns how many of them it had taken.
    pub fn send_again(&mut self, streams: &Streams) -> u64 {
        let lines = self.owed_lines(streams);
        self.returned.rewind(streams);
        self.sent = self.returned.clone();
        lines
    }

    /// Lines that have come back.
    #[must_use]
    pub fn returned_lines(&self) -> u64 {
        self.returned.lines()
    }

    /// Where the next byte to come back belongs.
    #[must_use]
    pub fn returned(&self) -> &Cursor {
        &self.returned
    }

    /// How many bytes the socket has taken.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.sent.offset()
    }
}

#[cfg(test)]
mod tests;
