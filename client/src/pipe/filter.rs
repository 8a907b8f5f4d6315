//! Filter: sends standard input, writes what returns to standard output, and checks every byte.
//!
//! Owns the loop between the three descriptors. The [window](crate::echo::window) decides what may return.
//!
//! It cannot deadlock: it waits for the input, for the socket to accept bytes, and for the socket to have
//! bytes, all in one poll, and receives whenever it can. So a server can always send an echo, and then has
//! room for more input. While the window is full the filter takes no input, and an echo empties the window.
//! A slow reader of the output stops the whole chain, as backpressure should: the filter does not receive
//! until the reader continues.

use std::{
    io::{ErrorKind as Io, Read, Write},
    os::fd::AsFd,
    time::Duration,
};

use common::receipt::Comparison;
use rustix::event::{PollFd, PollFlags};

use crate::{
    echo::{self, settle::Checked, window::Window},
    net::{
        self,
        poll::{Deadline, poll},
        stream::{CHUNK, Received, Stream},
    },
    stdio,
};

use super::{error::Error, output::Output, settle::settle_pipe};

/// Limit for the server's end of stream after the last echo. A server that never closes is still an echo
/// server; one that sends something twice does so within this time, or is not detected.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Sends `input` to its end, or to a line that reads as an exit, and writes what returns to `output`. Returns
/// the comparison with the receipt, if the connection has one.
///
/// # Errors
///
/// The echo was wrong, cut off, or made no progress for the stream's time limit; the input or the output
/// failed. With a receipt also: the receipt is missing, or shows a difference.
pub(crate) fn run(
    stream: &Stream<'_>,
    window: Window,
    input: &mut (impl Read + AsFd),
    output: &mut Output<impl Write>,
) -> Result<Option<Comparison>, Error> {
    let mut filter = Filter {
        stream,
        window: window.with_receipt(stream.expects_receipt() && !stream.is_websocket()),
        buffer: vec![0; CHUNK],
        has_more_input: false,
        stall: Deadline::NEVER,
        checked: Checked { bytes: 0, ends_line: true },
        has_receipt_begun: false,
    };
    let outcome = filter.run(input, output);
    let comparison = settle_pipe(stream, outcome.map(|()| Some(filter.checked)))?;
    output.finish()?;
    if filter.has_more_input { Err(Error::InputAfterExit) } else { Ok(comparison) }
}

/// State of the loop.
struct Filter<'f, 'i> {
    stream: &'f Stream<'i>,
    window: Window,
    buffer: Vec<u8>,
    /// The input continues after a line that reads as an exit.
    has_more_input: bool,
    /// Time at which an echo without progress is given up.
    stall: Deadline,
    /// The bytes that have returned and are right.
    checked: Checked,
    /// Everything has returned, and more has arrived: the receipt that the server is to send.
    has_receipt_begun: bool,
}

impl Filter<'_, '_> {
    fn run(
        &mut self,
        input: &mut (impl Read + AsFd),
        output: &mut Output<impl Write>,
    ) -> Result<(), Error> {
        while self.send() {
            let reading = (self.window.capacity() > 0).then(|| input.as_fd());
            let is_sending = !self.window.unsent().is_empty();
            let ready = self.stream.wait(is_sending, reading, self.stall)?;
            if ready.is_readable {
                self.receive(output)?;
            }
            if ready.has_input {
                self.read_input(input)?;
            }
        }
        self.expect_end(output)
    }

    /// Sends what the socket accepts; returns `false` if all input was sent and has returned.
    fn send(&mut self) -> bool {
        let window = &mut self.window;
        if !window.unsent().is_empty() {
            // After a failed send, the last bytes of the server, or the reason, can still be received.
            let unsent = window.unsent().len();
            window.mark_sent(self.stream.send(window.unsent()).unwrap_or(unsent));
        }
        if window.is_complete() && window.unsent().is_empty() {
            // Further calls have no effect.
            self.stream.end_input();
            if window.missing() == 0 {
                self.stream.half_close();
            }
            return window.missing() > 0;
        }
        true
    }

