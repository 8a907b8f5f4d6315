//! Runs a search and prints what it finds.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use common::cli::{
    status,
    stdio::{BlockingIo, stdout},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use server::{
    history::search::{Found, Search},
    history_limits::FOLLOW,
};

use super::{args::HistoryArgs, format::Format};

/// Number of messages that `--follow` shows first.
const BEFORE_FOLLOW: usize = 10;

/// Searches the history at `path`, and returns the exit status.
pub(crate) fn run(args: &HistoryArgs, path: Option<PathBuf>) -> anyhow::Result<u8> {
    let Some(path) = path else {
        bail!(
            "no history is named; add the file: echo-server history FILE, or --config FILE with the key 'history'"
        );
    };
    match search(args, &path) {
        // The reader has closed the pipe after it read enough.
        Err(error) if is_broken_pipe(&error) => Ok(status::SUCCESS),
        result => result.map(|()| status::SUCCESS),
    }
}

fn search(args: &HistoryArgs, path: &Path) -> anyhow::Result<()> {
    let mut search = Search::open(path, args.query())?;
    let mut output = Output { format: args.format(), bytes: Vec::new(), to: stdout() };
    output.bytes.extend_from_slice(args.format().head().as_bytes());
    let last = args.limit.map(std::num::NonZeroUsize::get);
    if let Some(last) = last.or(args.follow.then_some(BEFORE_FOLLOW)) {
        output.print(&search.last(last)?)?;
    }
    // With a limit, these are the messages that have come since.
    if args.limit.is_none() || args.follow {
        while let Some(found) = search.next_page()? {
            output.print(&found)?;
        }
    }
    while args.follow && output.wait()? {
        while let Some(found) = search.next_page()? {
            output.print(&found)?;
        }
    }
    output.print(&[])
}

/// Standard output.
struct Output {
    format: Format,
    bytes: Vec<u8>,
    to: BlockingIo<io::Stdout>,
}

impl Output {
    fn print(&mut self, found: &[Found]) -> anyhow::Result<()> {
        for found in found {
            self.format.write(&mut self.bytes, found);
        }
        self.to.write_all(&self.bytes).context("cannot write to standard output")?;
        self.bytes.clear();
        Ok(())
    }

    /// Waits until there may be new messages. Returns false if nobody reads the output any more.
    fn wait(&self) -> io::Result<bool> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: FOLLOW.subsec_nanos().into() };
        let mut output = [PollFd::new(&self.to, PollFlags::empty())];
        match poll(&mut output, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(output[0].revents().is_empty()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
