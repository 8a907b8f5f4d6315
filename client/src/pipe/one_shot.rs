//! `-m TEXT`: messages from the command line, one by one, then a polite end.
//!
//! Must not know how a message travels, nor what the output is.

use std::io::Write;

use common::protocol::GOODBYE;

use crate::{
    echo::exchange::{ExitReply, exchange, say_exit, split_at_exit, take_leave},
    net::{error::Error, stream::Link},
    pipe::output::Output,
};

/// Sends each message as a line and writes its echo; at the end says exit, quietly.
///
/// A message that is an exit, or holds one between its newlines, is the last: its goodbye is
/// written, and what would come after it is not sent.
///
/// # Errors
///
/// An echo was wrong, late or missing; the output failed. Once every echo is back, the work is done:
/// a server that does not answer the exit at the end is no failure.
pub fn run(
    link: Link<'_>,
    messages: &[Vec<u8>],
    output: &mut Output<impl Write>,
) -> Result<(), Error> {
    for message in messages {
        let message = [message, &b"\n"[..]].concat();
        let (text, exit) = split_at_exit(&message);
        if !text.is_empty() {
            exchange(&link, text)?;
            output.write(text)?;
        }
        if let Some(exit) = exit {
            match say_exit(&link, exit)? {
                ExitReply::Goodbye => output.write(format!("{GOODBYE}\n").as_bytes())?,
                ExitReply::Echo => output.write(exit)?,
            }
            return output.finish();
        }
    }
    output.finish()?;
    take_leave(link);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, echo, served_by};

    fn said(link: Link<'_>, messages: &[&[u8]]) -> (Vec<u8>, Result<(), String>) {
        let messages: Vec<_> = messages.iter().map(|message| message.to_vec()).collect();
        let mut output = Vec::new();
        let end = run(link, &messages, &mut Output::new(&mut output, false));
        (output, end.map_err(|error| error.to_string()))
    }

    #[test]
    fn each_echo_is_a_line_and_the_exit_at_the_end_is_not_shown() {
        let echoes = said(served_by(echo), &[b"one", b"", b"\xff\x1b"]);
        assert_eq!(echoes, (b"one\n\n\xff\x1b\n".into(), Ok(())));
    }

    #[test]
    fn a_server_that_leaves_before_the_exit_has_done_its_work() {
        let link = answered(b"one\n", vec![b"one\n".into()]);
        assert_eq!(said(link, &[b"one"]), (b"one\n".into(), Ok(())));
    }

    #[test]
    fn an_exit_within_a_message_is_the_last_word() {
        let echoes = said(served_by(echo), &[b"a\nEXIT\nb", b"c"]);
        assert_eq!(echoes, (b"a\nEXIT\n".into(), Ok(())));
        let link = answered(b"exit\n", vec![b"Goodbye!".into()]);
        assert_eq!(said(link, &[b"exit", b"c"]), (b"Goodbye!\n".into(), Ok(())));
    }

    #[test]
    fn a_wrong_echo_is_not_written() {
        let link = answered(b"one\n", vec![b"One\n".into()]);
        let wrong = r"Wrong echo at byte 1: expected 'one\n', received 'One\n'";
        assert_eq!(said(link, &[b"one", b"two"]), (Vec::new(), Err(wrong.to_owned())));
    }
}
