//! The file with the session secrets of TLS connections.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use common::{cli::KeyLogFile, escape::Quoted, reason::reason};

/// The secrets of all listeners go to one file.
#[derive(Clone)]
pub(in crate::settings) struct KeyLog(Arc<Inner>);

struct Inner {
    file: KeyLogFile,
    has_failed: AtomicBool,
}

impl KeyLog {
    /// Writes to this file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(in crate::settings) fn new(file: KeyLogFile) -> Result<Self, String> {
        if let Err(error) = file.check() {
            return Err(format!(
                "cannot write {}: {}; give the path of a file for the session secrets of TLS",
                Quoted(file.path().as_os_str().as_encoded_bytes()),
                reason(&error)
            ));
        }
        Ok(Self(Arc::new(Inner { file, has_failed: AtomicBool::new(false) })))
    }

    /// Returns the path of the file as messages show it.
    pub(in crate::settings) fn name(&self) -> impl fmt::Display {
        Quoted(self.0.file.path().as_os_str().as_encoded_bytes())
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let Inner { file, has_failed } = &*self.0;
        match file.append(label, client_random, secret) {
            Ok(()) => has_failed.store(false, Relaxed),
            Err(error) if !has_failed.swap(true, Relaxed) => log::error!(event = "key-log-failed";
                "Cannot write the session secrets of TLS to {}: {}; those of some connections are missing",
                self.name(), reason(&error)),
            Err(_) => {}
        }
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyLog").field(&self.0.file.path()).finish()
    }
}
