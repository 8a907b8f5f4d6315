//! Datagrams that were received last: their buffer, and the system calls that receive them.
//!
//! Datagrams that a server sends as segments of one message may arrive as one message too (UDP receive offload, GRO): the system
//! joins them if they pass no network that splits them. The message reports their length; the last one may be shorter. It is
//! split here, so a load does not see the difference.

use std::{
    array,
    io::{self, IoSliceMut},
    ops::Range,
    os::fd::AsRawFd as _,
};

use nix::{
    cmsg_space, libc,
    sys::socket::{
        ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, recvmmsg, setsockopt,
        sockopt::UdpGroSegment,
    },
};
use socket2::Socket;

use crate::load::worker::io::{context::CHUNK, socket::receive};

/// Maximum number of datagrams of a batch, and of messages that are received with one call.
pub(super) const BATCH: usize = 32;

/// Distance between the slots of received messages. Each slot has room for every message; what is not used costs no
/// memory. The additional cache line puts the starts of the slots into different sets of the cache.
const SLOT: usize = CHUNK + 64;

/// How one socket receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Receiving {
    /// One datagram at a time, by a call that costs less.
    #[default]
    Single,
    /// Several datagrams with one call, some of which the system may have joined.
    Several,
}

/// The received datagrams.
#[derive(Debug)]
pub(super) struct Received {
    /// Messages, each in its slot.
    bytes: Box<[u8]>,
    /// Place of each datagram.
    places: Vec<Range<usize>>,
    /// Headers for the system. After a message without the length of joined datagrams they have no room for it, because `nix` does
    /// not reset them, and are discarded.
    headers: Option<Headers>,
    /// Number of messages that the next call may find.
    expected: usize,
}

#[derive(Debug)]
struct Headers {
    headers: MultiHeaders<()>,
    /// Number of messages for which they have room.
    len: usize,
}

impl Receiving {
    /// Lets the system join the datagrams of this socket, if it can; several are received with one call from then on.
    pub(super) fn enable_offload(socket: &Socket) -> Self {
        // Without the option, each datagram is a message.
        let _ = setsockopt(socket, UdpGroSegment, &true);
        Self::Several
    }
}

impl Headers {
    fn new(len: usize) -> Self {
        let headers = MultiHeaders::preallocate(len, Some(cmsg_space!(libc::c_int)));
        Self { headers, len }
    }
}

impl Received {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BATCH * SLOT].into(),
            places: Vec::with_capacity(BATCH),
            headers: None,
            expected: 2,
        }
    }

    /// Receives datagrams in at most `max` messages, which is from 1 to [`BATCH`]. Returns `false` if the socket was empty
    /// afterwards, or the next call returns an error.
    ///
    /// # Errors
    ///
    /// An error of `recv(2)` about the first datagram.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    pub(super) fn receive(
        &mut self,
        socket: &Socket,
        receiving: Receiving,
        max: usize,
    ) -> io::Result<bool> {
        self.places.clear();
        match receiving {
            Receiving::Single => {
                let len = receive(socket, &mut self.bytes[..CHUNK])?;
                self.places.push(0..len);
                Ok(true)
            }
            Receiving::Several => self.receive_several(socket, max),
        }
    }

    fn receive_several(&mut self, socket: &Socket, max: usize) -> io::Result<bool> {
        let max = max.min(self.expected);
        let Self { bytes, places, headers, expected } = self;
        let mut slots = bytes.chunks_exact_mut(SLOT);
        let mut slices: [_; BATCH] =
            array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let slices = slices[..max].iter_mut();
        headers.take_if(|headers| headers.len < max);
        let room = headers.get_or_insert_with(|| Headers::new(max));
        let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let arrived = recvmmsg(fd, &mut room.headers, slices, flags, None)?;
        let split = split_all(arrived, places);
        if !matches!(split, Ok((_, true))) {
            *headers = None;
        }
        let (messages, _) = split?;
        *expected = (2 * messages).clamp(2, BATCH);
        Ok(messages == max)
    }

    /// Returns the number of received datagrams.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns the received datagram with this index.
    pub(super) fn datagram(&self, index: usize) -> &[u8] {
        &self.bytes[self.places[index].clone()]
    }
}

/// Adds the places of the datagrams in these messages; returns the number of messages, and `true` if each has a length of joined
/// datagrams.
fn split_all<'m>(
    messages: impl Iterator<Item = RecvMsg<'m, 'm, ()>>,
    places: &mut Vec<Range<usize>>,
) -> io::Result<(usize, bool)> {
    let (mut count, mut all_joined) = (0, true);
    for message in messages {
        let len = joined_len(&message)?;
        all_joined &= len.is_some();
        let start = count * SLOT;
        split(start..start + message.bytes, len, places);
        count += 1;
    }
    Ok((count, all_joined))
}

/// Returns the length of the datagrams that the system has joined to this message.
fn joined_len(message: &RecvMsg<'_, '_, ()>) -> io::Result<Option<usize>> {
    Ok(message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::UdpGroSegments(len) => {
            usize::try_from(len).ok().filter(|&len| len > 0)
        }
        _ => None,
    }))
}

