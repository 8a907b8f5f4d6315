//! What a server has used so far, by the kernel's own accounts: processor time and memory.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context as _;
use rustix::{param::clock_ticks_per_second, process::Pid};

/// Processor time of a process and of those that it has started, so far.
pub(crate) struct Usage {
    /// In nanoseconds, by thread: exact, but gone with the thread.
    threads: BTreeMap<String, u64>,
    user_ticks: u64,
    system_ticks: u64,
}

/// Processor time between two moments, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub user: f64,
    pub system: f64,
}

impl Cpu {
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Usage {
    pub(crate) fn of(pid: Pid) -> anyhow::Result<Self> {
        let mut usage = Self { threads: BTreeMap::new(), user_ticks: 0, system_ticks: 0 };
        for pid in family(pid) {
            usage.add(pid)?;
        }
        Ok(usage)
    }

    fn add(&mut self, pid: Pid) -> anyhow::Result<()> {
        let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
        let stat = fs::read_to_string(process.join("stat"))?;
        // The name of the program is in brackets and could hold anything.
        let (_, fields) = stat.rsplit_once(')').context("the kernel's own format")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Fields 14 to 17 of all: of itself, and of its children that it has waited for.
        let ticks = |field: usize| -> anyhow::Result<u64> { Ok(fields[field - 3].parse()?) };
        self.user_ticks += ticks(14)? + ticks(16)?;
        self.system_ticks += ticks(15)? + ticks(17)?;
        for thread in fs::read_dir(process.join("task"))? {
            let thread = thread?;
            // It may have ended since.
            let Ok(account) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let nanos = account.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
            let name = thread.file_name().to_string_lossy().into_owned();
            self.threads.insert(name, nanos.context("the kernel's own format")?);
        }
        Ok(())
    }

    /// What has been used since then.
    ///
    /// User and system time are counted in hundredths of a second. Their sum is known exactly where
    /// the threads are still the same.
    pub(crate) fn since(&self, then: &Self) -> Cpu {
        let seconds = |ticks: u64| as_f64(ticks) / as_f64(clock_ticks_per_second());
        let user = seconds(self.user_ticks.saturating_sub(then.user_ticks));
        let system = seconds(self.system_ticks.saturating_sub(then.system_ticks));
        if !self.threads.keys().eq(then.threads.keys()) {
            return Cpu { user, system };
        }
        let nanos = |usage: &Self| usage.threads.values().sum::<u64>();
        let total = as_f64(nanos(self).saturating_sub(nanos(then))) / 1e9;
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        Cpu { user: total * share, system: total * (1.0 - share) }
    }
}

/// A figure of `/proc/PID/status` in KiB, of a process and those that it has started.
pub(crate) fn memory_kib(pid: Pid, name: &str) -> anyhow::Result<u64> {
    let mut sum = 0;
    for pid in family(pid) {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
        let figure = status.lines().find_map(|line| line.strip_prefix(name));
        let figure = figure.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
        sum += figure.context("the kernel keeps it")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// Processor time that the whole machine has been busy for, in seconds.
pub(crate) fn machine_busy() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("the kernel's own format")?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    // user nice system idle iowait irq softirq steal; what guests use is in the first two.
    let busy = ticks[..8].iter().sum::<u64>() - ticks[3] - ticks[4];
    Ok(as_f64(busy) / as_f64(clock_ticks_per_second()))
}

/// A process and all that it has started.
fn family(pid: Pid) -> Vec<Pid> {
    let mut family = vec![pid];
    let mut at = 0;
    while let Some(&pid) = family.get(at) {
        family.extend(tests::procfs::children(pid));
        at += 1;
    }
    family
}

#[expect(clippy::cast_precision_loss, reason = "52 bits are more than will be")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}
