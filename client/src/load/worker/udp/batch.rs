//! Batch of datagrams: those to send, with the system calls that send several at a time, and those that were received.
//!
//! All sockets of a process share one batch. A single datagram has a call of its own, which costs less. Datagrams of the same
//! length are sent as one message, which the system splits into segments (UDP segmentation offload, GSO). They arrive as if they
//! were sent one by one.

use std::{
    array,
    io::{self, IoSlice},
};

use common::protocol::MAX_DATAGRAM;
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use rustix::{
    io::Errno,
    net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg},
};
use socket2::Socket;

use super::received::{BATCH, Received};
use crate::load::worker::io::socket::transmit;

/// Maximum number of bytes of a message with segments: that of a datagram.
const MAX_MESSAGE: usize = MAX_DATAGRAM as usize;

/// Datagrams to send, and those that were received last.
#[derive(Debug)]
pub(in crate::load::worker) struct Batch {
    /// Datagrams to send, one after the other.
    composed: Box<[u8]>,
    /// Number of datagrams to send.
    count: usize,
    /// End of each datagram to send.
    ends: [usize; BATCH],
    pub(super) received: Received,
}

/// Segmentation offload of one socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Segmentation {
    /// Length of each segment; `None`: each datagram is a message of its own.
    len: Option<usize>,
}

impl Segmentation {
    /// Makes the system split what a socket sends into segments of this length, if it can.
    pub(super) fn enable(socket: &Socket, len: usize) -> Self {
        let is_enabled = 2 * len <= MAX_MESSAGE
            && i32::try_from(len).is_ok_and(|len| setsockopt(socket, UdpGsoSegment, &len).is_ok());
        Self { len: is_enabled.then_some(len) }
    }

    /// Returns the maximum number of datagrams that are sent in one call.
    pub(super) fn max_batch(self) -> usize {
        self.len.map_or(BATCH, |len| (MAX_MESSAGE / len).min(BATCH))
    }

    fn disable(&mut self, socket: &Socket) -> io::Result<()> {
        self.len = None;
        Ok(setsockopt(socket, UdpGsoSegment, &0)?)
    }
}

impl Batch {
    /// Creates a batch of datagrams, of which one to send has at most `max_size` bytes.
    pub(super) fn new(max_size: usize) -> Self {
        Self {
            composed: vec![0; BATCH * max_size].into(),
            count: 0,
            ends: [0; BATCH],
            received: Received::new(),
        }
    }

    /// Composes the datagrams to send, at most [`BATCH`]. `write` writes the one with this index to the start of a buffer, and
    /// returns its length.
    pub(super) fn compose(
        &mut self,
        count: usize,
        mut write: impl FnMut(usize, &mut [u8]) -> usize,
    ) {
        let mut end = 0;
        for (index, bound) in self.ends[..count].iter_mut().enumerate() {
            end += write(index, &mut self.composed[end..]);
            *bound = end;
        }
        self.count = count;
    }

    /// Sends the composed datagrams on a connected socket, as far as it takes them; returns how many, at least one. If the
    /// system refuses segmentation, it sends each datagram as a message of its own, from then on.
    ///
    /// # Errors
    ///
    /// An error of `send(2)` about the first datagram.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    pub(super) fn send(
        &self,
        socket: &Socket,
        segmentation: &mut Segmentation,
    ) -> io::Result<usize> {
        if segmentation.len.is_some() {
            match transmit(socket, &self.composed[..self.ends[self.count - 1]]) {
                Ok(_) => return Ok(self.count),
                Err(error) if is_refusal(&error) => segmentation.disable(socket)?,
                Err(error) => return Err(error),
            }
        }
        if self.count == 1 {
            return transmit(socket, &self.composed[..self.ends[0]]).map(|_| 1);
        }
        let mut start = 0;
        let slices: [_; BATCH] = array::from_fn(|index| {
            let end = if index < self.count { self.ends[index] } else { start };
            [IoSlice::new(&self.composed[std::mem::replace(&mut start, end)..end])]
        });
        let mut control: [_; BATCH] = array::from_fn(|_| SendAncillaryBuffer::default());
        let mut parts = slices.iter().zip(&mut control);
        let mut messages: [_; BATCH] = array::from_fn(|_| {
            let (slice, control) = parts.next().expect("as many as messages");
            MMsgHdr::new(slice, control)
        });
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(sendmmsg(socket, &mut messages[..self.count], flags)?)
    }

    /// Returns the number of bytes of the first `count` composed datagrams, of which there is at least one.
    pub(super) fn len_of_first(&self, count: usize) -> usize {
        self.ends[count - 1]
    }
}

