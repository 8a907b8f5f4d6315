//! One message and its echo; the exit and its goodbye.
//!
//! Must not know where messages come from or who reads the echo.

use std::time::Duration;

use common::exit::is_exit;

use crate::{
    echo::goodbye::Goodbye,
    net::{
        error::Error,
        stream::{Link, Received},
    },
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
/// use client::echo::exchange::split_at_exit;
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
    let deadline = crate::net::poll::Deadline::after(link.timeout().min(HANG_UP));
    let mut buffer = [0; 1024];
    while link.wait(false, None, deadline).is_ok() {
        if matches!(link.receive(&mut buffer), Ok(Received::End) | Err(_)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
