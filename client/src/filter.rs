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

use crate::{
    error::Error,
    link::{CHUNK, Link, Received},
    output::Output,
    wait::Deadline,
    window::Window,
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
    // When the server has been owing us bytes for too long without returning one.
    let mut stalled = Deadline::NEVER;
    loop {
        if window.has_ended() && window.owed() == 0 {
            break;
        }
        if !window.unsent().is_empty() {
            // What a lost connection said last, or why it went, is still to be received.
            let unsent = window.unsent().len();
            window.sent(link.send(window.unsent()).unwrap_or(unsent));
            half_close_at_end(link, &window);
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
            window.take(&buffer[..count]);
            if count == 0 {
                window.end();
                half_close_at_end(link, &window);
            }
        }
    }
    expect_end(link, &mut window, output)?;
    output.finish()
}

/// Half-closes once there is nothing more to send.
fn half_close_at_end(link: &Link<'_>, window: &Window) {
    if window.has_ended() && window.unsent().is_empty() {
        link.half_close();
    }
}

/// Takes the rest of a goodbye, and nothing else, until the server hangs up.
fn expect_end(
    link: &Link<'_>,
    window: &mut Window,
    output: &mut Output<impl std::io::Write>,
) -> Result<(), Error> {
    link.half_close();
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
