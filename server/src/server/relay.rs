//! The threads of the relay, which shares the rooms of this server with others.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use log::warn;

use crate::{
    connection::{Incoming, Socket},
    logging,
    relay::{self, END, PUBLISHER, Parkers, Relay},
    shared::{Phase, SharedState},
};

/// The running threads of a relay.
#[derive(Debug)]
pub(super) struct RelayThreads {
    relay: Arc<Relay>,
    /// Each thread, and a channel that it closes at its end.
    threads: Vec<(JoinHandle<()>, Receiver<()>)>,
}

impl RelayThreads {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// If the system refuses one.
    pub(super) fn start(
        relay: &Arc<Relay>,
        parkers: Parkers,
        shared: &Arc<SharedState<Incoming<Socket>>>,
    ) -> io::Result<Self> {
        let mut threads = Self { relay: Arc::clone(relay), threads: Vec::new() };
        for (name, run) in relay::threads(relay, parkers) {
            let (end, ended) = mpsc::channel();
            let shared = Arc::clone(shared);
            let body = move || {
                shared.run_supervised(|| {
                    run();
                    Ok(())
                });
                logging::flush();
                drop(end);
            };
            match thread::Builder::new().name(name.to_owned()).spawn(body) {
                Ok(thread) => threads.threads.push((thread, ended)),
                Err(error) => {
                    threads.end(Phase::Stopped);
                    return Err(error);
                }
            }
        }
        Ok(threads)
    }

    /// Ends the threads. After a drain, everything is published before, within a bounded time. A thread that waits for Redis
    /// then is left behind: it ends when its wait is over, and does nothing more.
    pub(super) fn end(self, phase: Phase) {
        let time = if phase == Phase::Stopped { Duration::ZERO } else { END };
        let until = Instant::now() + time;
        self.relay.end(until);
        for (thread, ended) in self.threads {
            let left = until.saturating_duration_since(Instant::now());
            if ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                // The thread has caught its panic.
                let _ = thread.join();
            } else if thread.thread().name() == Some(PUBLISHER) && phase != Phase::Stopped {
                warn!(event = "relay-not-sent";
                    "Redis does not answer at the end of this server: its last messages may be missing on other servers");
            }
        }
    }
}
