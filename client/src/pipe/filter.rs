//! The client in a pipe: everything from the input to the server, everything it returns to the
//! output, and every byte checked on the way.
//!
//! Owns the loop between the three descriptors. What may come back is the window's to say.
//!
//! Why it cannot deadlock: it waits for the input, for the socket to take bytes and for the socket to
//! have some, all at once, and what the server returns is taken whenever there is any. So a server
//! can always get rid of an echo, and then has room for more. When the window is full no input is
//! taken, but an echo empties it. (A slow reader of the output does stop everything, as it should:
//! the server is not read until the reader goes on.)

use std::{io::Read, os::fd::AsFd, time::Duration};

use rustix::event::{PollFd, PollFlags};

use crate::{
    echo::window::Window,
    net::{
        error::Error,
        poll::{Deadline, wait},
        stream::{CHUNK, Link, Received},
    },
    pipe::output::Output,
};

/// How long to wait for the server's end of stream when all is back. A server that never closes is
/// still an echo server; one that sends something twice does it within this time, or is not caught.
const HANG_UP: Duration = Duration::from_millis(500);

/// Sends `input` to its end, or to a line that reads as an exit, and writes what comes back to
/// `output`. `Ok` only if every byte came back.
///
/// # Errors
///
/// The echo was wrong, was cut off, or stood still for the link's time limit while bytes were owed;
/// the input or the output failed.
pub fn run(
    link: &Link<'_>,
    input: &mut (impl Read + AsFd),
    output: &mut Output<impl std::io::Write>,
) -> Result<(), Error> {
    let mut window = Window::default();
    let mut buffer = vec![0; CHUNK];
    // The input goes on behind a line that reads as an exit.
    let mut goes_on = false;
    // When the server has been owing us bytes for too long without returning one.
    let mut stalled = Deadline::NEVER;
    loop {
        if !window.unsent().is_empty() {
            // What a lost connection said last, or why it went, is still to be received.
            let unsent = window.unsent().len();
            window.sent(link.send(window.unsent()).unwrap_or(unsent));
        }
        if window.has_ended() && window.unsent().is_empty() {
            // Saying it again, while the rest comes back, changes nothing.
            link.half_close();
            if window.owed() == 0 {
                break;
            }
        }
        let reading = (window.room() > 0).then(|| input.as_fd());
        let ready = link.wait(!window.unsent().is_empty(), reading, stalled)?;
        if ready.readable {
            match link.receive(&mut buffer)? {
                Received::Bytes(count) => {
                    let (right, verdict) = window.check(&buffer[..count]);
                    output.write(&buffer[..right])?;
                    verdict?;
                    stalled = if window.owed() > 0 { link.deadline() } else { Deadline::NEVER };
                }
                Received::End if window.owed() > 0 => {
                    return Err(Error::ClosedEarly { owed: window.owed() });
                }
                Received::End => return Err(Error::Closed),
                Received::Nothing => {}
            }
        }
        if ready.input {
            let most = window.room().min(CHUNK);
            let count = input.read(&mut buffer[..most]).map_err(Error::Input)?;
            if window.owed() == 0 {
                stalled = link.deadline();
            }
            goes_on = window.take(&buffer[..count]) < count;
            if count == 0 {
                window.end();
            } else if window.has_ended() {
                goes_on = goes_on || has_more(input)?;
            }
        }
    }
    expect_end(link, &mut window, output)?;
    output.finish()?;
    // Whoever asked for all of it has not got it, and must not think so.
    if goes_on { Err(Error::ExitInInput) } else { Ok(()) }
}

/// Whether there is something to read at once; not waiting for what may yet come.
fn has_more(input: &mut (impl Read + AsFd)) -> Result<bool, Error> {
    let mut fds = [PollFd::new(input, PollFlags::IN)];
    wait(&mut fds, Deadline::after(Duration::ZERO)).map_err(Error::Input)?;
    let is_ready = !fds[0].revents().is_empty();
    Ok(is_ready && input.read(&mut [0]).map_err(Error::Input)? > 0)
}