/// Adds the places of the datagrams in a message.
fn split(message: Range<usize>, len: Option<usize>, places: &mut Vec<Range<usize>>) {
    match len {
        Some(len) if !message.is_empty() => {
            let starts = message.clone().step_by(len);
            places.extend(starts.map(|start| start..message.end.min(start + len)));
        }
        _ => places.push(message),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, net::UdpSocket};

    use nix::sys::socket::sockopt::{ReceiveTimestamp, UdpGsoSegment};

    use super::{
        Receiving::{Several, Single},
        *,
    };

    /// Returns a peer, and a socket that is connected to it and receives several datagrams at a time.
    fn pair() -> (UdpSocket, Socket) {
        let [peer, socket] = [0, 1].map(|_| UdpSocket::bind(("127.0.0.1", 0)).unwrap());
        peer.connect(socket.local_addr().unwrap()).unwrap();
        socket.connect(peer.local_addr().unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = Socket::from(socket);
        assert_eq!(Receiving::enable_offload(&socket), Several);
        (peer, socket)
    }

    /// Sends these bytes as datagrams of this length, which the system may join over loopback.
    fn send(peer: &UdpSocket, bytes: &[u8], len: i32) {
        setsockopt(peer, UdpGsoSegment, &len).unwrap();
        assert_eq!(peer.send(bytes).unwrap(), bytes.len());
    }

    /// Returns the datagrams that were received last.
    fn datagrams(received: &Received) -> Vec<&[u8]> {
        (0..received.len()).map(|index| received.datagram(index)).collect()
    }

    #[test]
    fn a_limit_leaves_the_others_for_the_next_call() {
        let (peer, socket) = pair();
        let mut received = Received::new();
        for len in 1..=4 {
            send(&peer, &[0; 4][..len], 4);
        }
        let mut lens = Vec::new();
        for (receiving, max, has_more) in
            [(Single, 1, true), (Several, 2, true), (Several, 2, false)]
        {
            assert_eq!(received.receive(&socket, receiving, max).unwrap(), has_more);
            lens.push(datagrams(&received).into_iter().map(<[u8]>::len).collect::<Vec<_>>());
        }
        assert_eq!(lens, [vec![1], vec![2, 3], vec![4]]);
        for receiving in [Single, Several] {
            let error = received.receive(&socket, receiving, 2).unwrap_err();
            assert_eq!((error.kind(), received.len()), (ErrorKind::WouldBlock, 0));
        }
    }

    /// A call finds at most twice as many messages as the last one, so a socket with few datagrams has few headers.
    #[test]
    fn calls_receive_more_as_more_arrives() {
        let (peer, socket) = pair();
        let mut received = Received::new();
        for _ in 0..30 {
            send(&peer, b"one", 3);
        }
        let mut lens = Vec::new();
        while received.receive(&socket, Several, BATCH).is_ok() {
            lens.push(received.len());
        }
        assert_eq!(lens, [2, 4, 8, 16]);
    }

    /// Headers keep the room that their last message has used: too little for the length of joined datagrams after a single one.
    #[test]
    fn joined_datagrams_and_single_ones_alternate() {
        let (peer, socket) = pair();
        let mut received = Received::new();
        let messages = [(&b"112233"[..], 2), (b"alone", 5), (b"4455", 2), (b"", 1), (b"66778", 2)];
        for first in 0..messages.len() {
            let messages = [&messages[first..], &messages[..first]].concat();
            let mut expected: Vec<&[u8]> = Vec::new();
            for (bytes, len) in &messages {
                send(&peer, bytes, *len);
                let len = usize::try_from(*len).unwrap();
                expected.extend(bytes.chunks(len));
                if bytes.is_empty() {
                    expected.push(b"");
                }
            }
            let mut all: Vec<Vec<u8>> = Vec::new();
            while received.receive(&socket, Several, BATCH).is_ok() {
                all.extend(datagrams(&received).into_iter().map(<[u8]>::to_vec));
            }
            assert_eq!(all, expected);
        }
    }

    /// All sockets share the headers, so they would fail for another one too.
    #[test]
    fn headers_are_discarded_if_they_had_too_little_room() {
        let (peer, socket) = pair();
        let mut received = Received::new();
        // The timestamp takes the room of the length.
        setsockopt(&socket, ReceiveTimestamp, &true).unwrap();
        send(&peer, b"1122", 2);
        let error = received.receive(&socket, Several, BATCH).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS));
        assert!(received.headers.is_none());
        setsockopt(&socket, ReceiveTimestamp, &false).unwrap();
        send(&peer, b"3344", 2);
        received.receive(&socket, Several, BATCH).unwrap();
        assert_eq!(datagrams(&received), [b"33", b"44"]);
    }

    #[test]
    fn joined_datagrams_are_one_message() {
        let (peer, socket) = pair();
        let mut received = Received::new();
        for _ in 0..3 {
            send(&peer, &[7; 64 * BATCH], 64);
            assert!(!received.receive(&socket, Several, BATCH).unwrap());
            assert_eq!(datagrams(&received), [[7; 64]; BATCH]);
            assert_eq!(received.expected, 2);
            assert!(received.headers.is_some(), "they are used again");
        }
    }

    #[test]
    fn an_error_is_that_of_the_first_datagram() {
        let (peer, socket) = pair();
        drop(peer);
        let mut received = Received::new();
        for receiving in [Single, Several] {
            socket.send(b"x").unwrap();
            let error = received.receive(&socket, receiving, 2).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
    }
}
