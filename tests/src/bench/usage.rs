//! What a server has used so far, by the kernel's own accounts: processor time and memory.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

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
        usage.add(pid)?;
        for child in family(pid).into_iter().skip(1) {
            // It may have ended since.
            let _ = usage.add(child);
        }
        Ok(usage)
    }

    fn add(&mut self, pid: Pid) -> anyhow::Result<()> {
        let process = process(pid);
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
    let children: u64 = family(pid)[1..].iter().filter_map(|&child| status(child, name)).sum();
    Ok(status(pid, name).context("the server has ended")? + children)
}

/// A process that has ended has no such figure.
fn status(pid: Pid, name: &str) -> Option<u64> {
    let status = fs::read_to_string(process(pid).join("status")).ok()?;
    let figure = status.lines().find_map(|line| line.strip_prefix(name))?;
    figure.trim_start_matches(':').split_whitespace().next()?.parse().ok()
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

/// A process and all that it has started, without those that have ended meanwhile.
fn family(pid: Pid) -> Vec<Pid> {
    let mut family = vec![pid];
    let mut at = 0;
    while let Some(&pid) = family.get(at) {
        family.extend(children(pid));
        at += 1;
    }
    family
}

fn children(pid: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(process(pid).join("task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .collect()
}

fn process(pid: Pid) -> PathBuf {
    Path::new("/proc").join(pid.as_raw_nonzero().to_string())
}

#[expect(clippy::cast_precision_loss, reason = "52 bits are more than will be")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}
