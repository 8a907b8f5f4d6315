//! The machine of the measurement.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};

use super::usage::{as_f64, machine_busy};

/// Time over which its load is measured at the start.
const START_WINDOW: Duration = Duration::from_millis(500);

/// Time over which its load is measured before each run.
const RUN_WINDOW: Duration = Duration::from_millis(100);

/// Share of all cores that may be busy before a run.
const MAX_BUSY: f64 = 0.1;

pub(crate) struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub compiler: String,
    /// Commit of the source, if it is known.
    pub commit: String,
    pub descriptors: u64,
    /// Share of all cores that was busy before the first run.
    pub busy_percent: f64,
}

impl Machine {
    pub(crate) fn inspect() -> anyhow::Result<Self> {
        let cores = thread::available_parallelism()?.get();
        let busy = busy(START_WINDOW)?;
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name"));
        Ok(Self {
            processor: processor
                .map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']))
                .to_owned(),
            cores,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .context("cannot read the release of the kernel")?
                .trim()
                .to_owned(),
            compiler: output_of("rustc", &["--version"]),
            commit: output_of("git", &["describe", "--always", "--dirty= and changes"]),
            descriptors: getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
            busy_percent: busy * 100.0,
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "kernel": self.kernel,
            "compiler": self.compiler,
            "commit": self.commit,
            "descriptor_limit": self.descriptors,
            "busy_percent_before": self.busy_percent,
        })
    }
}

/// Returns the output of a program, or "unknown".
fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output().ok();
    let text = output.filter(|output| output.status.success()).map(|output| output.stdout);
    text.and_then(|text| String::from_utf8(text).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// Waits until the machine is idle: until other processes and the writes of the last run have ended. The wait is
/// limited, and the results include the share of other processes.
pub(crate) struct IdleWait {
    /// Remaining time to wait, for all runs together.
    patience: Duration,
}

impl IdleWait {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience }
    }

    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        while busy(RUN_WINDOW)? > MAX_BUSY && !self.patience.is_zero() {
            self.patience = self.patience.saturating_sub(RUN_WINDOW);
        }
        Ok(())
    }
}

/// Returns the share of all cores that is busy.
fn busy(time: Duration) -> anyhow::Result<f64> {
    let cores = thread::available_parallelism()?.get();
    let before = machine_busy()?;
    thread::sleep(time);
    Ok((machine_busy()? - before) / (time.as_secs_f64() * as_f64(cores as u64)))
}
