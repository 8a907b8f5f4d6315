//! Output of text and bytes.

use std::io::Write;

use super::error::Error;

/// Writes and flushes text.
pub(crate) fn print(output: &mut (impl Write + ?Sized), text: &str) -> Result<(), Error> {
    write(output, text.as_bytes())
}

/// Writes and flushes bytes.
pub(crate) fn write(output: &mut (impl Write + ?Sized), bytes: &[u8]) -> Result<(), Error> {
    output.write_all(bytes).and_then(|()| output.flush()).map_err(Error::from_write)
}
