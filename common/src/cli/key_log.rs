//! A file with the session secrets of TLS, by which a packet analyser decrypts captured connections.

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Permissions of a new file: its readers can decrypt the connections.
const MODE: u32 = 0o600;

/// A file in the format that browsers write for the variable `SSLKEYLOGFILE` (RFC 9850). It is opened at the first
/// secret, and each secret is one write, so that processes can share the file.
///
/// ```
/// use common::cli::KeyLogFile;
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("keys");
/// let log = KeyLogFile::new(path.clone());
/// log.append("CLIENT_RANDOM", &[0xab], &[1, 2])?;
/// assert_eq!(std::fs::read_to_string(path)?, "CLIENT_RANDOM ab 0102\n");
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct KeyLogFile {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl KeyLogFile {
    /// Returns the file at this path, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: Mutex::default() }
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the file can be written, without creating it.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be opened, or its directory does not exist.
    pub fn check(&self) -> io::Result<()> {
        match OpenOptions::new().append(true).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
                parent.map_or(Ok(()), |parent| parent.metadata().map(drop))
            }
            opened => opened.map(drop),
        }
    }

    /// Opens the file now, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(&self) -> io::Result<()> {
        self.opened(&mut self.lock()).map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened<'f>(&self, file: &'f mut Option<File>) -> io::Result<&'f mut File> {
        match file {
            Some(file) => Ok(file),
            none => {
                let mut options = OpenOptions::new();
                let file = options.create(true).append(true).mode(MODE).open(&self.path)?;
                Ok(none.insert(file))
            }
        }
    }

    /// Appends a secret: its label, the random value of the client that identifies the connection, the secret.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or written.
    pub fn append(&self, label: &str, client_random: &[u8], secret: &[u8]) -> io::Result<()> {
        let mut file = self.lock();
        let file = self.opened(&mut file)?;
        let mut line = format!("{label} ");
        push_hex(&mut line, client_random);
        line.push(' ');
        push_hex(&mut line, secret);
        line.push('\n');
        file.write_all(line.as_bytes())
    }
}

fn push_hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(line, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_new_file_is_readable_by_its_owner_only_and_an_old_one_is_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        for _ in 0..2 {
            let log = KeyLogFile::new(path.clone());
            log.check().unwrap();
            log.open().unwrap();
            log.append("A", &[1], &[2]).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "A 01 02\nA 01 02\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_check_finds_what_cannot_be_written_and_creates_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let check = |path: &str| KeyLogFile::new(directory.path().join(path)).check();
        check("new").unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(check("missing/keys").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(check("").unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
