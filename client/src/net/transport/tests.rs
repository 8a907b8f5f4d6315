use std::{io::Write as _, os::unix::net::UnixStream};

use rustix::io::ioctl_fionread;

use super::*;
use crate::{
    net::{poll::Deadline, stream::Stream},
    testing::{LONG, SHORT},
    websocket::{Format, Session},
};

/// Returns a WebSocket and the socket of its server.
fn websocket(format: Format) -> (Transport, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let bytes = ByteTransport::plain(ours.into());
    (Transport::with_websocket(bytes, Session::new(format)), theirs)
}

/// Sends these bytes again and again until the socket is full; returns how many times.
fn fill_socket(socket: &mut UnixStream, bytes: &[u8]) -> usize {
    let bytes = bytes.repeat(1024);
    let mut sent = 0;
    while let Ok(count) = socket.write(&bytes) {
        sent += count;
    }
    sent
}

#[test]
fn a_server_that_only_pings_does_not_hold_the_caller() {
    let (transport, mut server) = websocket(Format::Lines);
    let sent = fill_socket(&mut server, b"\x89\x00");
    assert!(sent > MAX_FILL, "{sent} bytes");
    assert!(!transport.handle_events(PollFlags::IN));
    let left = ioctl_fionread(&transport).unwrap();
    assert!(left > 0, "one call takes not more than {MAX_FILL} bytes of {sent}");
    // The wait goes on with the rest, and ends at its deadline.
    let stream = Stream::over(transport, LONG);
    let nothing = stream.wait(false, None, Deadline::after(SHORT));
    assert!(matches!(nothing, Err(Error::NoReply(_))), "{nothing:?}");
    assert_eq!(ioctl_fionread(stream.transport()).unwrap(), 0);
}

#[test]
fn a_mirror_stops_to_receive_while_the_server_does_not_read() {
    let (transport, mut server) = websocket(Format::Mirror);
    let stream = Stream::over(transport, LONG);
    // A message of a gigabyte, of which the server sends as much as the socket takes.
    server.write_all(b"\x82\x7f\0\0\0\0\x40\0\0\0").unwrap();
    let rounds: Vec<_> = (0..5)
        .map(|_| {
            let sent = fill_socket(&mut server, b"x");
            let nothing = stream.wait(false, None, Deadline::after(SHORT));
            assert!(matches!(nothing, Err(Error::NoReply(_))), "{nothing:?}");
            sent
        })
        .collect();
    assert_eq!(rounds.last(), Some(&0), "the server is held back: {rounds:?}");
    let transport = stream.transport();
    let held = transport.websocket().unwrap().output().len();
    assert!(held < 2 * CHUNK, "one read waits to be sent: {held} bytes");
}
