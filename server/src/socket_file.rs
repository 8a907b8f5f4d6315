//! The file of a Unix socket (`unix(7)`): made for those who may connect, replaced only if nobody listens
//! there, removed with its socket.

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

use crate::limits;

/// A socket's file, which is removed when this is dropped, if it is still that socket's. As long as the
/// socket is open nobody else's file can have its inode, so this is to be dropped first.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl SocketFile {
    /// Makes a socket that listens at `path`, with these permissions from its first moment.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if somebody listens there, `AlreadyExists` if what is there is no socket; else as
    /// `bind(2)`.
    pub(crate) fn listen(path: &Path, mode: u32) -> io::Result<(Socket, Self)> {
        // Until it listens: who is bound only looks like one that was left behind.
        let _lock = lock_directory(path, limits::LOCK);
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Linux makes the file with the permissions of the socket, less the umask; nobody else has time to
        // connect before they are as asked.
        fchmod(&socket, Mode::from_raw_mode(mode))?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = Self { path: path.to_owned(), id: id(path)? };
        set_mode(path, mode)?;
        socket.listen(limits::BACKLOG)?;
        Ok((socket, file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _lock = lock_directory(&self.path, Duration::ZERO);
        // Another server may have its own there by now.
        if id(&self.path).is_ok_and(|id| id == self.id) {
            // If it cannot be removed, the next server will find that nobody listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Sets the permissions of a socket's file, and of nothing else: whoever can write the directory could have put
/// a link to a file that is none of theirs in its place.
///
/// # Errors
///
/// If there is no socket, or the system does not let us.
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
    // What is open by its path only can be changed only so (`open(2)`, O_PATH).
    let file = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Removes a socket that its server has left behind.
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
    // Whose backlog is full listens, and must not be waited for.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Listens, or is of another kind, or may not be asked.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(Errno::ADDRINUSE.into()),
    }
}

/// Between the look and the replacement nobody else is to look: two servers that start at once would
/// both find the place free. If the directory cannot be locked, there is only that to lose.
fn lock_directory(path: &Path, patience: Duration) -> Option<OwnedFd> {
    let directory = match path.parent()? {
        empty if empty.as_os_str().is_empty() => Path::new("."),
        directory => directory,
    };
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty()).ok()?;
    // Whoever has it for longer is no server that starts, and must not keep us.
    for _ in 0..=patience.as_millis() / limits::LOCK_PAUSE.as_millis() {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::WOULDBLOCK) => thread::sleep(limits::LOCK_PAUSE),
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

    fn refusal(path: &Path) -> io::ErrorKind {
        SocketFile::listen(path, 0o600).unwrap_err().kind()
    }

    #[test]
    fn the_file_is_its_owners_and_goes_with_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("echo.sock");
        for asked in [0o600, 0o666] {
            let (_socket, file) = SocketFile::listen(&path, asked).unwrap();
            assert_eq!(mode(&path), asked);
            UnixStream::connect(&path).unwrap();
            drop(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_somebody_listens_on_is_left_and_what_was_left_behind_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("echo.sock");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(refusal(&path), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        drop(listener);
        let (_socket, file) = SocketFile::listen(&path, 0o600).unwrap();
        // Somebody else's by now.
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn permissions_are_set_of_a_socket_and_of_nothing_that_a_link_leads_to() {
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
    fn what_is_no_socket_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert_eq!(refusal(&path), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"data");
        assert_eq!(refusal(&dir.path().join("no/such")), io::ErrorKind::NotFound);
    }
}
