//! Log of the secrets of TLS sessions, with which a packet analyser decrypts a capture.
//!
//! The format is that of `SSLKEYLOGFILE` (RFC 9850).

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use common::{cli::print_error, reason::reason};
use rustls::KeyLog;

/// File to which a line is appended for each secret. Several processes may share it: each line is one write.
#[derive(Debug)]
pub(super) struct KeyLogFile {
    file: File,
    path: PathBuf,
    /// A line could not be written.
    is_incomplete: AtomicBool,
}

impl KeyLogFile {
    /// Opens the file. If it does not exist, it is created for this user only.
    ///
    /// # Errors
    ///
    /// An error of `open(2)`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(Self { file, path: path.to_owned(), is_incomplete: AtomicBool::new(false) })
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        loop {
            match (&self.file).write(line) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) if count < line.len() => return Err(ErrorKind::WriteZero.into()),
                written => return written.map(drop),
            }
        }
    }
}

impl KeyLog for KeyLogFile {
    /// Appends a line. A failure does not end the connection, and is reported once.
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        if let Err(error) = self.write(line.as_bytes())
            && !self.is_incomplete.swap(true, Ordering::Relaxed)
        {
            print_error(&format!(
                "Warning: could not write to {}: {}; TLS secrets are missing in it",
                self.path.display(),
                reason(&error)
            ));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[test]
    fn a_secret_is_appended_as_a_line_to_a_file_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        for (label, secret) in [("CLIENT_RANDOM", [0xab, 0x01]), ("EXPORTER_SECRET", [0, 0xff])] {
            KeyLogFile::open(&path).unwrap().log(label, &[0x0f], &secret);
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "CLIENT_RANDOM 0f ab01\nEXPORTER_SECRET 0f 00ff\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
