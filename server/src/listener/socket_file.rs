//! The file of a Unix socket (`unix(7)`): created with its permissions, replaced only if no server listens
//! on it, and removed with its socket.

use std::{
    fs, io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::{
    fs::{FileType, FlockOperation, Mode, OFlags, fchmod, flock, fstat},
    io::Errno,
};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::limits;

/// The file of a socket. Dropping it removes the file, if it still belongs to that socket. While the socket is
/// open no other file can have its inode, so this is dropped before the socket.
#[derive(Debug)]
pub(crate) struct SocketFile(SocketFileId);

/// Identifies the file of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketFileId {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl SocketFileId {
    /// Returns whether the file is still there.
    pub(crate) fn exists(&self) -> bool {
        id(&self.path).is_ok_and(|id| id == self.device_and_inode)
    }
}

impl SocketFile {
    /// Creates a socket that listens at `path`, whose file has these permissions from the beginning.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if a server listens there, `AlreadyExists` if the file there is not a socket; otherwise as
    /// `bind(2)`.
    pub(crate) fn listen(path: &Path, mode: u32) -> io::Result<(Socket, Self)> {
        // Held until the socket listens: a socket that is only bound looks like a stale one.
        let _lock = lock_directory(path, limits::LOCK_TIMEOUT);
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Linux creates the file with the permissions of the socket, less the umask, so no other user can
        // connect before they are set.
        fchmod(&socket, Mode::from_raw_mode(mode))?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = Self(SocketFileId { path: path.to_owned(), device_and_inode: id(path)? });
        set_mode(path, mode)?;
        socket.listen(limits::BACKLOG)?;
        Ok((socket, file))
    }

    pub(crate) fn id(&self) -> &SocketFileId {
        &self.0
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _lock = lock_directory(&self.0.path, Duration::ZERO);
        // Another server may have replaced the file.
        if self.0.exists() {
            // If the file cannot be removed, the next server finds that it is stale.
            let _ = fs::remove_file(&self.0.path);
        }
    }
}

/// Sets the permissions of a socket's file, without following a link: a user who can write the directory could
/// have replaced the file by a link to a file of another user.
///
/// # Errors
///
/// If the file is not a socket, or the system refuses.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let found = fstat(&file)?.st_mode;
    if !FileType::from_raw_mode(found).is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if Mode::from_raw_mode(found) == Mode::from_raw_mode(mode) {
        return Ok(());
    }
    // The permissions of an O_PATH descriptor can only be changed through /proc (`open(2)`).
    let file = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Removes the file of a socket on which no server listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A server with a full backlog listens; do not wait for it.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // A server listens, or the socket has another type.
        _ => Err(Errno::ADDRINUSE.into()),
    }
}

/// Locks the directory of the file between the check and the replacement: two servers that start at the same
/// time would otherwise both find the file stale. Without a lock only that protection is lost.
fn lock_directory(path: &Path, timeout: Duration) -> Option<OwnedFd> {
    let directory = match path.parent()? {
        empty if empty.as_os_str().is_empty() => Path::new("."),
        directory => directory,
    };
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty()).ok()?;
    // A process that holds the lock for longer is not a starting server; do not wait for it.
    for _ in 0..=timeout.as_millis() / limits::LOCK_INTERVAL.as_millis() {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::WOULDBLOCK) => thread::sleep(limits::LOCK_INTERVAL),
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn error_kind(path: &Path) -> io::ErrorKind {
        SocketFile::listen(path, 0o600).unwrap_err().kind()
    }

    #[test]
    fn the_file_has_its_permissions_and_is_removed_with_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("echo.sock");
        for wanted in [0o600, 0o666] {
            let (_socket, file) = SocketFile::listen(&path, wanted).unwrap();
            assert_eq!(mode(&path), wanted);
            UnixStream::connect(&path).unwrap();
            drop(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_live_socket_is_kept_and_a_stale_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("echo.sock");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(error_kind(&path), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        drop(listener);
        let (_socket, file) = SocketFile::listen(&path, 0o600).unwrap();
        // Another server replaces the file.
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn set_mode_changes_a_socket_and_does_not_follow_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (precious, path) = (dir.path().join("precious"), dir.path().join("echo.sock"));
        fs::write(&precious, "data").unwrap();
        let before = mode(&precious);
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        assert!(set_mode(&path, 0o666).is_err());
        assert_eq!(mode(&precious), before);

        fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        set_mode(&path, 0o612).unwrap();
        assert_eq!(mode(&path), 0o612);
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert_eq!(error_kind(&path), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"data");
        assert_eq!(error_kind(&dir.path().join("no/such")), io::ErrorKind::NotFound);
    }
}
