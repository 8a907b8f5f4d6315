//! One message and its echo; the exit and its goodbye.
//!
//! Must not know where messages come from or who reads the echo.

use std::time::Duration;

use common::exit::is_exit;

use crate::{
    error::Error,
    goodbye::Goodbye,
    link::{Link, Received},
};

/// How long to wait for the server to hang up after the goodbye: long enough for any that will, and
/// too short to annoy where one does not.
const HANG_UP: Duration = Duration::from_millis(500);

/// What a server said to an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReply {
    /// `Goodbye!`
    Goodbye,
    /// The exit itself: a server that echoes everything and knows no exit.
    Echo,
}

/// Sends `message` and waits until exactly it has come back, in however many pieces.
///
/// It receives while it sends: a message larger than all buffers on the way cannot get stuck.
///
/// # Errors
///
/// The reply was wrong, late, cut off or followed by more. After any error there may be bytes of
/// this reply on the way: the link is of no further use.
pub fn exchange(link: &Link<'_>, message: &[u8]) -> Result<(), Error> {
    let mut returned = 0;
    converse(link, message, |received| {
        let owed = &message[returned..];
        let Some(received) = received else {
            return Err(Error::ClosedEarly { owed: owed.len() });
        };
        let right = common_prefix(owed, received);
        match (&owed[right..], &received[right..]) {
            ([], []) => Ok(Some(())),
            ([], more) => Err(Error::wrong((returned + right) as u64, &[], more)),
            (_, []) => {
                returned += right;
                Ok(None)
            }
            (owed, received) => Err(Error::wrong((returned + right) as u64, owed, received)),
        }
    })
}

/// Sends `exit_line`, a whole line that reads as an exit, takes the answer and hangs up.
///
/// The answer is taken for whole as soon as it can be: the original sends its goodbye without a
/// newline, and a server that echoes everything never closes. Only then does this end close, so that
/// no proxy on the way can take a half-closed connection for a dead one.
///
/// # Errors
///
/// As [`exchange`]; [`Error::WrongGoodbye`] for an answer that is neither goodbye nor echo.
pub fn say_exit(link: &Link<'_>, exit_line: &[u8]) -> Result<ExitReply, Error> {
    let (mut answer, mut echoed, mut goodbye) = (Vec::new(), 0, Goodbye::default());
    let reply = converse(link, exit_line, |received| {
        let Some(received) = received else {
            return Err(Error::NoGoodbye);
        };
        answer.extend_from_slice(received);
        // A server that found the line in pieces has sent back all but the last: the goodbye may
        // come after a part of the echo.
        let owed = if goodbye.has_begun() { &[] } else { &exit_line[echoed..] };
        let right = common_prefix(owed, received);
        echoed += right;
        match &received[right..] {
            [] if echoed == exit_line.len() => Ok(Some(ExitReply::Echo)),
            rest if echoed < exit_line.len() && goodbye.takes(rest) => {
                Ok(goodbye.is_said().then_some(ExitReply::Goodbye))
            }
            _ => Err(Error::WrongGoodbye(answer.clone())),
        }
    })?;
    hang_up(link);
    Ok(reply)
}

/// Says exit if the server will hear it, and waits for no more than a moment: for a client that has
/// what it came for, and only owes the server a reason for leaving.
pub fn take_leave(link: Link<'_>) {
    let patience = link.timeout().min(HANG_UP);
    let _ = say_exit(&link.interrupted_by(None).with_timeout(patience), EXIT_LINE);
}

/// The exit as a line.
pub const EXIT_LINE: &[u8] = b"exit\n";

/// Splits a message at the line in it that reads as an exit, if there is one: what comes before it,
/// and that line with its newline. Nothing after it would be echoed.
///
/// ```
/// use client::exchange::split_at_exit;
/// assert_eq!(split_at_exit(b"hello\n"), (&b"hello\n"[..], None));
/// assert_eq!(split_at_exit(b"a\nEXIT\nb\n"), (&b"a\n"[..], Some(&b"EXIT\n"[..])));
/// ```
#[must_use]
pub fn split_at_exit(message: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut before = 0;
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if is_exit(line) {
            return (&message[..before], Some(line));
        }
        before += line.len();
    }
    (message, None)
}

