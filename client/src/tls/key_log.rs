//! Log of the session secrets, with which a packet analyser decrypts a capture.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use common::{
    cli::{KeyLogFile, print_error},
    reason::reason,
};

/// Log of the session secrets in a file.
#[derive(Debug)]
pub(super) struct KeyLog {
    file: KeyLogFile,
    /// A secret could not be written.
    is_incomplete: AtomicBool,
}

impl KeyLog {
    /// Opens the file, before a connection is made.
    ///
    /// # Errors
    ///
    /// An error of `open(2)`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = KeyLogFile::new(path.to_owned());
        file.open()?;
        Ok(Self { file, is_incomplete: AtomicBool::new(false) })
    }
}

impl rustls::KeyLog for KeyLog {
    /// Appends a secret. A failure does not end the connection, and is reported once.
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if let Err(error) = self.file.append(label, client_random, secret)
            && !self.is_incomplete.swap(true, Ordering::Relaxed)
        {
            print_error(&format!(
                "Warning: could not write to {}: {}; session secrets are missing in it",
                self.file.path().display(),
                reason(&error)
            ));
        }
    }
}
