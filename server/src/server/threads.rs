//! The threads of a server: their number and their names.

use std::{ffi::CString, io, sync::mpsc, thread};

/// Starts and joins this many threads, since the pool itself panics if the system refuses one.
///
/// # Errors
///
/// If the system refuses a thread.
pub(super) fn check_thread_limit(threads: usize) -> io::Result<()> {
    let mut waiting = Vec::with_capacity(threads);
    for _ in 0..threads {
        let (end, wait) = mpsc::channel::<()>();
        let thread = thread::Builder::new().spawn(move || wait.recv())?;
        waiting.push((end, thread));
    }
    for (end, thread) in waiting {
        drop(end);
        // The thread only waited for this; its result carries nothing.
        let _ = thread.join();
    }
    Ok(())
}

/// Names the calling thread after its worker index, for `top -H` and debuggers.
pub(super) fn name_worker(index: usize) {
    if let Ok(name) = CString::new(format!("worker-{}", index + 1)) {
        // Nothing depends on the name.
        let _ = rustix::thread::set_name(&name);
    }
}
