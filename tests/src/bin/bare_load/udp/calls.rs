//! System calls that send and receive the datagrams of a socket.

use std::{
    io::{IoSlice, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd as _,
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg},
};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::args::Calls;

/// Maximum number of datagrams of a batch.
const BATCH: usize = 64;

/// Length of the number at the start of a datagram: eight letters, so that a log shows the datagram as text.
pub(super) const NUMBER: usize = 8;

/// What has arrived in one call.
pub(super) struct Arrived {
    /// Number of datagrams.
    pub(super) count: usize,
    /// Number that the last one begins with.
    pub(super) last: u32,
    /// The socket may have more.
    pub(super) has_more: bool,
}

/// System calls with their buffers, which all sockets share.
pub(super) enum Exchange {
    Batch(Box<Batch>),
    Single { sent: Vec<u8>, received: Vec<u8> },
}

pub(super) struct Batch {
    size: usize,
    sent: Vec<u8>,
    received: Vec<u8>,
    sends: MultiHeaders<()>,
    receives: MultiHeaders<()>,
}

impl Exchange {
    /// Prepares the exchange of datagrams of `size` bytes.
    pub(super) fn new(calls: Calls, size: usize) -> Self {
        match calls {
            Calls::Batch => Self::Batch(Box::new(Batch {
                size,
                sent: vec![b'x'; BATCH * size],
                received: vec![0; BATCH * size],
                sends: MultiHeaders::preallocate(BATCH, None),
                receives: MultiHeaders::preallocate(BATCH, None),
            })),
            Calls::Single => Self::Single { sent: vec![b'x'; size], received: vec![0; size] },
        }
    }

    /// Receives at most `max` datagrams, which is not 0. `None`: none has arrived.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        max: usize,
    ) -> anyhow::Result<Option<Arrived>> {
        match self {
            Self::Batch(batch) => batch.receive(socket, max.min(BATCH)),
            Self::Single { received, .. } => {
                match recv(socket, &mut received[..], RecvFlags::DONTWAIT) {
                    Ok(_) => Ok(Some(Arrived { count: 1, last: number(received), has_more: true })),
                    Err(rustix::io::Errno::AGAIN) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Sends at most `count` datagrams with the numbers from `first` on. Returns how many it has sent.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        first: u32,
        count: usize,
    ) -> anyhow::Result<usize> {
        match self {
            Self::Batch(batch) => batch.send(socket, first, count.min(BATCH)),
            Self::Single { sent, .. } => {
                sent[..NUMBER].copy_from_slice(&letters(first));
                send(socket, sent, SendFlags::empty())?;
                Ok(1)
            }
        }
    }
}

impl Batch {
    fn receive(&mut self, socket: &UdpSocket, max: usize) -> anyhow::Result<Option<Arrived>> {
        let mut rooms = self.received.chunks_exact_mut(self.size);
        let mut slices: [_; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let (slices, flags) = (slices[..max].iter_mut(), MsgFlags::MSG_DONTWAIT);
        match recvmmsg(socket.as_raw_fd(), &mut self.receives, slices, flags, None) {
            Ok(arrived) => {
                let count = arrived.count();
                let last = number(&self.received[(count - 1) * self.size..]);
                Ok(Some(Arrived { count, last, has_more: count == max }))
            }
            Err(Errno::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&mut self, socket: &UdpSocket, first: u32, count: usize) -> anyhow::Result<usize> {
        for (number, datagram) in (first..).zip(self.sent.chunks_exact_mut(self.size).take(count)) {
            datagram[..NUMBER].copy_from_slice(&letters(number));
        }
        let mut datagrams = self.sent.chunks_exact(self.size);
        let slices: [_; BATCH] =
            std::array::from_fn(|_| [IoSlice::new(datagrams.next().unwrap_or_default())]);
        // The socket is connected.
        let addresses: [Option<()>; BATCH] = [None; BATCH];
        let (slices, flags) = (&slices[..count], MsgFlags::empty());
        let sent = sendmmsg(socket.as_raw_fd(), &mut self.sends, slices, addresses, [], flags)?;
        Ok(sent.count())
    }
}

/// Addend that turns eight digits of four bits into letters.
const LETTERS: u64 = u64::from_ne_bytes([b'a'; NUMBER]);

/// Writes a number in letters, four bits each.
fn letters(number: u32) -> [u8; NUMBER] {
    let halves = (u64::from(number) | u64::from(number) << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    (digits + LETTERS).to_le_bytes()
}

/// Returns the number at the start of a datagram. A shorter one belongs to another load.
fn number(datagram: &[u8]) -> u32 {
    let Some(letters) = datagram.first_chunk() else { return 0 };
    let digits = u64::from_le_bytes(*letters).wrapping_sub(LETTERS);
    let bytes = (digits | digits >> 4) & 0x00ff_00ff_00ff_00ff;
    let halves = bytes | bytes >> 8;
    let [one, two, _, _, three, four, _, _] = halves.to_le_bytes();
    u32::from_le_bytes([one, two, three, four])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_survives_as_letters() {
        for sent in [0, 1, 0x1234_5678, 0xfedc_ba98, u32::MAX] {
            let letters = letters(sent);
            assert!(letters.iter().all(u8::is_ascii_lowercase));
            assert_eq!(number(&letters), sent);
        }
    }
}
