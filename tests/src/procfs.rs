//! What the kernel says of a process: its threads, descriptors and sockets.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use rustix::process::Pid;

use crate::{DEADLINE, tcp};

/// The names of a process's threads.
#[must_use]
pub fn thread_names(pid: Pid) -> Vec<String> {
    threads(pid).map(|thread| name(&thread)).collect()
}

/// The threads of a process whose name begins with `prefix`.
#[must_use]
pub fn threads_named(pid: Pid, prefix: &str) -> Vec<Pid> {
    let number = |thread: &Path| Pid::from_raw(thread.file_name()?.to_str()?.parse().ok()?);
    threads(pid)
        .filter(|thread| name(thread).starts_with(prefix))
        .filter_map(|thread| number(&thread))
        .collect()
}

/// The processes that a process has started and not waited for.
#[must_use]
pub fn children(pid: Pid) -> Vec<Pid> {
    threads(pid)
        .filter_map(|thread| fs::read_to_string(thread.join("children")).ok())
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .collect()
}

/// How many descriptors a process has open.
#[must_use]
pub fn descriptor_count(pid: Pid) -> usize {
    entries(&process(pid).join("fd")).count()
}

/// The most memory that a process has had in use so far, in bytes.
#[must_use]
pub fn peak_memory(pid: Pid) -> u64 {
    memory(pid, "VmHWM:")
}

/// The memory that a process has in use, in bytes: what it has written and what it has of files.
#[must_use]
pub fn resident_memory(pid: Pid) -> u64 {
    memory(pid, "VmRSS:")
}

/// The memory that a process has in use and that belongs to no file, in bytes: heap and stacks.
#[must_use]
pub fn anonymous_memory(pid: Pid) -> u64 {
    memory(pid, "RssAnon:")
}

/// A figure of `/proc/PID/status`, in bytes.
fn memory(pid: Pid, name: &str) -> u64 {
    let status = fs::read_to_string(process(pid).join("status")).expect("our own child");
    let figure = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes =
        figure.and_then(|figure| figure.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.expect("the kernel accounts for the memory of a process that runs") * 1024
}

/// How often the threads whose name begins with `prefix` have called `write`, all together.
///
/// `send` is not counted by the kernel here, only what a file, a pipe or an eventfd is written with.
#[must_use]
pub fn write_calls(pid: Pid, prefix: &str) -> u64 {
    threads(pid)
        .filter(|thread| name(thread).starts_with(prefix))
        .map(|thread| {
            let io = fs::read_to_string(thread.join("io")).expect("a thread of our own child");
            let calls = io.lines().find_map(|line| line.strip_prefix("syscw: "));
            calls.and_then(|calls| calls.parse::<u64>().ok()).expect("the kernel counts writes")
        })
        .sum()
}

/// How many descriptors each of a process's epoll instances watches, without the idle ones: those
/// that watch fewer than `at_least`.
#[must_use]
pub fn epoll_shares(pid: Pid, at_least: usize) -> Vec<usize> {
    epoll_watched(pid, at_least).iter().map(BTreeSet::len).collect()
}

/// The descriptors that each of a process's epoll instances watches, without the idle ones: those
/// that watch fewer than `at_least`.
#[must_use]
pub fn epoll_watched(pid: Pid, at_least: usize) -> Vec<BTreeSet<u32>> {
    // One instance can have several descriptors: what they watch is the same then.
    let watched: BTreeSet<BTreeSet<u32>> = entries(&process(pid).join("fdinfo"))
        .filter_map(|info| fs::read_to_string(info).ok())
        .map(|info| {
            info.lines()
                .filter_map(|line| line.strip_prefix("tfd:"))
                .filter_map(|rest| rest.split_whitespace().next()?.parse().ok())
                .collect()
        })
        .collect();
    watched.into_iter().filter(|watched| watched.len() >= at_least).collect()
}

/// The time that the threads whose name begins with `prefix` have run, in nanoseconds, and how often
/// they were put to it, all together. Neither moves for a thread that sleeps.
#[must_use]
pub fn runs(pid: Pid, prefix: &str) -> (u64, u64) {
    threads(pid)
        .filter(|thread| name(thread).starts_with(prefix))
        .map(|thread| {
            // Time on a processor, time waiting for one, times that it was given one.
            let runs = fs::read_to_string(thread.join("schedstat")).expect("our own child");
            let figures: Vec<u64> =
                runs.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
            let [time, _, times] = figures[..] else { panic!("not three figures: {runs:?}") };
            (time, times)
        })
        .fold((0, 0), |(time, times), (more, again)| (time + more, times + again))
}

/// Whether the threads whose name begins with `prefix` wait for something, all of them.
#[must_use]
pub fn are_asleep(pid: Pid, prefix: &str) -> bool {
    are_all(pid, prefix, "S (sleeping)")
}

/// Whether a process that was sent a SIGSTOP has stopped: its threads do so one after the other.
#[must_use]
pub fn has_stopped(pid: Pid) -> bool {
    are_all(pid, "", "T (stopped)")
}

fn are_all(pid: Pid, prefix: &str, state: &str) -> bool {
    threads(pid).filter(|thread| name(thread).starts_with(prefix)).all(|thread| {
        let status = fs::read_to_string(thread.join("status")).expect("a thread of our own child");
        status.contains(&format!("\nState:\t{state}\n"))
    })
}

/// Waits until a process listens on a TCP port of an IPv4 address, and says which. For servers that
/// have been told to be silent.
#[must_use]
pub fn wait_for_listener(pid: Pid) -> SocketAddr {
    let mut address = None;
    look_until("the server listens", || {
        address = listener(pid);
        address.is_some()
    });
    address.expect("it has been looked for until it was there")
}

/// Waits until `is_so`, for what has no event that can be seen from outside: it looks again and again.
///
/// # Panics
///
/// When it is not so at the deadline; `what` says what was waited for.
#[track_caller]
pub fn look_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "still waiting: {what}");
        thread::yield_now();
    }
}

/// The TCP port of an IPv4 address that a process listens on, if it does so by now.
#[must_use]
pub fn listener(pid: Pid) -> Option<SocketAddr> {
    let sockets: BTreeSet<String> = entries(&process(pid).join("fd"))
        .filter_map(|descriptor| fs::read_link(descriptor).ok())
        .filter_map(|target| {
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    tcp::sockets()
        .find(|socket| socket.state == tcp::LISTEN && sockets.contains(&socket.inode))
        .map(|socket| socket.local)
}

fn threads(pid: Pid) -> impl Iterator<Item = PathBuf> {
    entries(&process(pid).join("task"))
}

fn name(thread: &Path) -> String {
    let name = fs::read_to_string(thread.join("comm")).expect("a thread of our own child");
    name.trim_end().to_owned()
}

fn process(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()))
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot look into {}: {error}", directory.display()));
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}
