#![cfg(feature = "tls")]

use std::{io::Write as _, os::unix::net::UnixStream, thread, time::Duration};

use rustls::{ServerConnection, StreamOwned, version::TLS13};

use super::*;
use crate::{
    net::{
        handshake::{Failure, handshake},
        poll::{Deadline, Interrupt},
        stream::Stream,
    },
    testing::{LONG, SHORT},
    tls::testing::{client, server},
};

/// Returns a stream to a TLS server that runs `serve` and keeps its socket until the stream is closed.
fn served_by(
    serve: impl FnOnce(&mut StreamOwned<ServerConnection, UnixStream>) + Send + 'static,
) -> Stream<'static> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut stream = StreamOwned::new(server(&TLS13), theirs);
        serve(&mut stream);
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let transport = handshake(ours.into(), &client(), Deadline::NEVER, None).unwrap();
    Stream::over(transport, LONG)
}

/// The socket has nothing more to report after the first read: the record is complete.
#[test]
fn a_wait_knows_the_plaintext_that_was_not_taken() {
    let stream = served_by(|server| {
        server.write_all(&[7; 5000]).unwrap();
        server.flush().unwrap();
    });
    let (mut received, mut buffer) = (0, [0; 700]);
    while received < 5000 {
        assert!(stream.wait(false, None, stream.deadline()).unwrap().is_readable);
        if let Received::Bytes(count) = stream.receive(&mut buffer).unwrap() {
            assert!(buffer[..count].iter().all(|&byte| byte == 7));
            received += count;
        }
    }
    let nothing = stream.wait(false, None, Deadline::after(SHORT));
    assert!(matches!(nothing, Err(Error::NoReply(_))), "{nothing:?}");
}

/// The `close_notify` and the end of the stream wait behind records that the socket does not take yet.
#[test]
fn a_half_close_behind_a_full_socket_follows_the_last_record() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let stream = served_by(move |server| {
        server.conn.complete_io(&mut server.sock).unwrap();
        gone.recv().unwrap();
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        assert_eq!(server.sock.read(&mut [0]).unwrap(), 0, "the end of the stream");
        server.write_all(&all.len().to_be_bytes()).unwrap();
        server.conn.send_close_notify();
        server.flush().unwrap();
    });
    let mut sent: usize = 0;
    while let count @ 1.. = stream.send(&[1; 10_000]).unwrap() {
        sent += count;
    }
    stream.half_close();
    assert!(stream.transport().wants_write());
    go.send(()).unwrap();
    let mut reply = Vec::new();
    loop {
        stream.wait(false, None, stream.deadline()).unwrap();
        let mut buffer = [0; 100];
        match stream.receive(&mut buffer).unwrap() {
            Received::Bytes(count) => reply.extend_from_slice(&buffer[..count]),
            Received::End => break,
            Received::Nothing => {}
        }
    }
    assert_eq!(reply, sent.to_be_bytes());
}

#[test]
fn a_handshake_ends_at_its_deadline_or_with_an_interrupt() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let socket = || ours.try_clone().unwrap().into();
    let late = handshake(socket(), &client(), Deadline::after(Duration::ZERO), None);
    assert!(matches!(late, Err(Failure::Late)), "{late:?}");
    let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
    ctrl_c.write_all(b"!").unwrap();
    let interrupt = Interrupt::from(interrupted);
    let ended = handshake(socket(), &client(), Deadline::NEVER, Some(&interrupt));
    assert!(matches!(ended, Err(Failure::Interrupted)), "{ended:?}");
}
