//! Processor time and memory of a server, as the kernel counts them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rustix::{param::clock_ticks_per_second, process::Pid};

/// Processor time of some processes so far.
pub(crate) struct Usage {
    /// Nanoseconds by thread: exact, but lost when a thread ends.
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
    /// Returns the time of these processes and their children.
    pub(crate) fn of(pids: &[Pid]) -> anyhow::Result<Self> {
        let mut usage = Self { threads: BTreeMap::new(), user_ticks: 0, system_ticks: 0 };
        for &pid in pids {
            usage.add(pid)?;
            for child in process_tree(pid).into_iter().skip(1) {
                // It may have ended meanwhile.
                let _ = usage.add(child);
            }
        }
        Ok(usage)
    }

    fn add(&mut self, pid: Pid) -> anyhow::Result<()> {
        let process = process(pid);
        let stat = fs::read_to_string(process.join("stat"))?;
        // The name of the program is in brackets and may contain any character.
        let (_, fields) =
            stat.rsplit_once(')').context("the file in /proc has an unknown format")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Fields 14 to 17 of the line: of the process, and of the children that it has reaped.
        let ticks = |field: usize| -> anyhow::Result<u64> { Ok(fields[field - 3].parse()?) };
        self.user_ticks += ticks(14)? + ticks(16)?;
        self.system_ticks += ticks(15)? + ticks(17)?;
        for thread in fs::read_dir(process.join("task"))? {
            let thread = thread?;
            // It may have ended meanwhile.
            let Ok(account) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let nanos = account.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
            let name = thread.file_name().to_string_lossy().into_owned();
            self.threads.insert(name, nanos.context("the file in /proc has an unknown format")?);
        }
        Ok(())
    }

    /// Returns the processor time since `then`.
    ///
    /// The kernel counts user and system time in hundredths of a second. The sum is exact if the threads are the same.
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

/// Returns a value of `/proc/PID/status` in KiB, for a process and its children.
pub(super) fn memory_kib(pid: Pid, name: &str) -> anyhow::Result<u64> {
    let children: u64 =
        process_tree(pid)[1..].iter().filter_map(|&child| status(child, name)).sum();
    Ok(status(pid, name).context("the server has ended")? + children)
}

/// Returns a value of `/proc/PID/status` in KiB, or `None` for a process that has ended.
fn status(pid: Pid, name: &str) -> Option<u64> {
    let status = fs::read_to_string(process(pid).join("status")).ok()?;
    let figure = status.lines().find_map(|line| line.strip_prefix(name))?;
    figure.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}

/// Returns the processor time of the whole machine in seconds.
pub(crate) fn machine_busy() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("the file in /proc has an unknown format")?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    // user nice system idle iowait irq softirq steal; the first two include the time of guests.
    let busy = ticks[..8].iter().sum::<u64>() - ticks[3] - ticks[4];
    Ok(as_f64(busy) / as_f64(clock_ticks_per_second()))
}

/// Returns a process and all its descendants that run.
fn process_tree(pid: Pid) -> Vec<Pid> {
    let mut tree = vec![pid];
    let mut at = 0;
    while let Some(&pid) = tree.get(at) {
        tree.extend(children(pid));
        at += 1;
    }
    tree
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

#[expect(clippy::cast_precision_loss, reason = "no count has more than 52 bits")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}
