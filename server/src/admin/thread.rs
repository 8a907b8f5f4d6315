//! The thread of the admin listener.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use log::info;
use mio::Waker;

use super::{event_loop::EventLoop, listener::AdminListener};
use crate::{
    connection::{Incoming, Socket},
    shared::SharedState,
};

/// The running thread. Dropping this ends it, so that it answers as long as the server runs.
pub(crate) struct AdminThread {
    thread: Option<JoinHandle<()>>,
    is_ending: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl AdminThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub(crate) fn start(
        listener: AdminListener,
        shared: &Arc<SharedState<Incoming<Socket>>>,
    ) -> io::Result<Self> {
        for address in listener.addresses() {
            info!(event = "admin-started", address; "Admin listener started on {address}");
        }
        let waker = Arc::clone(&listener.waker);
        let is_ending = Arc::new(AtomicBool::new(false));
        let (shared, ends) = (Arc::clone(shared), Arc::clone(&is_ending));
        let thread = thread::Builder::new().name("admin".into()).spawn(move || {
            shared.run_supervised(|| EventLoop::new(&shared, listener).run(&ends));
        })?;
        Ok(Self { thread: Some(thread), is_ending, waker })
    }
}

impl Drop for AdminThread {
    fn drop(&mut self) {
        self.is_ending.store(true, SeqCst);
        // It fails only if the poll is gone, and then the thread has ended.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was logged, and has stopped the server.
            let _ = thread.join();
        }
    }
}
