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

use super::payload::{Cursor, Streams};

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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_not_come_back_whole_is_sent_again() {
        let streams = Streams::new(7, 10..=20);
        let (mut conversation, wire) = all_sent(&streams, 5);
        let first = wire.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        let mut buffer = vec![0; wire.len()];
        let whole = |_, _| {};
        conversation.receive(&streams, &wire[..first + 3], &mut buffer, whole).unwrap();
        assert_eq!(conversation.send_again(&streams), 4);

        let mut again = Vec::new();
        conversation.send(&streams, &mut again, &mut [0; 10]).unwrap();
        assert_eq!(again, wire[first..]);
        let mut lines = Vec::new();
        let whole = |since, count| lines.push((since, count));
        conversation.receive(&streams, &again, &mut buffer, whole).unwrap();
        assert_eq!(lines, [(SECOND, 1), (2 * SECOND, 1), (3 * SECOND, 1), (4 * SECOND, 1)]);
        assert_eq!((conversation.under_way(), conversation.owed_bytes()), (0, 0));
    }

    /// Takes so many bytes at a time, then would block.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(std::mem::take(&mut self.1));
            self.0.extend_from_slice(&bytes[..len]);
            if len == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn all_sent(streams: &Streams, lines: u32) -> (Conversation, Vec<u8>) {
        let mut conversation = Conversation::new(streams, 3);
        (0..lines).for_each(|line| conversation.allow(streams, 1, SECOND * line));
        let mut wire = Vec::new();
        conversation.send(streams, &mut wire, &mut [0; 10]).unwrap();
        (conversation, wire)
    }

    #[test]
    fn nothing_is_sent_that_is_not_allowed() {
        let streams = Streams::new(1, 8..=8);
        let (mut conversation, wire) = all_sent(&streams, 2);
        assert_eq!(wire.len(), 16);
        assert_eq!((conversation.under_way(), conversation.owed_lines(&streams)), (2, 2));
        assert_eq!(conversation.send(&streams, &mut Vec::new(), &mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn each_whole_line_is_timed_from_its_own_time() {
        let streams = Streams::new(1, 8..=8);
        let (mut conversation, wire) = all_sent(&streams, 3);
        let mut times = Vec::new();
        conversation
            .receive(&streams, &wire[..17], &mut [0; 64], |at, lines| times.push((at, lines)))
            .unwrap();
        assert_eq!(times, [(Duration::ZERO, 1), (SECOND, 1)]);
        assert_eq!((conversation.under_way(), conversation.returned().offset()), (1, 17));
    }

    #[test]
    fn a_line_that_was_begun_is_owed() {
        let streams = Streams::new(1, 8..=8);
        let mut conversation = Conversation::new(&streams, 0);
        conversation.allow(&streams, 3, SECOND);
        conversation.send(&streams, &mut Narrow(Vec::new(), 9), &mut [0; 64]).unwrap();
        assert_eq!((conversation.under_way(), conversation.owed_lines(&streams)), (3, 2));
        assert!(conversation.has_unsent());
    }

    #[test]
    fn a_wrong_byte_is_found_where_it_is() {
        let streams = Streams::new(1, 8..=8);
        for at in 0..24 {
            let (mut conversation, mut wire) = all_sent(&streams, 3);
            wire[at] ^= 1;
            let mut lines = 0;
            let found =
                conversation.receive(&streams, &wire, &mut [0; 64], |_, whole| lines += whole);
            assert_eq!((found, lines), (Err(Difference { right: at }), at as u64 / 8));
        }
    }

    #[test]
    fn bytes_that_were_not_sent_are_wrong_even_if_they_would_be_next() {
        let streams = Streams::new(1, 8..=8);
        let mut conversation = Conversation::new(&streams, 0);
        conversation.allow(&streams, 1, SECOND);
        let mut socket = Narrow(Vec::new(), 3);
        conversation.send(&streams, &mut socket, &mut [0; 64]).unwrap();
        let mut next = [0; 8];
        streams.fill(&streams.cursor(0), &mut next);
        let found = conversation.receive(&streams, &next, &mut [0; 64], |_, _| ());
        assert_eq!(found, Err(Difference { right: 3 }));
    }

    proptest! {
        #[test]
        fn any_pieces_of_the_right_bytes_are_right(seed: u64, pieces in proptest::collection::vec(1_usize..60, 1..60)) {
            let streams = Streams::new(seed, 1..=30);
            let mut conversation = Conversation::new(&streams, 9);
            let mut wire = Narrow(Vec::new(), 0);
            let (mut back, mut lines) = (0, 0);
            for piece in pieces {
                conversation.allow(&streams, 1, SECOND);
                wire.1 = piece;
                conversation.send(&streams, &mut wire, &mut [0; 16]).unwrap();
                let here = (wire.0.len() - back).min(piece / 2);
                let received = &wire.0[back..back + here];
                prop_assert!(conversation.receive(&streams, received, &mut [0; 64], |_, whole| lines += whole).is_ok());
                back += here;
            }
            prop_assert_eq!(conversation.returned_lines(), lines);
            prop_assert_eq!(conversation.returned().offset(), back as u64);
        }
    }
}