/// How many bytes two slices have in common at their heads.
pub(crate) fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let len = one.len().min(other.len());
    // Nearly always all of them, and comparing whole slices is by far the fastest.
    if one[..len] == other[..len] {
        return len;
    }
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Sends `message`, and hands what comes back (`None`: the end) to `take` until that has enough.
fn converse<T>(
    link: &Link<'_>,
    message: &[u8],
    mut take: impl FnMut(Option<&[u8]>) -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let deadline = link.deadline();
    let mut unsent = message;
    let mut buffer = [0; 16 * 1024];
    loop {
        // What a connection that is lost said last, or why it went, is still to be received.
        unsent = &unsent[link.send(unsent).unwrap_or(unsent.len())..];
        if !link.wait(!unsent.is_empty(), None, deadline)?.readable {
            continue;
        }
        let enough = match link.receive(&mut buffer)? {
            Received::Bytes(count) => take(Some(&buffer[..count]))?,
            Received::End => take(None)?,
            Received::Nothing => None,
        };
        if let Some(enough) = enough {
            return Ok(enough);
        }
    }
}

/// Half-closes and takes what still comes, so that closing does not reset the connection under the
/// server's last words.
fn hang_up(link: &Link<'_>) {
    link.half_close();
    let deadline = crate::wait::Deadline::after(link.timeout().min(HANG_UP));
    let mut buffer = [0; 1024];
    while link.wait(false, None, deadline).is_ok() {
        if matches!(link.receive(&mut buffer), Ok(Received::End) | Err(_)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        testing::{SHORT, answered, echo, served_by},
        wait::Interrupt,
    };
    use std::{io::Write as _, os::unix::net::UnixStream};

    fn failure(link: &Link<'_>, message: &[u8]) -> String {
        exchange(link, message).unwrap_err().to_string()
    }

    #[test]
    fn an_echo_may_come_in_any_pieces() {
        let link = answered(b"hello\n", b"hello\n".iter().map(|&byte| vec![byte]).collect());
        exchange(&link, b"hello\n").unwrap();
    }

    #[test]
    fn a_message_larger_than_all_buffers_comes_back() {
        let message: Vec<u8> = (0..16_000_000_u32).map(|i| (i % 251) as u8).collect();
        let link = served_by(echo);
        exchange(&link, &message).unwrap();
        exchange(&link, b"and the next one too\n").unwrap();
    }

    #[test]
    fn a_wrong_reply_is_described() {
        for (reply, text) in [
            (&b"hexlo\n"[..], r"Wrong echo at byte 3: expected 'llo\n', received 'xlo\n'"),
            (b"hello\nhello\n", r"The server sent something unasked: 'hello\n'"),
            (b"hel", "The server closed the connection with 3 bytes of the echo still to come"),
            (b"", "The server closed the connection with 6 bytes of the echo still to come"),
            (b"hello", "The server closed the connection with 1 byte of the echo still to come"),
        ] {
            assert_eq!(failure(&answered(b"hello\n", vec![reply.to_vec()]), b"hello\n"), text);
        }
    }

    #[test]
    fn a_reply_has_a_time_limit_and_can_be_interrupted() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let link = Link::new(ours, SHORT);
        theirs.write_all(b"hel").unwrap();
        assert_eq!(failure(&link, b"hello\n"), "No reply from the server within 20ms");

        let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
        ctrl_c.write_all(b"!").unwrap();
        let interrupt = Interrupt::from(interrupted);
        let link = link.interrupted_by(Some(&interrupt));
        assert!(matches!(exchange(&link, b"hello\n"), Err(Error::Interrupted)));
    }

    #[test]
    fn an_exit_is_answered_by_a_goodbye_or_its_echo() {
        for (reply, said) in [
            ("Goodbye!", ExitReply::Goodbye),
            ("Goodbye!\n", ExitReply::Goodbye),
            ("Goodbye!\r\n", ExitReply::Goodbye),
            ("exGoodbye!\n", ExitReply::Goodbye),
            ("exit\n", ExitReply::Echo),
        ] {
            for at in 0..=reply.len() {
                let pieces = vec![reply[..at].into(), reply[at..].into()];
                let link = answered(b"exit\n", pieces);
                assert_eq!(say_exit(&link, b"exit\n").unwrap(), said, "{reply:?} split at {at}");
            }
        }
    }

    #[test]
    fn any_other_answer_to_an_exit_is_wrong() {
        for (reply, text) in [
            ("Good night!\n", r"The server answered 'exit' with 'Good night!\n'"),
            ("exit\nexit\n", r"The server answered 'exit' with 'exit\nexit\n'"),
            ("Goodbye!\nWait!", r"The server answered 'exit' with 'Goodbye!\nWait!'"),
            ("Good", "The server closed the connection without a goodbye"),
            ("", "The server closed the connection without a goodbye"),
        ] {
            let link = answered(b"exit\n", vec![reply.into()]);
            assert_eq!(say_exit(&link, b"exit\n").unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_server_that_never_hangs_up_does_not_hold_the_exit() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"exit\n").unwrap();
        assert_eq!(say_exit(&Link::new(ours, SHORT), b"exit\n").unwrap(), ExitReply::Echo);
    }
}
