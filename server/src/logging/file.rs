//! The log file.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Opens a file to append to it. Refuses a named pipe without a reader instead of waiting for one.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().create(true).append(true).custom_flags(nonblocking).open(path)?;
    // Only the opening must not block.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Returns whether the file is empty or ends with a whole record. A write that fails may leave a part of a record. A
/// file that the server cannot read counts as whole.
pub(crate) fn ends_with_record(file: &File, path: &Path) -> bool {
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