    fn receive(&mut self, output: &mut Output<impl Write>) -> Result<(), Error> {
        match self.stream.receive(&mut self.buffer)? {
            Received::Bytes(count) => {
                self.check(count, output)?;
                let is_echo_due = self.window.missing() > 0;
                self.stall = if is_echo_due { self.stream.deadline() } else { Deadline::NEVER };
                Ok(())
            }
            Received::End => match self.window.missing() {
                0 => Err(echo::Error::Closed.into()),
                missing => {
                    let has_answered = self.stream.has_answered();
                    Err(echo::Error::ClosedEarly { missing, has_answered }.into())
                }
            },
            Received::Nothing => Ok(()),
        }
    }

    /// Checks the first `count` bytes of the buffer, and writes those that are right.
    fn check(&mut self, count: usize, output: &mut Output<impl Write>) -> Result<(), Error> {
        let (valid, checked) = self.window.check(&self.buffer[..count]);
        let right = &self.buffer[..valid];
        output.write(right)?;
        if let Some(&last) = right.last() {
            self.checked.bytes += valid as u64;
            self.checked.ends_line = last == b'\n';
        }
        match checked {
            // What follows the last echo is compared later.
            Err(echo::Error::Unexpected(_)) if self.expects_line() && self.window.is_complete() => {
                self.has_receipt_begun = true;
                Ok(())
            }
            checked => Ok(checked?),
        }
    }

    /// Returns whether a receipt is to follow the bytes. That of a WebSocket is a message, which is none of the bytes.
    fn expects_line(&self) -> bool {
        self.stream.expects_receipt() && !self.stream.is_websocket()
    }

