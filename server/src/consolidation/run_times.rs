//! The threads of the workers, and how long each of them has had a core and has waited for one.
//!
//! The kernel keeps these times in the file `schedstat` of a thread: the nanoseconds on a core, the nanoseconds in the queue for one,
//! and the number of time slices (`Documentation/scheduler/sched-stats.rst` in its sources). The files stay open, so that reading
//! them needs no descriptor while the server runs.

use std::{fs::File, os::unix::fs::FileExt as _, str, sync::OnceLock, time::Duration};

/// The threads of the workers.
#[derive(Debug)]
pub(super) struct WorkerThreads {
    /// The file of each worker, from its start on; none if the kernel keeps no times.
    schedstats: Box<[OnceLock<File>]>,
}

/// Times of a thread since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RunTimes {
    /// Time on a core.
    pub(super) running: Duration,
    /// Time in which it could have run, but waited for a core.
    pub(super) waiting: Duration,
}

impl WorkerThreads {
    pub(super) fn new(workers: usize) -> Self {
        Self { schedstats: (0..workers).map(|_| OnceLock::new()).collect() }
    }

    /// Registers the calling thread as that of `worker`.
    pub(super) fn register(&self, worker: usize) {
        if let Ok(file) = File::open("/proc/thread-self/schedstat") {
            // A worker has one thread.
            let _ = self.schedstats[worker].set(file);
        }
    }

    /// Returns the times of each worker. They are zero if the worker does not run yet, or the kernel keeps no times.
    pub(super) fn run_times(&self) -> impl Iterator<Item = RunTimes> {
        self.schedstats.iter().map(|file| file.get().and_then(read).unwrap_or_default())
    }
}

fn read(schedstat: &File) -> Option<RunTimes> {
    // Three numbers of 64 bits.
    let mut buffer = [0; 64];
    let length = schedstat.read_at(&mut buffer, 0).ok()?;
    let mut fields = str::from_utf8(&buffer[..length]).ok()?.split_ascii_whitespace();
    let mut next = || Some(Duration::from_nanos(fields.next()?.parse().ok()?));
    Some(RunTimes { running: next()?, waiting: next()? })
}

#[cfg(test)]
mod tests {
    use std::hint;

    use super::*;

    #[test]
    fn the_times_are_those_of_the_thread_of_the_worker() {
        let threads = WorkerThreads::new(2);
        threads.register(1);
        if threads.schedstats[1].get().is_none() {
            // The kernel keeps no times.
            return;
        }
        let before: Vec<_> = threads.run_times().collect();
        while threads.run_times().nth(1) == Some(before[1]) {
            hint::spin_loop();
        }
        let after: Vec<_> = threads.run_times().collect();
        assert!(after[1].running > before[1].running, "{after:?}");
        assert_eq!(after[0], RunTimes::default(), "it does not run yet");
    }
}
