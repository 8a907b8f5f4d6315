//! Standard streams that work in non-blocking mode too.
//!
//! The mode belongs to the open file, which the process shares with its parent and its siblings: any of them may
//! have set `O_NONBLOCK` (`fcntl(2)`), and clearing it would change their reads and writes. So a read or write that
//! would block waits with `poll(2)`, as it would wait in blocking mode.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, read, write},
};

/// Open file whose reads and writes block, without a buffer, although the file is in non-blocking mode.
#[derive(Clone, Copy, Debug)]
pub struct BlockingIo<F>(pub F);

/// Returns standard input. It bypasses the buffer of [`io::stdin`].
#[must_use]
pub fn stdin() -> BlockingIo<io::Stdin> {
    BlockingIo(io::stdin())
}

/// Returns standard output. It bypasses the buffer of [`io::stdout`].
#[must_use]
pub fn stdout() -> BlockingIo<io::Stdout> {
    BlockingIo(io::stdout())
}

/// Returns standard error.
#[must_use]
pub fn stderr() -> BlockingIo<io::Stderr> {
    BlockingIo(io::stderr())
}

impl<F: AsFd> Read for BlockingIo<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(&self.0, PollFlags::IN, || read(&self.0, &mut *buffer))
    }
}

impl<F: AsFd> Write for BlockingIo<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        retry(&self.0, PollFlags::OUT, || write(&self.0, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: AsFd> AsFd for BlockingIo<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Repeats a call that would block when the file is ready.
fn retry(
    file: impl AsFd,
    event: PollFlags,
    mut call: impl FnMut() -> Result<usize, Errno>,
) -> io::Result<usize> {
    loop {
        match call() {
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&file, event)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            },
            Err(Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::net::UnixStream, thread};

    #[test]
    fn a_write_and_a_read_in_non_blocking_mode_wait() {
        let (output, input) = UnixStream::pair().unwrap();
        output.set_nonblocking(true).unwrap();
        input.set_nonblocking(true).unwrap();
        // More than the buffer of a socket holds, so that both ends wait.
        let text: Vec<u8> = (0..4_000_000_u32).map(|number| (number % 251) as u8).collect();
        let written = text.clone();
        let writing = thread::spawn(move || BlockingIo(output).write_all(&written));
        let mut all = Vec::new();
        BlockingIo(input).read_to_end(&mut all).unwrap();
        writing.join().unwrap().unwrap();
        assert!(all == text, "{} of {} bytes", all.len(), text.len());
    }
}
