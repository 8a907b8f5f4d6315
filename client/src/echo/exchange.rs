//! Exchange of one message and its echo.

use crate::net::stream::{Received, Stream};

use super::{error::Error, message::common_prefix};

/// Sends `message`, and waits until exactly its bytes have returned, in any number of pieces.
///
/// It receives while it sends, so a message larger than all buffers on the path cannot deadlock.
///
/// # Errors
///
/// The reply was wrong, late, cut off, or followed by more bytes. The rest of a reply may still arrive
/// after an error, so the stream must not be used again.
pub(crate) fn exchange(stream: &Stream<'_>, message: &[u8]) -> Result<(), Error> {
    let mut returned = 0;
    send_and_receive(stream, message, |received| {
        let expected = &message[returned..];
        let Some(received) = received else {
            let (missing, has_answered) = (expected.len(), stream.has_answered());
            return Err(Error::ClosedEarly { missing, has_answered });
        };
        let valid = common_prefix(expected, received);
        match (&expected[valid..], &received[valid..]) {
            ([], []) => Ok(Some(())),
            ([], extra) => Err(Error::mismatch((returned + valid) as u64, &[], extra)),
            (_, []) => {
                returned += valid;
                Ok(None)
            }
            (expected, received) => {
                Err(Error::mismatch((returned + valid) as u64, expected, received))
            }
        }
    })
}

/// Sends `message`, and passes what returns (`None` for the end) to `handle` until it has a result.
pub(super) fn send_and_receive<T>(
    stream: &Stream<'_>,
    message: &[u8],
    mut handle: impl FnMut(Option<&[u8]>) -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let deadline = stream.deadline();
    let mut unsent = message;
    let mut buffer = [0; 16 * 1024];
    loop {
        // After a failed send, the last bytes of the server, or the reason, can still be received.
        unsent = &unsent[stream.send(unsent).unwrap_or(unsent.len())..];
        if !stream.wait(!unsent.is_empty(), None, deadline)?.is_readable {
            continue;
        }
        let result = match stream.receive(&mut buffer)? {
            Received::Bytes(count) => handle(Some(&buffer[..count]))?,
            Received::End => handle(None)?,
            Received::Nothing => None,
        };
        if let Some(result) = result {
            return Ok(result);
        }
    }
}

/// Sends a ping of a WebSocket, and waits for its pong.
///
/// # Errors
///
/// There was no pong in time, or something else arrived before it.
pub(crate) fn ping(stream: &Stream<'_>, payload: &[u8]) -> Result<(), Error> {
    let deadline = stream.deadline();
    stream.send_ping(payload);
    let mut buffer = [0; 1024];
    loop {
        stream.wait(false, None, deadline)?;
        if stream.take_pong() {
            return Ok(());
        }
        match stream.receive(&mut buffer)? {
            Received::Bytes(count) => return Err(Error::mismatch(1, &[], &buffer[..count])),
            Received::End => return Err(Error::Closed),
            Received::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        net::{self, poll::Interrupt},
        testing::{SHORT, answered, echo, served_by},
    };
    use std::{io::Write as _, os::unix::net::UnixStream};

    fn failure(stream: &Stream<'_>, message: &[u8]) -> String {
        exchange(stream, message).unwrap_err().to_string()
    }

    #[test]
    fn accepts_an_echo_in_any_pieces() {
        let stream = answered(b"hello\n", b"hello\n".iter().map(|&byte| vec![byte]).collect());
        exchange(&stream, b"hello\n").unwrap();
    }

    #[test]
    fn exchanges_a_message_larger_than_all_buffers() {
        let message: Vec<u8> = (0..16_000_000_u32).map(|i| (i % 251) as u8).collect();
        let stream = served_by(echo);
        exchange(&stream, &message).unwrap();
        exchange(&stream, b"and the next one too\n").unwrap();
    }

    #[test]
    fn describes_a_wrong_reply() {
        for (reply, text) in [
            (&b"hexlo\n"[..], r"Wrong echo at byte 3: expected 'llo\n', received 'xlo\n'"),
            (b"hello\nhello\n", r"The server sent unexpected data: 'hello\n'"),
            (b"hel", "The server closed the connection with 3 bytes of the echo missing"),
            (b"", "The server closed the connection with 6 bytes of the echo missing"),
            (b"hello", "The server closed the connection with 1 byte of the echo missing"),
        ] {
            assert_eq!(failure(&answered(b"hello\n", vec![reply.to_vec()]), b"hello\n"), text);
        }
    }

    #[test]
    fn a_reply_has_a_time_limit_and_can_be_interrupted() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let stream = Stream::new(ours, SHORT);
        theirs.write_all(b"hel").unwrap();
        assert_eq!(failure(&stream, b"hello\n"), "No reply from the server within 20ms");

        let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
        ctrl_c.write_all(b"!").unwrap();
        let interrupt = Interrupt::from(interrupted);
        let stream = stream.interrupted_by(Some(&interrupt));
        let interrupted = exchange(&stream, b"hello\n");
        assert!(matches!(interrupted, Err(Error::Net(net::Error::Interrupted))));
    }
}
