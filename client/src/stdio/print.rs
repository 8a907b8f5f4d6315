//! Output of text.

use std::io::Write;

use super::error::Error;

/// Writes and flushes text.
pub(crate) fn print(output: &mut (impl Write + ?Sized), text: &str) -> Result<(), Error> {
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(Error::from_write)
}