    /// Receives the rest of a goodbye, and nothing else, until the server closes. A receipt is left to be compared.
    fn expect_end(&mut self, output: &mut Output<impl Write>) -> Result<(), Error> {
        let deadline = Deadline::after(self.stream.timeout().min(CLOSE_TIMEOUT));
        self.buffer.truncate(1024);
        while !self.has_receipt_begun {
            match self.stream.wait(false, None, deadline) {
                Err(net::Error::NoReply(_)) => return Ok(()),
                other => other?,
            };
            match self.stream.receive(&mut self.buffer) {
                Ok(Received::Bytes(count)) => self.check(count, output)?,
                Ok(Received::Nothing) => {}
                // Every byte has returned, so a failure of the connection has no effect.
                Ok(Received::End) | Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn read_input(&mut self, input: &mut (impl Read + AsFd)) -> Result<(), Error> {
        let max = self.window.capacity().min(CHUNK);
        let Some(count) = read(input, &mut self.buffer[..max])? else { return Ok(()) };
        if self.window.missing() == 0 {
            self.stall = self.stream.deadline();
        }
        self.has_more_input = self.window.push(&self.buffer[..count]) < count;
        if count == 0 {
            self.window.end();
        } else if self.window.is_complete() {
            self.has_more_input = self.has_more_input || has_more(input)?;
        }
        Ok(())
    }
}

/// Returns `true` if there is input now; does not wait for input that may still come.
fn has_more(input: &mut (impl Read + AsFd)) -> Result<bool, Error> {
    let mut fds = [PollFd::new(input, PollFlags::IN)];
    poll(&mut fds, Deadline::after(Duration::ZERO)).map_err(stdio::Error::Input)?;
    let is_ready = !fds[0].revents().is_empty();
    Ok(is_ready && read(input, &mut [0])?.is_some_and(|count| count > 0))
}

/// Reads input that `poll` has reported; returns `None` if there is none: another process that shares the input
/// may have read it first. In blocking mode the read would wait for more.
fn read(input: &mut impl Read, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
    match input.read(buffer) {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), Io::WouldBlock | Io::Interrupted) => Ok(None),
        Err(error) => Err(stdio::Error::Input(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SHORT, answered, echo, served_by};
    use std::{os::unix::net::UnixStream, thread};

    /// Runs `input` through `stream`: returns the output, and the result.
    fn filter(stream: &Stream<'_>, input: &[u8]) -> (Vec<u8>, Result<(), String>) {
        let (mut input_end, mut feeder) = UnixStream::pair().unwrap();
        let input = input.to_vec();
        // The filter may stop before it has read everything.
        let feeding = thread::spawn(move || drop(feeder.write_all(&input)));
        let mut output = Vec::new();
        let window = Window::default();
        let result = run(stream, window, &mut input_end, &mut Output::new(&mut output, false));
        drop(input_end);
        feeding.join().unwrap();
        (output, result.map(|_| ()).map_err(|error| error.to_string()))
    }

    #[test]
    fn passes_more_than_all_buffers_hold() {
        let input: Vec<u8> = (0..20_000_000_u32).map(|i| (i % 253) as u8).collect();
        let (output, result) = filter(&served_by(echo), &input);
        assert_eq!(result, Ok(()));
        assert!(output == input, "{} of {} bytes", output.len(), input.len());
    }

    #[test]
    fn an_empty_input_gives_an_empty_output() {
        assert_eq!(filter(&served_by(echo), b""), (Vec::new(), Ok(())));
    }

    #[test]
    fn stops_at_an_exit_line_and_reports_input_after_it() {
        let goodbye = || answered(b"one\nexit\n", vec![b"one\n".into(), b"Goodbye!\n".into()]);
        let input = b"one\nexit\n";
        assert_eq!(filter(&goodbye(), input), (b"one\nGoodbye!\n".into(), Ok(())));
        assert_eq!(filter(&served_by(echo), input), (b"one\nexit\n".into(), Ok(())));
        let (output, result) = filter(&goodbye(), b"one\nexit\nnot sent\n");
        assert_eq!(output, b"one\nGoodbye!\n");
        assert!(result.unwrap_err().contains("was not sent"));
    }

    #[test]
    fn writes_the_right_bytes_before_the_error() {
        for (reply, valid, text) in [
            ("one\nTwo\n", "one\n", r"Wrong echo at byte 5: expected 'two\n', received 'Two\n'"),
            ("one\n", "one\n", "The server closed the connection with 4 bytes of the echo missing"),
            ("one\ntwo\none\n", "one\ntwo\n", r"The server sent unexpected data: 'one\n'"),
        ] {
            let stream = answered(b"one\ntwo\n", vec![reply.into()]);
            let (output, result) = filter(&stream, b"one\ntwo\n");
            assert_eq!((output, result), (valid.into(), Err(text.to_owned())));
        }
    }

    #[test]
    fn gives_up_a_server_that_makes_no_progress() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (output, result) = filter(&Stream::new(ours, SHORT), b"one\n");
        assert_eq!(result, Err("No reply from the server within 20ms".to_owned()));
        assert_eq!(output, b"");
    }

    /// Input that another process reads between `poll` and `read`.
    #[test]
    fn waits_again_if_the_reported_input_is_gone() {
        let (mut input, mut feeder) = UnixStream::pair().unwrap();
        input.set_nonblocking(true).unwrap();
        assert_eq!(read(&mut input, &mut [0]).unwrap(), None);
        feeder.write_all(b"x").unwrap();
        assert_eq!(read(&mut input, &mut [0]).unwrap(), Some(1));
    }

    #[test]
    fn notices_a_server_that_closes_while_the_input_is_idle() {
        let (mut input, _idle) = UnixStream::pair().unwrap();
        let result = run(
            &served_by(drop),
            Window::default(),
            &mut input,
            &mut Output::new(Vec::new(), false),
        );
        assert!(matches!(result, Err(Error::Echo(echo::Error::Closed))));
    }
}
