//! A file of records, each of which is a line.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};

use super::queue::LogQueue;
use crate::config::limits;

/// A file, pipe or terminal to which records are written.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    /// Maximum bytes per write.
    chunk: usize,
    /// The last byte ended a record, or there is no byte.
    between_records: bool,
}

impl From<File> for Output {
    /// Records are written behind what the file has.
    fn from(file: File) -> Self {
        // A regular file takes a write of any size. A larger write to a pipe does not return while a slow reader
        // reads, so the reader would look like a dead one.
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let chunk = if is_file { usize::MAX } else { limits::LOG_CHUNK };
        Self { file, chunk, between_records: true }
    }
}

impl Output {
    /// Uses a file that [`open_append`] has opened. A record never continues a part of another.
    pub(crate) fn of_file(file: File, path: &Path) -> Self {
        let between_records = ends_with_record(&file, path);
        Self { between_records, ..file.into() }
    }

    /// Writes bytes that begin with a record, and reports each progress to the queue. The error has the unwritten rest.
    pub(crate) fn write<'a>(
        &mut self,
        records: &'a [u8],
        queue: &LogQueue,
    ) -> Result<(), (&'a [u8], io::Error)> {
        let mut rest = records;
        let separator: &[u8] = if self.between_records { b"" } else { b"\n" };
        let written =
            self.write_all(&mut &*separator, queue).and_then(|()| self.write_all(&mut rest, queue));
        written.map_err(|error| (rest, error))
    }

    /// Writes `bytes` and advances it past the written ones.
    fn write_all(&mut self, bytes: &mut &[u8], queue: &LogQueue) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(&bytes[..bytes.len().min(self.chunk)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.between_records = bytes[taken - 1] == b'\n';
                    *bytes = &bytes[taken..];
                    queue.record_progress();
                }
                // Another process that shares the standard stream has made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Opens a file to append to it. Refuses a named pipe without a reader instead of waiting for one.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().create(true).append(true).custom_flags(nonblocking).open(path);
    let file = file.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => {
            io::Error::other("it is a FIFO without a reader; start its reader first")
        }
        _ => error,
    })?;
    // Only the opening must not block.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Returns whether the file is empty or ends with a whole record. A write that fails may leave a part of a record. A
/// file that the server cannot read counts as whole.
fn ends_with_record(file: &File, path: &Path) -> bool {
    let last_byte = || {
        // Opening a pipe would wait for its writer.
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let mut byte = [0];
        File::open(path).ok()?.read_exact_at(&mut byte, metadata.len().checked_sub(1)?).ok()?;
        Some(byte)
    };
    last_byte().is_none_or(|byte| byte == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_within_a_record_is_recognized() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("echo.log");
        for (text, is_whole) in [("", true), ("one\n", true), ("one\ntw", false)] {
            fs::write(&path, text).unwrap();
            assert_eq!(ends_with_record(&open_append(&path).unwrap(), &path), is_whole, "{text}");
        }
    }
}
