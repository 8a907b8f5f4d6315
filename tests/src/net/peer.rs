//! A TCP client with exact expectations.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::wait::DEADLINE;

/// Connection to a server. Every read and write has a deadline.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects. Each write is a separate packet, as far as the socket buffer allows.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::from_stream(stream)
    }

    fn from_stream(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("the timeout is not zero");
        Self { stream }
    }

    /// Connects from another address of this machine.
    ///
    /// All addresses in 127.0.0.0/8 belong to this machine (RFC 1122, 3.2.1.3).
    #[must_use]
    pub fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)
            .expect("a descriptor is left");
        socket.bind(&SocketAddr::new(source, 0).into()).expect("an address of this machine");
        socket
            .connect_timeout(&address.into(), DEADLINE)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::from_stream(socket.into())
    }

    /// Returns the local address, which the log of the server names.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends all of these bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Sends all of these bytes in a thread, which returns the result of the write.
    ///
    /// Use it to send more than the socket buffers hold while the caller reads the echo.
    #[must_use]
    pub fn send_in_background(
        &self,
        bytes: impl AsRef<[u8]> + Send + 'static,
    ) -> JoinHandle<io::Result<()>> {
        let mut stream = self.stream.try_clone().expect("a descriptor is left");
        thread::spawn(move || stream.write_all(bytes.as_ref()))
    }

    /// Like [`Peer::send_in_background`], followed by a FIN.
    #[must_use]
    pub fn send_and_half_close_in_background(&self, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
        let mut stream = self.stream.try_clone().expect("a descriptor is left");
        thread::spawn(move || {
            stream.write_all(&bytes)?;
            stream.shutdown(Shutdown::Write)
        })
    }

    /// Sends to a server that may have closed the connection. Ignores an error.
    pub fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads as many bytes as `expected` has, and asserts that they are equal.
    #[track_caller]
    pub fn expect(&mut self, expected: &[u8]) {
        let mut received = Vec::with_capacity(expected.len());
        let len = u64::try_from(expected.len()).expect("the length fits");
        let end = (&mut self.stream).take(len).read_to_end(&mut received);
        assert_same_bytes(&received, expected);
        end.expect("the stream does not fail");
    }

    /// Reads up to the first `end`, and no byte behind it.
    #[track_caller]
    pub fn read_until(&mut self, end: &str) -> String {
        let mut received = Vec::new();
        while !received.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let read = self.stream.read_exact(&mut byte);
            read.unwrap_or_else(|error| {
                panic!("{error} before {end:?}, after {}", received.escape_ascii())
            });
            received.push(byte[0]);
        }
        String::from_utf8(received).expect("it is text")
    }

    /// Sends `bytes` and expects their echo.
    #[track_caller]
    pub fn exchange(&mut self, bytes: &[u8]) {
        self.send(bytes);
        self.expect(bytes);
    }

    /// Reads to the end of the stream, which must come before the deadline and without a reset.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
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
    pub fn expect_to_end(&mut self, expected: &[u8]) {
        assert_same_bytes(&self.read_to_end(), expected);
    }

    /// Expects the end of the stream, without any more bytes.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.expect_to_end(b"");
    }

    /// Expects neither a byte nor the end of the stream during this time.
    ///
    /// Tests also use it to let time pass where a timer is under test.
    #[track_caller]
    pub fn expect_silence_for(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).expect("the timeout is not zero");
        let mut received = self.stream.read(&mut [0]);
        // A read with a timeout does not continue after a stop of the process.
        while received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            received = self.stream.read(&mut [0]);
        }
        self.stream.set_read_timeout(Some(DEADLINE)).expect("the timeout is not zero");
        let is_silent =
            received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        assert!(is_silent, "received {received:?}");
    }

    /// Sends a FIN. The connection can still receive.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a connected socket");
    }

    /// Sets the smallest socket buffers that the kernel allows.
    pub fn shrink_buffers(&self) {
        let socket = SockRef::from(&self.stream);
        socket.set_recv_buffer_size(1).expect("a TCP socket");
        socket.set_send_buffer_size(1).expect("a TCP socket");
    }

    /// Closes with a RST, which discards the bytes in flight in both directions.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    }

    /// Returns the socket.
    #[must_use]
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

/// Asserts that two byte strings are equal. The message shows only the bytes around the first difference.
#[track_caller]
pub fn assert_same_bytes(received: &[u8], expected: &[u8]) {
    if received == expected {
        return;
    }
    let at = received.iter().zip(expected).take_while(|(one, other)| one == other).count();
    let around = |bytes: &[u8]| {
        let (from, to) = (at.saturating_sub(20), (at + 40).min(bytes.len()));
        String::from_utf8_lossy(&bytes[from.min(to)..to]).into_owned()
    };
    panic!(
        "received {} bytes, expected {}; the first difference is at byte {at}: received {:?}, expected {:?}",
        received.len(),
        expected.len(),
        around(received),
        around(expected),
    );
}
