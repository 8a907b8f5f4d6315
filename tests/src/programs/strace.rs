//! System calls that fail while a tracer is attached to the threads that make them.

use std::fs;

use rustix::process::{Pid, Signal};
use tempfile::NamedTempFile;

use super::program::Program;
use crate::wait::wait_until;

/// Attached tracer. Detaching or dropping it lets the threads continue.
#[derive(Debug)]
pub struct Strace {
    program: Program,
    trace: NamedTempFile,
}

impl Strace {
    /// Attaches to these threads, injects `fault` (the argument of `strace -e inject=`), and records the `watched`
    /// calls (`name,name`).
    ///
    /// Use only errors as faults: the kernel does not make a call whose result is injected.
    #[must_use]
    pub fn attach(threads: &[Pid], watched: &str, fault: &str) -> Self {
        let trace = NamedTempFile::new().expect("temporary files can be created");
        let path = trace.path().to_str().expect("the path is UTF-8");
        let pids: Vec<_> = threads.iter().map(|pid| pid.as_raw_nonzero().to_string()).collect();
        let watch = format!("trace={watched}");
        let inject = format!("inject={fault}");
        let args =
            ["-o", path, "-e", "signal=none", "-e", &watch, "-e", &inject, "-p", &pids.join(",")];
        let program = Program::start("strace".into(), &args);
        let _ = program.stderr.wait_for_lines("Process .* attached", threads.len());
        Self { program, trace }
    }

    /// Returns the trace so far: a line per call, with `(INJECTED)` for those that it has made fail.
    #[must_use]
    pub fn trace(&self) -> String {
        fs::read_to_string(self.trace.path()).expect("the trace can be read")
    }

    /// Waits until it has made a call fail.
    pub fn wait_for_fault(&self) {
        wait_until("a call fails", || self.trace().contains("(INJECTED)"));
    }

    /// Detaches from the threads, which may have ended, and returns the lines of the trace.
    ///
    /// A thread that is in a failing call at this moment gets the error `ENOSYS`. End its process first if that
    /// would be wrong.
    #[must_use]
    pub fn detach(self) -> Vec<String> {
        let Self { program, trace } = self;
        program.signal(Signal::INT);
        let _ = program.finish();
        let lines = fs::read_to_string(trace.path()).expect("the trace can be read");
        lines.lines().map(str::to_owned).collect()
    }
}