/// Takes the rest of a goodbye, and nothing else, until the server hangs up.
fn expect_end(
    link: &Link<'_>,
    window: &mut Window,
    output: &mut Output<impl std::io::Write>,
) -> Result<(), Error> {
    let deadline = Deadline::after(link.timeout().min(HANG_UP));
    let mut buffer = [0; 1024];
    loop {
        match link.wait(false, None, deadline) {
            Err(Error::NoReply(_)) => return Ok(()),
            other => other?,
        };
        match link.receive(&mut buffer) {
            Ok(Received::Bytes(count)) => {
                let (right, verdict) = window.check(&buffer[..count]);
                output.write(&buffer[..right])?;
                verdict?;
            }
            Ok(Received::Nothing) => {}
            // All is back: how the connection ends does not matter any more.
            Ok(Received::End) | Err(_) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SHORT, answered, echo, served_by};
    use std::{io::Write as _, os::unix::net::UnixStream, thread};

    /// Runs `input` through `link`: the output, and how it ended.
    fn filtered(link: &Link<'_>, input: &[u8]) -> (Vec<u8>, Result<(), String>) {
        let (mut input_end, mut feeder) = UnixStream::pair().unwrap();
        let input = input.to_vec();
        // Whether all of it is taken is not the feeder's business.
        let feeding = thread::spawn(move || drop(feeder.write_all(&input)));
        let mut output = Vec::new();
        let end = run(link, &mut input_end, &mut Output::new(&mut output, false));
        drop(input_end);
        feeding.join().unwrap();
        (output, end.map_err(|error| error.to_string()))
    }

    #[test]
    fn more_than_all_buffers_hold_flows_through() {
        let input: Vec<u8> = (0..20_000_000_u32).map(|i| (i % 253) as u8).collect();
        let (output, end) = filtered(&served_by(echo), &input);
        assert_eq!(end, Ok(()));
        assert!(output == input, "{} of {} bytes", output.len(), input.len());
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert_eq!(filtered(&served_by(echo), b""), (Vec::new(), Ok(())));
    }

    #[test]
    fn an_exit_line_ends_it_and_what_follows_is_missed() {
        let goodbye = || answered(b"one\nexit\n", vec![b"one\n".into(), b"Goodbye!\n".into()]);
        let input = b"one\nexit\n";
        assert_eq!(filtered(&goodbye(), input), (b"one\nGoodbye!\n".into(), Ok(())));
        assert_eq!(filtered(&served_by(echo), input), (b"one\nexit\n".into(), Ok(())));
        let (output, end) = filtered(&goodbye(), b"one\nexit\nnot sent\n");
        assert_eq!(output, b"one\nGoodbye!\n");
        assert!(end.unwrap_err().contains("was not sent"));
    }

    #[test]
    fn what_was_right_is_written_before_the_error() {
        for (reply, right, text) in [
            ("one\nTwo\n", "one\n", r"Wrong echo at byte 5: expected 'two\n', received 'Two\n'"),
            (
                "one\n",
                "one\n",
                "The server closed the connection with 4 bytes of the echo still to come",
            ),
            ("one\ntwo\none\n", "one\ntwo\n", r"The server sent something unasked: 'one\n'"),
        ] {
            let link = answered(b"one\ntwo\n", vec![reply.into()]);
            let (output, end) = filtered(&link, b"one\ntwo\n");
            assert_eq!((output, end), (right.into(), Err(text.to_owned())));
        }
    }

    #[test]
    fn a_server_that_stands_still_is_given_up() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (output, end) = filtered(&Link::new(ours, SHORT), b"one\n");
        assert_eq!(end, Err("No reply from the server within 20ms".to_owned()));
        assert_eq!(output, b"");
    }

    #[test]
    fn a_server_that_leaves_is_noticed_while_the_input_is_silent() {
        let (mut input, _silent) = UnixStream::pair().unwrap();
        let end = run(&served_by(drop), &mut input, &mut Output::new(Vec::new(), false));
        assert!(matches!(end, Err(Error::Closed)));
    }
}
