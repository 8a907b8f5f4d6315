//! What a program writes, collected by a thread of its own and waited for.

use std::{
    io::Read,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

use crate::{DEADLINE, log};

/// The output of a program so far, and its end.
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
    /// Nothing more will come: the program has closed its end, or this side has.
    ended: bool,
    /// Whether the collecting thread should go on reading.
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
    /// Collects everything that can be read from `source`.
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

    /// Everything so far, as text; bytes that are not UTF-8 show as U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits for the end of the output and returns all of it.
    #[must_use]
    pub fn to_end(&self) -> Vec<u8> {
        self.wait_until("the end of the output", |bytes, ended| ended.then(|| bytes.to_vec()))
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
        self.wait_until(&format!("{count} lines like {pattern}"), |bytes, _| {
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

    /// Waits until `seen`, given all bytes so far and whether they are all, returns something.
    ///
    /// # Panics
    ///
    /// At the deadline, or when the output has ended without it; `what` says what was missing.
    pub fn wait_until<T>(&self, what: &str, mut seen: impl FnMut(&[u8], bool) -> Option<T>) -> T {
        let mut found = None;
        let (state, timeout) = self
            .0
            .changed
            .wait_timeout_while(self.lock(), DEADLINE, |state| {
                found = seen(&state.bytes, state.ended);
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

    /// Reads no more, until [`Output::resume`]: the program's pipe fills up.
    ///
    /// What a read that has begun already returns is still collected.
    pub fn pause(&self) {
        self.set(Reading::Paused);
    }

    /// Goes on reading.
    pub fn resume(&self) {
        self.set(Reading::On);
    }

    /// Closes the reading end as soon as the next bytes have come; that is when the output ends.
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
            // A pseudo-terminal whose other side is gone reports an error where a pipe ends.
            let len = source.read(&mut buffer).unwrap_or(0);
            let mut state = self.lock();
            state.bytes.extend_from_slice(&buffer[..len]);
            self.0.changed.notify_all();
            let state = self
                .0
                .changed
                .wait_while(state, |state| state.reading == Reading::Paused)
                .expect("nobody panics while holding the lock");
            if len == 0 || state.reading == Reading::Stopped {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nobody panics while holding the lock")
    }
}
