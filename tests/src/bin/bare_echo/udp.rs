//! Sockets that echo datagrams, one for each thread.
//!
//! The kernel distributes the clients over the sockets. A thread blocks in the call that receives, so it needs no poll.

use std::{
    convert::Infallible,
    io::{self, IoSlice, IoSliceMut, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    num::NonZero,
    os::fd::AsRawFd as _,
    process,
    sync::mpsc,
    thread,
};

use anyhow::Context as _;
use clap::ValueEnum;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg};
use rustix::net::{
    MMsgHdr, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, recvfrom, sendmmsg, sendto,
};
use socket2::{Domain, Socket, Type};

/// Maximum number of datagrams of a batch.
const BATCH: usize = 64;

/// Room for a datagram in bytes; a longer one is cut. It is no power of two, so that the datagrams of a batch do not
/// share the same sets of the cache.
const SLOT: usize = 2048 + 64;

/// The address of a slot that has received nothing.
const UNKNOWN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// Requested receive buffer. It has to hold everything that a load has in flight.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// System calls of a loop.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Calls {
    /// `recvmmsg` and `sendmmsg`
    Batch,
    /// `recvfrom` and `sendto`
    Single,
}

/// Serves clients until a thread fails.
pub(crate) fn serve(port: u16, threads: NonZero<usize>, calls: Calls) -> anyhow::Result<()> {
    let is_shared = threads.get() > 1;
    let first = bind(port, is_shared)?;
    let address = first.local_addr()?;
    let more = (1..threads.get()).map(|_| bind(address.port(), is_shared));
    let sockets = [Ok(first)].into_iter().chain(more).collect::<anyhow::Result<Vec<_>>>()?;
    writeln!(io::stdout(), "listening on {address}")?;
    // A loop ends only with an error, which ends the process.
    let (result, results) = mpsc::channel();
    for socket in sockets {
        let result = result.clone();
        thread::spawn(move || {
            result.send(match calls {
                Calls::Batch => echo_batches(&socket),
                Calls::Single => echo_singly(&socket),
            })
        });
    }
    let Err(error) = results.recv()?;
    let _ = writeln!(io::stderr(), "bare-echo: {error:#}");
    process::exit(1)
}

fn bind(port: u16, is_shared: bool) -> anyhow::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_port(is_shared)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.bind(&address.into()).with_context(|| format!("cannot listen on port {port}"))?;
    Ok(socket.into())
}

fn echo_singly(socket: &UdpSocket) -> anyhow::Result<Infallible> {
    let mut buffer = vec![0; SLOT];
    loop {
        let (len, _, from) = recvfrom(socket, &mut buffer[..], RecvFlags::empty())?;
        sendto(socket, &buffer[..len], SendFlags::empty(), &from.context("no sender")?)?;
    }
}

fn echo_batches(socket: &UdpSocket) -> anyhow::Result<Infallible> {
    // The kernel writes the length of each address, and nix does not restore it. All senders have addresses of IPv4.
    let mut arrivals = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut buffer = vec![0; BATCH * SLOT];
    let mut lens = [0; BATCH];
    let mut senders: [_; BATCH] = std::array::from_fn(|_| SocketAddrAny::from(UNKNOWN));
    loop {
        let mut count = 0;
        let mut slots = buffer.chunks_exact_mut(SLOT);
        let mut slices: [_; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_WAITFORONE;
        for datagram in recvmmsg(socket.as_raw_fd(), &mut arrivals, slices.iter_mut(), flags, None)?
        {
            let sender = datagram.address.context("no sender")?;
            (lens[count], senders[count]) = (datagram.bytes, SocketAddrV4::from(sender).into());
            count += 1;
        }
        let mut slots = buffer.chunks_exact(SLOT).zip(lens);
        let slices: [_; BATCH] = std::array::from_fn(|_| {
            let (slot, len) = slots.next().unwrap_or_default();
            [IoSlice::new(&slot[..len])]
        });
        let mut control: [_; BATCH] = std::array::from_fn(|_| SendAncillaryBuffer::default());
        let mut parts = senders.iter().zip(&slices).zip(&mut control);
        let mut answers: [_; BATCH] = std::array::from_fn(|_| {
            let ((sender, slice), control) = parts.next().expect("as many as answers");
            MMsgHdr::new_with_addr(sender, slice, control)
        });
        let mut sent = 0;
        while sent < count {
            sent += sendmmsg(socket, &mut answers[sent..count], SendFlags::empty())?;
        }
    }
}
