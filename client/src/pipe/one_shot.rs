//! Messages from the command line (`-m TEXT`), exchanged one by one.
//!
//! Must not know how a message travels, nor where the output goes.

use std::io::Write;

use common::{protocol::GOODBYE, receipt::Comparison};

use crate::{
    echo::{
        exchange::exchange,
        exit::{ExitReply, close_gracefully, send_exit},
        message::split_at_exit,
    },
    net::stream::Stream,
};

use super::{error::Error, output::Output, settle::settle_pipe};

/// Sends each message as a line and writes its echo, then sends an exit without showing the answer.
///
/// A message that reads as an exit, or contains one as a line, is the last: its goodbye is written, and
/// nothing after it is sent.
///
/// With a receipt, the end of the stream takes the place of the exit; returns the comparison.
///
/// # Errors
///
/// An echo was wrong, late or missing, or the output failed. A server that does not answer the exit at the
/// end is no error. With a receipt also: the receipt is missing, or shows a difference.
pub(crate) fn run(
    stream: Stream<'_>,
    messages: &[Vec<u8>],
    output: &mut Output<impl Write>,
) -> Result<Option<Comparison>, Error> {
    let sent = send_all(&stream, messages, output);
    let has_exited = matches!(sent, Ok(true));
    let comparison = settle_pipe(&stream, sent.map(|_| None))?;
    if comparison.is_none() && !has_exited {
        close_gracefully(stream);
    }
    Ok(comparison)
}

/// Sends each message; returns `true` if an exit ended the session.
fn send_all(
    stream: &Stream<'_>,
    messages: &[Vec<u8>],
    output: &mut Output<impl Write>,
) -> Result<bool, Error> {
    for message in messages {
        let message = [message, &b"\n"[..]].concat();
        let (text, exit) = split_at_exit(&message);
        if !text.is_empty() {
            exchange(stream, text)?;
            output.write(text)?;
        }
        if let Some(exit) = exit {
            match send_exit(stream, exit)? {
                ExitReply::Goodbye => output.write(format!("{GOODBYE}\n").as_bytes())?,
                ExitReply::Echo => output.write(exit)?,
            }
            output.finish()?;
            return Ok(true);
        }
    }
    output.finish()?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, echo, served_by};

    fn send(stream: Stream<'_>, messages: &[&[u8]]) -> (Vec<u8>, Result<(), String>) {
        let messages: Vec<_> = messages.iter().map(|message| message.to_vec()).collect();
        let mut output = Vec::new();
        let result = run(stream, &messages, &mut Output::new(&mut output, false));
        (output, result.map(|_| ()).map_err(|error| error.to_string()))
    }

    #[test]
    fn writes_each_echo_as_a_line_and_not_the_exit_at_the_end() {
        let echoes = send(served_by(echo), &[b"one", b"", b"\xff\x1b"]);
        assert_eq!(echoes, (b"one\n\n\xff\x1b\n".into(), Ok(())));
    }

    #[test]
    fn a_server_that_closes_before_the_exit_is_no_error() {
        let stream = answered(b"one\n", vec![b"one\n".into()]);
        assert_eq!(send(stream, &[b"one"]), (b"one\n".into(), Ok(())));
    }

    #[test]
    fn an_exit_inside_a_message_is_the_last_line() {
        let echoes = send(served_by(echo), &[b"a\nEXIT\nb", b"c"]);
        assert_eq!(echoes, (b"a\nEXIT\n".into(), Ok(())));
        let stream = answered(b"exit\n", vec![b"Goodbye!".into()]);
        assert_eq!(send(stream, &[b"exit", b"c"]), (b"Goodbye!\n".into(), Ok(())));
    }

    #[test]
    fn does_not_write_a_wrong_echo() {
        let stream = answered(b"one\n", vec![b"One\n".into()]);
        let wrong = r"Wrong echo at byte 1: expected 'one\n', received 'One\n'";
        assert_eq!(send(stream, &[b"one", b"two"]), (Vec::new(), Err(wrong.to_owned())));
    }
}
