//! The machine that was measured on.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};

use crate::usage::{as_f64, machine_busy};

/// How long it is looked at before anything is run.
const LOOK: Duration = Duration::from_millis(500);

/// How long it is looked at before each run.
const GLANCE: Duration = Duration::from_millis(100);

/// The share of all cores that something else may take before a run.
const QUIET: f64 = 0.1;

pub(crate) struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub compiler: String,
    /// The source that was built, if it is known.
    pub commit: String,
    pub descriptors: u64,
    /// How busy it was with something else just before.
    pub busy_percent: f64,
}

impl Machine {
    pub(crate) fn look() -> anyhow::Result<Self> {
        let cores = thread::available_parallelism()?.get();
        let busy = busy(LOOK)?;
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name"));
        Ok(Self {
            processor: processor
                .map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']))
                .to_owned(),
            cores,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .context("Linux says its release")?
                .trim()
                .to_owned(),
            compiler: said_by("rustc", &["--version"]),
            commit: said_by("git", &["describe", "--always", "--dirty= and changes"]),
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

/// What a program says of itself.
fn said_by(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output().ok();
    let text = output.filter(|output| output.status.success()).map(|output| output.stdout);
    text.and_then(|text| String::from_utf8(text).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// Waits until the machine has nothing else to do: other processes, or what the last run has left
/// for the kernel to write. Not for ever: in the end the figures say how much else there was.
pub(crate) struct Quiet {
    /// For all runs together.
    patience: Duration,
}

impl Quiet {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience }
    }

    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        while busy(GLANCE)? > QUIET && !self.patience.is_zero() {
            self.patience = self.patience.saturating_sub(GLANCE);
        }
        Ok(())
    }
}

/// The share of all cores that is in use.
fn busy(time: Duration) -> anyhow::Result<f64> {
    let cores = thread::available_parallelism()?.get();
    let before = machine_busy()?;
    thread::sleep(time);
    Ok((machine_busy()? - before) / (time.as_secs_f64() * as_f64(cores as u64)))
}
