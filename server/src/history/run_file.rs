//! The file beside the database that belongs to the server which records: its lock keeps other servers out, and its
//! counters tell the next start how many messages a server that was killed had received.
//!
//! A counter is a number in memory that is shared with the file (`mmap(2)`), so that counting makes no system call, and the
//! system keeps the number when the process ends in any way.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use vm_memory::{Bytes as _, FileOffset, MmapRegion, VolatileMemory as _};

/// First bytes of the file.
const MAGIC: u64 = u64::from_le_bytes(*b"echo-run");

/// Bytes of a counter: a cache line, since each has a writer of its own. The first has the magic number and the run.
const SLOT: usize = 64;

/// The file of a running server.
#[derive(Debug)]
pub(super) struct RunFile {
    file: File,
    path: PathBuf,
    memory: Option<Arc<MmapRegion>>,
    /// Number of counters that are in use.
    used: AtomicUsize,
}

/// Number of messages that one thread has received.
#[derive(Debug)]
pub(super) struct Counter {
    memory: Arc<MmapRegion>,
    at: usize,
    count: u64,
}

/// The content of the file at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastRun {
    pub(super) id: u64,
    /// Number of messages that all threads of that run had received.
    pub(super) received: u64,
}

impl RunFile {
    /// Opens and locks the file of the database at `database`. Returns `None` if another server has it.
    ///
    /// # Errors
    ///
    /// If the system refuses it, with the path of the file.
    pub(super) fn lock(database: &Path) -> Result<Option<Self>, (PathBuf, io::Error)> {
        let mut path = database.as_os_str().to_owned();
        path.push("-run");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o640);
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) => return Err((path, error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path, memory: None, used: AtomicUsize::new(0) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err((path, error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what the last run left. `None`: there was none, or somebody has removed the file.
    pub(super) fn last_run(&self) -> io::Result<Option<LastRun>> {
        let len = usize::try_from(self.file.metadata()?.len()).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len.min(1 << 24)];
        self.file.read_exact_at(&mut bytes, 0)?;
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        if number(0) != Some(MAGIC) {
            return Ok(None);
        }
        let received = (SLOT..bytes.len()).step_by(SLOT).filter_map(number).sum();
        Ok(number(8).map(|id| LastRun { id, received }))
    }

    /// Begins a run with this many counters, all of which are zero.
    ///
    /// # Errors
    ///
    /// If the disk is full, or the system refuses to map the file.
    pub(super) fn begin(&mut self, id: u64, counters: usize) -> io::Result<()> {
        let size = ((counters + 1) * SLOT).next_multiple_of(4096);
        // Written rather than extended: a page without a place on the disk would end the process at the first count.
        self.file.write_all_at(&vec![0; size], 0)?;
        self.file.set_len(size as u64)?;
        self.file.write_all_at(&id.to_ne_bytes(), 8)?;
        self.file.write_all_at(&MAGIC.to_ne_bytes(), 0)?;
        let file = FileOffset::new(self.file.try_clone()?, 0);
        let memory = MmapRegion::from_file(file, size).map_err(io::Error::other)?;
        self.memory = Some(Arc::new(memory));
        Ok(())
    }

    /// Returns a counter that no other thread has.
    pub(super) fn counter(&self) -> Counter {
        let memory = Arc::clone(self.memory.as_ref().expect("the run has begun"));
        let at = (self.used.fetch_add(1, Relaxed) + 1) * SLOT;
        assert!(at < memory.size(), "each worker has one counter");
        Counter { memory, at, count: 0 }
    }

    /// Returns the number of messages that all threads have received.
    pub(super) fn received(&self) -> u64 {
        let Some(memory) = &self.memory else { return 0 };
        let memory = memory.as_volatile_slice();
        let used = self.used.load(Relaxed);
        (1..=used).map(|slot| memory.load::<u64>(slot * SLOT, Relaxed).unwrap_or_default()).sum()
    }
}

impl Counter {
    pub(super) fn add_one(&mut self) {
        self.count += 1;
        let stored = self.memory.as_volatile_slice().store(self.count, self.at, Relaxed);
        debug_assert!(stored.is_ok(), "the counter is inside of the file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_start_reads_the_counts_of_all_threads() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("history.db");
        let mut file = RunFile::lock(&database).unwrap().unwrap();
        assert_eq!(file.last_run().unwrap(), None);
        file.begin(7, 100).unwrap();
        let mut counters = [file.counter(), file.counter()];
        counters[0].add_one();
        counters[1].add_one();
        counters[1].add_one();
        assert_eq!(file.received(), 3);
        drop((file, counters));
        let file = RunFile::lock(&database).unwrap().unwrap();
        assert_eq!(file.last_run().unwrap(), Some(LastRun { id: 7, received: 3 }));
    }

    #[test]
    fn a_second_server_does_not_get_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("history.db");
        let first = RunFile::lock(&database).unwrap();
        assert!(first.is_some() && RunFile::lock(&database).unwrap().is_none());
        drop(first);
        assert!(RunFile::lock(&database).unwrap().is_some());
    }
}
