//! `-m TEXT`: messages from the command line, one by one, then a polite end.
//!
//! Must not know how a message travels, nor what the output is.

use std::io::Write;

use common::protocol::GOODBYE;

use crate::{
    error::Error,
    exchange::{ExitReply, exchange, say_exit, split_at_exit, take_leave},
    link::Link,
    output::Output,
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
