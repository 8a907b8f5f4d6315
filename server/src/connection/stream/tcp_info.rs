//! The figures of the kernel about a connection of TCP: `TCP_INFO` of `tcp(7)`.

use std::{
    mem::offset_of,
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

use nix::{
    getsockopt_impl, libc,
    sys::socket::{getsockopt, sockopt::GetStruct},
};
use rustix::system::uname;

use crate::telemetry::TcpInfo;

/// The first fields of the kernel's `struct tcp_info` (`linux/tcp.h`), which it extends at the end only.
///
/// Invariant: it has integers only, and no padding, so that whatever the kernel writes is a value of it. The names of the
/// fields that nobody reads end in the one that follows them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Prefix {
    before_unacked: [u32; 6],
    /// Segments that were sent and are not acknowledged.
    unacked: u32,
    before_rtt: [u32; 10],
    /// Smoothed round-trip time in microseconds; 0 until it is known.
    rtt: u32,
    before_total_retrans: [u32; 7],
    total_retrans: u32,
    before_notsent_bytes: [u32; 10],
    /// Bytes that were not sent yet.
    notsent_bytes: u32,
    /// Least round-trip time in microseconds; `u32::MAX` until it is known.
    min_rtt: u32,
    before_delivery_rate: [u32; 2],
    /// In bytes per second; 0 until it is known.
    delivery_rate: u64,
}

// The kernel never changes these.
const _: () = assert!(offset_of!(Prefix, rtt) == offset_of!(libc::tcp_info, tcpi_rtt));
const _: () =
    assert!(offset_of!(Prefix, total_retrans) == offset_of!(libc::tcp_info, tcpi_total_retrans));
const _: () = assert!(offset_of!(Prefix, unacked) == offset_of!(libc::tcp_info, tcpi_unacked));
const _: () = assert!(offset_of!(Prefix, notsent_bytes) == 144);
const _: () = assert!(offset_of!(Prefix, min_rtt) == 148);
const _: () = assert!(offset_of!(Prefix, delivery_rate) == 160 && size_of::<Prefix>() == 168);

/// The first version of Linux that has all of these fields.
const FIRST_KERNEL: (u32, u32) = (4, 9);

/// The option of a socket that has them.
#[derive(Clone, Copy)]
struct TcpInfoPrefix;

getsockopt_impl!(TcpInfoPrefix, libc::IPPROTO_TCP, libc::TCP_INFO, Prefix, GetStruct<Prefix>);

/// Returns the figures of a socket. `None`: it is not of TCP, or the kernel is too old.
pub(super) fn read_tcp_info(socket: &impl AsFd) -> Option<TcpInfo> {
    read_prefix(socket).map(known)
}

/// Returns whether the peer has acknowledged everything, or whether the kernel cannot tell.
pub(super) fn is_acknowledged(socket: &impl AsFd) -> bool {
    read_prefix(socket).is_none_or(|prefix| prefix.unacked == 0 && prefix.notsent_bytes == 0)
}

fn read_prefix(socket: &impl AsFd) -> Option<Prefix> {
    /// Whether the kernel writes all fields. `nix` panics if it does not.
    static IS_SUPPORTED: OnceLock<bool> = OnceLock::new();
    let read = || getsockopt(socket, TcpInfoPrefix).ok();
    match IS_SUPPORTED.get() {
        Some(true) => read(),
        Some(false) => None,
        None if !has_all_fields(&uname().release().to_string_lossy()) => {
            IS_SUPPORTED.get_or_init(|| false);
            None
        }
        // Something else than Linux may answer under the name of a new release.
        None => {
            let read = catch_unwind(AssertUnwindSafe(read));
            if !matches!(read, Ok(None)) {
                IS_SUPPORTED.get_or_init(|| read.is_ok());
            }
            read.unwrap_or_default()
        }
    }
}

/// Returns whether a kernel of this release writes all fields.
fn has_all_fields(release: &str) -> bool {
    let mut numbers = release.split(|byte: char| !byte.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= FIRST_KERNEL,
        _ => false,
    }
}

/// Returns the figures without those that are not known yet.
fn known(prefix: Prefix) -> TcpInfo {
    TcpInfo {
        rtt_us: Some(prefix.rtt).filter(|&rtt| rtt != 0),
        min_rtt_us: Some(prefix.min_rtt).filter(|&rtt| rtt != u32::MAX),
        retransmits: prefix.total_retrans,
        delivery_rate_bytes_per_second: Some(prefix.delivery_rate).filter(|&rate| rate != 0),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream, UdpSocket},
        os::unix::net::UnixStream,
    };

    use super::*;

    #[test]
    fn a_tcp_connection_has_figures_after_its_first_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
        client.write_all(b"hello").unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        let info = read_tcp_info(&server).expect("it is TCP");
        assert!(info.rtt_us > Some(0) && info.min_rtt_us.is_some(), "{info:?}");
        assert!(info.delivery_rate_bytes_per_second > Some(0), "{info:?}");
        assert_eq!(info.retransmits, 0);
    }

    #[test]
    fn other_sockets_have_none() {
        let (unix, _other) = UnixStream::pair().unwrap();
        assert_eq!(read_tcp_info(&unix), None);
        assert_eq!(read_tcp_info(&UdpSocket::bind("127.0.0.1:0").unwrap()), None);
    }

    #[test]
    fn figures_that_are_not_known_yet_are_absent() {
        let mut prefix = Prefix {
            before_unacked: [9; 6],
            unacked: 9,
            before_rtt: [9; 10],
            rtt: 0,
            before_total_retrans: [9; 7],
            total_retrans: 0,
            before_notsent_bytes: [9; 10],
            notsent_bytes: 9,
            min_rtt: u32::MAX,
            before_delivery_rate: [9; 2],
            delivery_rate: 0,
        };
        assert_eq!(known(prefix), TcpInfo::default());
        (prefix.rtt, prefix.min_rtt, prefix.total_retrans, prefix.delivery_rate) = (45, 0, 2, 7);
        let expected = TcpInfo {
            rtt_us: Some(45),
            min_rtt_us: Some(0),
            retransmits: 2,
            delivery_rate_bytes_per_second: Some(7),
        };
        assert_eq!(known(prefix), expected);
    }

    #[test]
    fn a_kernel_before_4_9_is_not_asked() {
        for release in ["4.9.0", "4.19.0-27-amd64", "6.18.44-fc", "10.0"] {
            assert!(has_all_fields(release), "{release}");
        }
        for release in ["4.8.17", "4.4.0-19041-Microsoft", "3.10.0-1160.el7.x86_64", "4", "", "x"] {
            assert!(!has_all_fields(release), "{release}");
        }
    }
}
