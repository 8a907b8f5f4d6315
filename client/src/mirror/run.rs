//! Returning messages until the server closes.

use crate::net::{
    Error,
    poll::Deadline,
    stream::{Received, Stream},
};

/// Returns every message of the server until it closes, then waits for the end of the connection, within the time limit of a
/// reply.
///
/// # Errors
///
/// The server broke the protocol, closed with a code that tells a failure, or ended without a close frame.
pub(crate) fn run(stream: &Stream<'_>) -> Result<(), Error> {
    let result = serve(stream);
    stream.discard_until_end(stream.deadline());
    result
}

fn serve(stream: &Stream<'_>) -> Result<(), Error> {
    loop {
        stream.wait(false, None, Deadline::NEVER)?;
        if stream.receive(&mut [0])? == Received::End {
            return Ok(());
        }
    }
}
