//! System calls that fail, for as long as a tracer is attached to the threads that make them.

use std::fs;

use rustix::process::{Pid, Signal};
use tempfile::NamedTempFile;

use crate::{procfs, program::Program};

/// A tracer at work; the threads go on untraced when it is detached or dropped.
#[derive(Debug)]
pub struct Strace {
    program: Program,
    trace: NamedTempFile,
}

impl Strace {
    /// Has system calls of these threads fail as `fault` says, in the words of `strace -e inject=`, and
    /// watches these ones (`name,name`); returns as soon as it is so.
    ///
    /// Only errors make sense as faults: a call whose result is injected is not made.
    #[must_use]
    pub fn attach(threads: &[Pid], watched: &str, fault: &str) -> Self {
        let trace = NamedTempFile::new().expect("a directory for temporary files");
        let path = trace.path().to_str().expect("its name is ours");
        let pids: Vec<_> = threads.iter().map(|pid| pid.as_raw_nonzero().to_string()).collect();
        let watch = format!("trace={watched}");
        let inject = format!("inject={fault}");
        let args =
            ["-o", path, "-e", "signal=none", "-e", &watch, "-e", &inject, "-p", &pids.join(",")];
        let program = Program::start("strace".into(), &args);
        let _ = program.stderr.wait_for_lines("Process .* attached", threads.len());
        Self { program, trace }
    }

    /// What it has seen so far: a line for each call, those that failed for it with `(INJECTED)`.
    #[must_use]
    pub fn seen(&self) -> String {
        fs::read_to_string(self.trace.path()).expect("a file of ours")
    }

    /// Waits until a call has failed.
    pub fn wait_for_fault(&self) {
        procfs::look_until("a fault", || self.seen().contains("(INJECTED)"));
    }

    /// Lets the threads go, or finds that they have ended; says what it has seen.
    ///
    /// A thread that is let go while one of its calls is failing finds another error, `ENOSYS`. Where that
    /// would be wrong, its process has to end first.
    #[must_use]
    pub fn detach(self) -> Vec<String> {
        let Self { program, trace } = self;
        program.signal(Signal::INT);
        let _ = program.finish();
        let seen = fs::read_to_string(trace.path()).expect("a file of ours");
        seen.lines().map(str::to_owned).collect()
    }
}
