//! A TCP client that says exactly what it expects.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::DEADLINE;

/// One connection to a server; every read and write has a deadline.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects; each write is a packet of its own, as far as the socket takes it.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("more than no time");
        stream.set_write_timeout(Some(DEADLINE)).expect("more than no time");
        Self { stream }
    }

    /// Connects from another of this machine's addresses.
    ///
    /// All of 127.0.0.0/8 is this machine (RFC 1122, 3.2.1.3).
    #[must_use]
    pub fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)
            .expect("descriptors are left");
        socket.bind(&SocketAddr::new(source, 0).into()).expect("an address of this machine");
        socket
            .connect_timeout(&address.into(), DEADLINE)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::over(socket.into())
    }

    /// This end's address, as the server's log names it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes what is sent");
    }

    /// Sends all of it from a thread of its own, which ends with whether the server took it.
    ///
    /// The way to send more than two sockets' buffers hold, while this thread reads the echo.
    #[must_use]
    pub fn send_aside(
        &self,
        bytes: impl AsRef<[u8]> + Send + 'static,
    ) -> JoinHandle<io::Result<()>> {
        let mut stream = self.stream.try_clone().expect("descriptors are left");
        thread::spawn(move || stream.write_all(bytes.as_ref()))
    }

    /// As [`Peer::send_aside`], and a FIN behind it.
    #[must_use]
    pub fn send_aside_and_half_close(&self, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
        let mut stream = self.stream.try_clone().expect("descriptors are left");
        thread::spawn(move || {
            stream.write_all(&bytes)?;
            stream.shutdown(Shutdown::Write)
        })
    }

    /// Sends without minding whether it arrives: for a server that may have closed.
    pub fn send_regardless(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads as many bytes as `expected` has: they must be those.
    #[track_caller]
    pub fn expect(&mut self, expected: &[u8]) {
        let mut received = Vec::with_capacity(expected.len());
        let most = u64::try_from(expected.len()).expect("a test's payload");
        let end = (&mut self.stream).take(most).read_to_end(&mut received);
        assert_same(&received, expected);
        end.expect("as many bytes as were asked for have come");
    }

    /// Sends `bytes` and expects them back.
    #[track_caller]
    pub fn exchange(&mut self, bytes: &[u8]) {
        self.send(bytes);
        self.expect(bytes);
    }

    /// Reads to the end of the stream, which must come: without a reset, and before the deadline.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        let end = self.stream.read_to_end(&mut received);
        let shown = String::from_utf8_lossy(&received[..received.len().min(200)]).into_owned();
        end.unwrap_or_else(|error| {
            panic!("no end of stream after {} bytes ({shown:?}): {error}", received.len())
        });
        received
    }

    /// Expects these bytes and then the end of the stream.
    #[track_caller]
    pub fn expect_rest(&mut self, expected: &[u8]) {
        assert_same(&self.rest(), expected);
    }

    /// Expects the end of the stream now.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.expect_rest(b"");
    }

    /// Expects that nothing comes for so long, neither a byte nor the end of the stream.
    ///
    /// Also a way to let time pass, for what only the clock brings about.
    #[track_caller]
    pub fn hears_nothing_for(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).expect("more than no time");
        let heard = self.stream.read(&mut [0]);
        self.stream.set_read_timeout(Some(DEADLINE)).expect("more than no time");
        let nothing = heard.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        assert!(nothing, "something came: {heard:?}");
    }

    /// Sends a FIN: this end will send no more, and can still receive.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a connected socket");
    }

    /// Asks for the smallest buffers that the kernel gives: who does not read holds little.
    pub fn shrink_buffers(&self) {
        let socket = SockRef::from(&self.stream);
        socket.set_recv_buffer_size(1).expect("a TCP socket");
        socket.set_send_buffer_size(1).expect("a TCP socket");
    }

    /// Closes with a RST: what is under way in either direction is lost.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    }

    /// The socket itself, for what has no method here.
    #[must_use]
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

/// Compares what can be megabytes: a difference is shown by its place, not by all bytes.
#[track_caller]
pub fn assert_same(received: &[u8], expected: &[u8]) {
    if received == expected {
        return;
    }
    let at = received.iter().zip(expected).take_while(|(one, other)| one == other).count();
    let around = |bytes: &[u8]| {
        let (from, to) = (at.saturating_sub(20), (at + 40).min(bytes.len()));
        String::from_utf8_lossy(&bytes[from.min(to)..to]).into_owned()
    };
    panic!(
        "received {} bytes, expected {}; they differ from byte {at} on: received {:?}, expected {:?}",
        received.len(),
        expected.len(),
        around(received),
        around(expected),
    );
}
