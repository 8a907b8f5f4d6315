//! The output of a program, collected by a thread and waited for.

use std::{
    io::Read,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

use crate::{log, wait::DEADLINE};

/// Output of a program so far, and its end.
#[derive(Clone, Debug)]
pub struct Output(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// True after the last byte: the program or the reader has closed its end.
    ended: bool,
    /// Mode of the collecting thread after its next read.
    reading: Reading,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    On,
    Paused,
    Stopped,
}

impl Output {
    /// Collects everything that `source` returns.
    pub fn collect(source: impl Read + Send + 'static) -> Self {
        let output = Self(Arc::default());
        let collected = output.clone();
        thread::spawn(move || {
            collected.read_from(source);
            collected.lock().ended = true;
            collected.0.changed.notify_all();
        });
        output
    }

    /// Returns everything so far, with U+FFFD for bytes that are not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits for the end of the output and returns all of it.
    #[must_use]
    pub fn read_to_end(&self) -> Vec<u8> {
        self.wait_for("the end of the output", |bytes, ended| ended.then(|| bytes.to_vec()))
    }

    /// Waits for a line that matches `pattern` (see [`log::pattern`]) and returns it.
    #[must_use]
    pub fn wait_for_line(&self, pattern: &str) -> String {
        self.wait_for_lines(pattern, 1).remove(0)
    }

    /// Waits until `count` lines match `pattern` (see [`log::pattern`]) and returns those.
    #[must_use]
    pub fn wait_for_lines(&self, pattern: &str, count: usize) -> Vec<String> {
        let regex = log::pattern(pattern);
        let mut lines = Vec::new();
        let mut seen = 0;
        self.wait_for(&format!("{count} lines that match {pattern}"), |bytes, _| {
            while let Some(len) = bytes[seen..].iter().position(|&byte| byte == b'\n') {
                let line = String::from_utf8_lossy(&bytes[seen..seen + len]).into_owned();
                seen += len + 1;
                if regex.is_match(&line) {
                    lines.push(line);
                }
            }
            (lines.len() >= count).then(|| std::mem::take(&mut lines))
        })
    }

    /// Waits until `find` returns a value. Its arguments are all bytes so far, and true if these are all.
    ///
    /// # Panics
    ///
    /// At the deadline, or if the output ends without such a value; `what` describes it.
    pub fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&[u8], bool) -> Option<T>) -> T {
        let mut found = None;
        let (state, timeout) = self
            .0
            .changed
            .wait_timeout_while(self.lock(), DEADLINE, |state| {
                found = find(&state.bytes, state.ended);
                found.is_none() && !state.ended
            })
            .expect("the collecting thread does not panic");
        found.unwrap_or_else(|| {
            let so_far = String::from_utf8_lossy(&state.bytes).into_owned();
            drop(state);
            let why = if timeout.timed_out() { "still waiting for" } else { "ended without" };
            panic!("{why} {what}; the output was:\n{so_far}")
        })
    }

    /// Stops reading until [`Output::resume`], so that the pipe of the program fills up.
    ///
    /// The bytes of a read that has already begun are still collected.
    pub fn pause(&self) {
        self.set(Reading::Paused);
    }

    /// Continues to read.
    pub fn resume(&self) {
        self.set(Reading::On);
    }

    /// Closes the reading end after the next bytes. The output ends then.
    pub fn close_at_next_bytes(&self) {
        self.set(Reading::Stopped);
    }

    fn set(&self, reading: Reading) {
        self.lock().reading = reading;
        self.0.changed.notify_all();
    }

    fn read_from(&self, mut source: impl Read) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            // Where a pipe ends, a pseudo-terminal reports an error.
            let len = source.read(&mut buffer).unwrap_or(0);
            let mut state = self.lock();
            state.bytes.extend_from_slice(&buffer[..len]);
            self.0.changed.notify_all();
            let state = self
                .0
                .changed
                .wait_while(state, |state| state.reading == Reading::Paused)
                .expect("no thread panics while it holds the lock");
            if len == 0 || state.reading == Reading::Stopped {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no thread panics while it holds the lock")
    }
}
