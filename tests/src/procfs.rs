//! What the kernel says of a process: its threads, descriptors and sockets.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use rustix::process::Pid;

use crate::DEADLINE;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The names of a process's threads.
#[must_use]
pub fn thread_names(pid: Pid) -> Vec<String> {
    threads(pid).map(|thread| name(&thread)).collect()
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

/// Waits until a process listens on a TCP port of an IPv4 address, and says which.
///
/// There is no event for this from outside: it looks again until it is so. For servers that have
/// been told to be silent.
#[must_use]
pub fn wait_for_listener(pid: Pid) -> SocketAddr {
    let begun = Instant::now();
    loop {
        if let Some(address) = listener(pid) {
            return address;
        }
        assert!(begun.elapsed() < DEADLINE, "the server does not listen");
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
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux has a table of its sockets");
    table.lines().skip(1).find_map(|line| {
        // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ours = *columns.get(3)? == LISTEN && sockets.contains(*columns.get(9)?);
        if ours { socket_address(columns.get(1)?) } else { None }
    })
}

/// `0100007F:FF98` is 127.0.0.1:65432: the address in memory order, the port as a number.
fn socket_address(hex: &str) -> Option<SocketAddr> {
    let (address, port) = hex.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    Some((address, u16::from_str_radix(port, 16).ok()?).into())
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
