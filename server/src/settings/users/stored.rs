//! The file of users on a disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use common::{escape::Quoted, reason::reason};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::file::{LineError, UsersFile};

/// Maximum size of the file, in bytes: about 400,000 users.
const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// Permissions of a new file.
const MODE: u32 = 0o600;

/// Reason for which the file of users cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refuses to read or write it.
    #[error("cannot {what} the file of users {name}: {reason}")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The path, quoted.
        name: String,
        /// What the system says.
        reason: String,
    },
    /// Others than its owner and its group can read it, or others can write it.
    #[error("the file of users {name} is open to others (mode {mode:o}): chmod 600 {name}")]
    Permissions {
        /// The path, quoted.
        name: String,
        /// Its permissions.
        mode: u32,
    },
    /// Lines of it are wrong.
    #[error("the file of users {name}, {}", lines(errors))]
    Lines {
        /// The path, quoted.
        name: String,
        /// The wrong lines.
        errors: Vec<LineError>,
    },
}

fn lines(errors: &[LineError]) -> String {
    let first = errors.first().map(LineError::to_string).unwrap_or_default();
    match errors.len() {
        0 | 1 => first,
        more => format!("{first}; and {} more", more - 1),
    }
}

fn name(path: &Path) -> String {
    Quoted(path.as_os_str().as_encoded_bytes()).to_string()
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> FileError {
    move |error| FileError::Io { what, name: name(path), reason: reason(&error) }
}

/// Reads the file of users.
///
/// # Errors
///
/// If it cannot be read, is open to others, or a line of it is wrong.
pub fn load(path: &Path) -> Result<UsersFile, FileError> {
    read(open(path).map_err(failed("read", path))?, path)
}

fn open(path: &Path) -> io::Result<File> {
    // A FIFO would block the open.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn read(file: File, path: &Path) -> Result<UsersFile, FileError> {
    let failed = failed("read", path);
    let metadata = file.metadata().map_err(&failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    // A group is allowed: a service often reads what an administrator owns.
    if metadata.mode() & 0o027 != 0 {
        return Err(FileError::Permissions { name: name(path), mode: metadata.mode() & 0o777 });
    }
    let mut text = String::new();
    file.take(MAX_SIZE + 1).read_to_string(&mut text).map_err(&failed)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(failed(io::Error::other("it is larger than 64 MiB")));
    }
    UsersFile::parse(&text).map_err(|errors| FileError::Lines { name: name(path), errors })
}

/// Changes the file of users, in one step: a reader sees the old content or the new one. It is created if it is missing and
/// `may_create`. Other editors wait.
///
/// # Errors
///
/// If it cannot be read or written, or `change` returns an error; then nothing has changed.
pub fn edit<T, E: From<FileError>>(
    path: &Path,
    may_create: bool,
    change: impl FnOnce(&mut UsersFile) -> Result<T, E>,
) -> Result<T, E> {
    // A link stays one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let lock = File::open(folder).map_err(failed("write", path)).map_err(E::from)?;
    lock.lock().map_err(failed("write", path)).map_err(E::from)?;
    let (mut file, mode) = match open(path) {
        Err(error) if may_create && error.kind() == io::ErrorKind::NotFound => {
            (UsersFile::new(), MODE)
        }
        Err(error) => return Err(failed("read", path)(error).into()),
        Ok(file) => {
            let mode = file.metadata().map_or(MODE, |metadata| metadata.mode() & 0o777);
            (read(file, path)?, mode)
        }
    };
    let result = change(&mut file)?;
    replace(path, folder, mode, &file.to_string()).map_err(failed("write", path))?;
    Ok(result)
}

fn replace(path: &Path, folder: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = path.metadata() {
        // Only root can give a file to somebody else; others have to own it anyway.
        let _ = std::os::unix::fs::fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
    }
    new.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    File::open(folder)?.sync_all()
}
