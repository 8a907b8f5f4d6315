//! Threads, descriptors, memory and listeners of a process, from `/proc`.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rustix::process::Pid;

use super::tcp;
use crate::wait::wait_until;

/// Returns the names of the threads of a process.
#[must_use]
pub fn thread_names(pid: Pid) -> Vec<String> {
    threads(pid).map(|thread| name(&thread)).collect()
}

/// Returns the threads of a process whose name begins with `prefix`.
#[must_use]
pub fn threads_named(pid: Pid, prefix: &str) -> Vec<Pid> {
    let number = |thread: &Path| Pid::from_raw(thread.file_name()?.to_str()?.parse().ok()?);
    threads(pid)
        .filter(|thread| name(thread).starts_with(prefix))
        .filter_map(|thread| number(&thread))
        .collect()
}

/// Returns the children of a process that it has not reaped.
#[must_use]
pub fn children(pid: Pid) -> Vec<Pid> {
    threads(pid)
        .filter_map(|thread| fs::read_to_string(thread.join("children")).ok())
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .collect()
}

/// Returns the number of open descriptors of a process.
#[must_use]
pub fn descriptor_count(pid: Pid) -> usize {
    entries(&process(pid).join("fd")).count()
}

/// Returns the peak of the resident memory of a process, in bytes.
#[must_use]
pub fn peak_memory(pid: Pid) -> u64 {
    memory(pid, "VmHWM:")
}

/// Returns the resident memory of a process, in bytes, including pages of files.
#[must_use]
pub fn resident_memory(pid: Pid) -> u64 {
    memory(pid, "VmRSS:")
}

/// Returns the resident memory of a process without pages of files, in bytes: heap and stacks.
#[must_use]
pub fn anonymous_memory(pid: Pid) -> u64 {
    memory(pid, "RssAnon:")
}

/// Reads a value of `/proc/PID/status`, in bytes.
fn memory(pid: Pid, name: &str) -> u64 {
    let status = fs::read_to_string(process(pid).join("status")).expect("the child runs");
    let figure = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes =
        figure.and_then(|figure| figure.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.expect("the kernel reports the memory of a running process") * 1024
}

/// Returns the number of `write` calls of all threads whose name begins with `prefix`.
///
/// The kernel counts writes to files, pipes and eventfds here, and no `send`.
#[must_use]
pub fn write_calls(pid: Pid, prefix: &str) -> u64 {
    threads(pid)
        .filter(|thread| name(thread).starts_with(prefix))
        .map(|thread| {
            let io = fs::read_to_string(thread.join("io")).expect("the thread of the child runs");
            let calls = io.lines().find_map(|line| line.strip_prefix("syscw: "));
            calls.and_then(|calls| calls.parse::<u64>().ok()).expect("the kernel counts writes")
        })
        .sum()
}

/// Returns the number of descriptors that each epoll instance of a process watches, if there are at least
/// `at_least`.
#[must_use]
pub fn epoll_watch_counts(pid: Pid, at_least: usize) -> Vec<usize> {
    epoll_watches(pid, at_least).iter().map(BTreeSet::len).collect()
}

/// Returns the descriptors that each epoll instance of a process watches, if there are at least `at_least`.
#[must_use]
pub fn epoll_watches(pid: Pid, at_least: usize) -> Vec<BTreeSet<u32>> {
    // An instance with several descriptors appears once: all of them watch the same set.
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

/// Returns the processor time in nanoseconds of all threads whose name begins with `prefix`, and how often the
/// kernel has scheduled them. Neither changes while a thread sleeps.
#[must_use]
pub fn run_time(pid: Pid, prefix: &str) -> (u64, u64) {
    threads(pid)
        .filter(|thread| name(thread).starts_with(prefix))
        .map(|thread| {
            // Time on a processor, time waiting for a processor, number of time slices.
            let runs = fs::read_to_string(thread.join("schedstat")).expect("the child runs");
            let figures: Vec<u64> =
                runs.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
            let [time, _, times] = figures[..] else { panic!("not three numbers: {runs:?}") };
            (time, times)
        })
        .fold((0, 0), |(time, times), (more, again)| (time + more, times + again))
}

/// Returns true if all threads whose name begins with `prefix` sleep.
#[must_use]
pub fn are_sleeping(pid: Pid, prefix: &str) -> bool {
    are_all(pid, prefix, "S (sleeping)")
}

/// Returns true if all threads of a process have stopped. After a SIGSTOP they stop one after the other.
#[must_use]
pub fn has_stopped(pid: Pid) -> bool {
    are_all(pid, "", "T (stopped)")
}

fn are_all(pid: Pid, prefix: &str, state: &str) -> bool {
    threads(pid).filter(|thread| name(thread).starts_with(prefix)).all(|thread| {
        let status =
            fs::read_to_string(thread.join("status")).expect("the thread of the child runs");
        status.contains(&format!("\nState:\t{state}\n"))
    })
}

/// Waits until a process listens on a TCP port of an IPv4 address, and returns the address. For servers that do not
/// log it.
#[must_use]
pub fn wait_for_listener(pid: Pid) -> SocketAddr {
    let mut address = None;
    wait_until("the server listens", || {
        address = listener(pid);
        address.is_some()
    });
    address.expect("the wait ended with an address")
}

/// Returns the IPv4 address on which a process listens for TCP, if it listens already.
#[must_use]
pub fn listener(pid: Pid) -> Option<SocketAddr> {
    let inodes = socket_inodes(pid);
    tcp::sockets()
        .find(|socket| socket.state == tcp::LISTEN && inodes.contains(&socket.inode))
        .map(|socket| socket.local)
}

/// Returns the IPv4 address of a UDP socket of a process, if it has one already.
#[must_use]
pub fn udp_socket(pid: Pid) -> Option<SocketAddr> {
    let inodes = socket_inodes(pid);
    tcp::udp_sockets().find(|socket| inodes.contains(&socket.inode)).map(|socket| socket.local)
}

fn socket_inodes(pid: Pid) -> BTreeSet<String> {
    entries(&process(pid).join("fd"))
        .filter_map(|descriptor| fs::read_link(descriptor).ok())
        .filter_map(|target| {
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect()
}

fn threads(pid: Pid) -> impl Iterator<Item = PathBuf> {
    entries(&process(pid).join("task"))
}

fn name(thread: &Path) -> String {
    let name = fs::read_to_string(thread.join("comm")).expect("the thread of the child runs");
    name.trim_end().to_owned()
}

fn process(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()))
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()));
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}
