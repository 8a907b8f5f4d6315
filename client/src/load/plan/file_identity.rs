//! Identity of a file, whatever its path is: another spelling, a symbolic or hard link, `/dev/fd/3`.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata},
    os::{fd::AsFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

/// Maximum number of symbolic links to a file that does not exist yet, as in `path_resolution(7)`.
const MAX_LINKS: usize = 40;

/// File that a path or a descriptor refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileIdentity {
    /// Existing file.
    Existing {
        /// Device and inode.
        id: (u64, u64),
        /// It keeps its content, unlike a terminal or a pipe.
        is_regular: bool,
    },
    /// File that does not exist yet.
    New {
        /// Device and inode of its directory.
        directory: (u64, u64),
        /// Name in the directory.
        name: OsString,
    },
}

impl FileIdentity {
    /// Returns the identity of the file at a path; `None` if it cannot be a file, and for `/dev/null`, which any
    /// number of outputs may share.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            if let Ok(metadata) = fs::metadata(&path) {
                return Self::of_metadata(&metadata);
            }
            let directory = directory(&path);
            let Ok(target) = fs::read_link(&path) else {
                let directory = id(&fs::metadata(directory).ok()?);
                return Some(Self::New { directory, name: path.file_name()?.to_owned() });
            };
            // The link is created as the file that it names.
            path = directory.join(target);
        }
        None
    }

    /// Returns the identity of an open file, as [`FileIdentity::of_path`] does.
    pub(super) fn of_descriptor(file: impl AsFd) -> Option<Self> {
        let file = File::from(file.as_fd().try_clone_to_owned().ok()?);
        Self::of_metadata(&file.metadata().ok()?)
    }

    /// Returns `true` if it has a content that another output would overwrite.
    pub(super) fn has_content(&self) -> bool {
        matches!(self, Self::Existing { is_regular: true, .. })
    }

    fn of_metadata(metadata: &Metadata) -> Option<Self> {
        let id = id(metadata);
        let is_null = fs::metadata("/dev/null").is_ok_and(|null| self::id(&null) == id);
        (!is_null).then(|| Self::Existing { id, is_regular: metadata.is_file() })
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Returns the directory of a path.
fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{fd::AsRawFd as _, unix::fs::symlink};

    #[test]
    fn recognizes_a_file_under_every_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::hard_link(at("file"), at("hard")).unwrap();
        symlink("file", at("soft")).unwrap();
        symlink(directory.path(), at("sub/up")).unwrap();
        let open = File::open(at("file")).unwrap();
        let by_descriptor = format!("/dev/fd/{}", open.as_raw_fd());
        let file = FileIdentity::of_path(&at("file"));
        assert!(file.as_ref().is_some_and(FileIdentity::has_content));
        for name in ["./file", "sub/../file", "hard", "soft", "sub/up/file", &by_descriptor] {
            assert_eq!(FileIdentity::of_path(&at(name)), file, "{name}");
        }
        assert_eq!(FileIdentity::of_descriptor(&open), file);
        symlink("new", at("dangling")).unwrap();
        symlink("dangling", at("chain")).unwrap();
        let new = FileIdentity::of_path(&at("new"));
        assert!(new.is_some() && new != file);
        for name in ["./new", "sub/up/new", "dangling", "chain"] {
            assert_eq!(FileIdentity::of_path(&at(name)), new, "{name}");
        }
        assert_ne!(FileIdentity::of_path(&at("sub/new")), new);
    }

    #[test]
    fn gives_up_a_path_that_is_no_file_and_ignores_the_null_device() {
        let directory = tempfile::tempdir().unwrap();
        let around = directory.path().join("around");
        symlink("around", &around).unwrap();
        for path in [&around, Path::new("/nowhere/file"), Path::new("/dev/null")] {
            assert_eq!(FileIdentity::of_path(path), None, "{}", path.display());
        }
    }
}
