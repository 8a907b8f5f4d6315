//! Exit of a session: the line, its answer, and the end of the connection.

use std::time::Duration;

use crate::net::{
    poll::Deadline,
    stream::{Received, Stream},
};

use super::{
    error::Error,
    exchange::send_and_receive,
    goodbye::{Goodbye, before_receipt},
    message::{EXIT_LINE, common_prefix},
};

/// Limit for the server's end of stream after the goodbye: long enough for a server that closes, and too
/// short to be noticed with one that does not.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Answer of a server to an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitReply {
    /// `Goodbye!`
    Goodbye,
    /// The exit line itself, from a server that echoes everything.
    Echo,
}

/// Sends `exit_line`, a whole line that reads as an exit, receives the answer, and closes the connection.
///
/// The answer counts as complete as early as possible: the original sends its goodbye without a newline,
/// and a server that echoes everything never closes. The client half-closes only then, because a proxy may
/// take a half-closed connection for a dead one.
///
/// # Errors
///
/// As [`exchange`](super::exchange::exchange); [`Error::WrongGoodbye`] for any other answer.
pub(crate) fn send_exit(stream: &Stream<'_>, exit_line: &[u8]) -> Result<ExitReply, Error> {
    let (mut answer, mut echoed, mut goodbye) = (Vec::new(), 0, Goodbye::default());
    let reply = send_and_receive(stream, exit_line, |received| {
        let Some(received) = received else {
            return Err(Error::NoGoodbye { has_answered: stream.has_answered() });
        };
        answer.extend_from_slice(received);
        // A server that received the line in pieces has echoed all but the last, so the goodbye may follow
        // a part of the echo.
        let received = if stream.expects_receipt() { before_receipt(received) } else { received };
        let expected = if goodbye.has_started() { &[] } else { &exit_line[echoed..] };
        let valid = common_prefix(expected, received);
        echoed += valid;
        match &received[valid..] {
            [] if echoed == exit_line.len() => Ok(Some(ExitReply::Echo)),
            rest if echoed < exit_line.len() && goodbye.push(rest) => {
                Ok(goodbye.is_complete().then_some(ExitReply::Goodbye))
            }
            _ => Err(Error::wrong_goodbye(&answer)),
        }
    })?;
    // `settle` receives the receipt.
    if !stream.expects_receipt() {
        await_close(stream);
    }
    Ok(reply)
}

/// Sends an exit and closes, with a short time limit and without errors: the client has its result, and the
/// exit only tells the server why it leaves.
pub(crate) fn close_gracefully(stream: Stream<'_>) {
    let timeout = stream.timeout().min(CLOSE_TIMEOUT);
    let stream = stream.interrupted_by(None).with_timeout(timeout);
    // A close frame tells it without an exit.
    if stream.is_websocket() {
        await_close(&stream);
    } else {
        let _ = send_exit(&stream, EXIT_LINE);
    }
}

/// Closes a WebSocket: sends a close frame, and waits a short time for that of the server.
pub(crate) fn close_websocket(stream: &Stream<'_>) {
    await_close(stream);
}

/// Half-closes, and receives until the end: closing with unread bytes would reset the connection.
fn await_close(stream: &Stream<'_>) {
    stream.half_close();
    let deadline = Deadline::after(stream.timeout().min(CLOSE_TIMEOUT));
    let mut buffer = [0; 1024];
    while stream.wait(false, None, deadline).is_ok() {
        if matches!(stream.receive(&mut buffer), Ok(Received::End) | Err(_)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SHORT, answered};
    use std::{io::Write as _, os::unix::net::UnixStream};

    #[test]
    fn accepts_a_goodbye_or_an_echo_as_the_answer_to_an_exit() {
        for (reply, expected) in [
            ("Goodbye!", ExitReply::Goodbye),
            ("Goodbye!\n", ExitReply::Goodbye),
            ("Goodbye!\r\n", ExitReply::Goodbye),
            ("exGoodbye!\n", ExitReply::Goodbye),
            ("exit\n", ExitReply::Echo),
        ] {
            for at in 0..=reply.len() {
                let pieces = vec![reply[..at].into(), reply[at..].into()];
                let stream = answered(b"exit\n", pieces);
                let answer = send_exit(&stream, b"exit\n").unwrap();
                assert_eq!(answer, expected, "{reply:?} split at {at}");
            }
        }
    }

    #[test]
    fn refuses_any_other_answer_to_an_exit() {
        for (reply, text) in [
            ("Good night!\n", r"The server answered 'exit' with 'Good night!\n'"),
            ("exit\nexit\n", r"The server answered 'exit' with 'exit\nexit\n'"),
            ("Goodbye!\nWait!", r"The server answered 'exit' with 'Goodbye!\nWait!'"),
            ("Good", "The server closed the connection without a goodbye"),
            ("", "The server closed the connection without a goodbye"),
        ] {
            let stream = answered(b"exit\n", vec![reply.into()]);
            assert_eq!(send_exit(&stream, b"exit\n").unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_server_that_never_closes_does_not_delay_the_exit() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"exit\n").unwrap();
        assert_eq!(send_exit(&Stream::new(ours, SHORT), b"exit\n").unwrap(), ExitReply::Echo);
    }
}