/// Returns `true` if an error may mean that the system refuses segmentation on this path: a datagram is longer than its MTU, or
/// the device has no checksums (`udp(7)`).
fn is_refusal(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    [Errno::INVAL, Errno::MSGSIZE, Errno::IO].map(Some).contains(&errno)
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use nix::{libc, setsockopt_impl, sys::socket::sockopt::SetBool};

    use super::*;

    #[derive(Clone, Copy, Debug)]
    struct NoChecksum;

    setsockopt_impl!(NoChecksum, libc::SOL_SOCKET, libc::SO_NO_CHECK, bool, SetBool);

    /// Returns two sockets that are connected to each other.
    fn pair() -> (Socket, UdpSocket) {
        let [one, other] = [0, 1].map(|_| UdpSocket::bind(("127.0.0.1", 0)).unwrap());
        one.connect(other.local_addr().unwrap()).unwrap();
        other.connect(one.local_addr().unwrap()).unwrap();
        other.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        (one.into(), other)
    }

    /// Expects datagrams of these lengths, of which each byte is the index, as [`write`] writes them.
    fn expect(other: &UdpSocket, lens: &[usize]) {
        let mut buffer = vec![0; 65_536];
        for (index, &len) in lens.iter().enumerate() {
            let received = other.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..received], vec![u8::try_from(index).unwrap(); len]);
        }
    }

    /// Writes as many bytes as `lens` has for this index, of which each is the index.
    fn write(lens: &[usize]) -> impl Fn(usize, &mut [u8]) -> usize {
        |index, buffer| {
            buffer[..lens[index]].fill(u8::try_from(index).unwrap());
            lens[index]
        }
    }

    #[test]
    fn datagrams_of_any_length_arrive_in_their_order() {
        let (one, other) = pair();
        for lens in [&[7][..], &[16, 1, 65_507, 0, 3], &[64; BATCH]] {
            let mut batch = Batch::new(65_507);
            batch.compose(lens.len(), write(lens));
            assert_eq!(batch.send(&one, &mut Segmentation::default()).unwrap(), lens.len());
            assert_eq!(batch.len_of_first(lens.len()), lens.iter().sum::<usize>());
            expect(&other, lens);
        }
    }

    #[test]
    fn the_segments_of_a_message_arrive_as_datagrams() {
        let (one, other) = pair();
        let mut segmentation = Segmentation::enable(&one, 16);
        assert_eq!(segmentation.max_batch(), BATCH);
        for count in [1, 2, BATCH] {
            let mut batch = Batch::new(16);
            batch.compose(count, write(&[16; BATCH]));
            assert_eq!(batch.send(&one, &mut segmentation).unwrap(), count);
            expect(&other, &[16; BATCH][..count]);
        }
        assert!(segmentation.len.is_some());
    }

    /// The result must not be the number of composed datagrams, because the caller marks as many as sent.
    #[test]
    fn datagrams_before_an_error_are_sent_and_counted() {
        let (one, other) = pair();
        drop(other);
        let mut batch = Batch::new(1);
        batch.compose(2, write(&[1, 1]));
        // The system reports that nobody has received the first datagram when the second one is sent.
        assert_eq!(batch.send(&one, &mut Segmentation::default()).unwrap(), 1);
    }

    /// The system splits only messages with a checksum.
    #[test]
    fn a_refused_segmentation_ends_and_all_datagrams_are_sent() {
        let (one, other) = pair();
        setsockopt(&one, NoChecksum, &true).unwrap();
        let mut segmentation = Segmentation::enable(&one, 16);
        let mut batch = Batch::new(16);
        for _ in 0..2 {
            batch.compose(3, write(&[16; 3]));
            assert_eq!(batch.send(&one, &mut segmentation).unwrap(), 3);
            expect(&other, &[16; 3]);
            assert!(segmentation.len.is_none());
        }
    }

    #[test]
    fn a_message_with_segments_is_at_most_as_long_as_the_longest_datagram() {
        let (one, _other) = pair();
        for (len, max) in [(64, BATCH), (2047, BATCH), (2048, 31), (32_753, 2), (32_754, BATCH)] {
            assert_eq!(Segmentation::enable(&one, len).max_batch(), max, "{len}");
        }
    }
}
