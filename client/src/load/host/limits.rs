//! Limits on descriptors, processes and ports.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

/// Raises the soft limit on descriptors to the hard limit, also for child processes; returns the new limit,
/// or `None` if there is none.
pub(crate) fn raise_descriptor_limit() -> Option<u64> {
    raise(Resource::Nofile)
}

fn raise(resource: Resource) -> Option<u64> {
    let limit = getrlimit(resource);
    let _ = setrlimit(resource, Rlimit { current: limit.maximum, ..limit });
    getrlimit(resource).current
}

/// Returns how many more processes the user may start, by the limits of the user and of the control groups.
pub(crate) fn processes_left() -> Option<u64> {
    // Root has no limit of its own.
    let of_user = (!geteuid().is_root()).then(|| {
        let limit = raise(Resource::Nproc)?;
        Some(limit.saturating_sub(tasks_of(geteuid().as_raw())))
    });
    of_user.flatten().into_iter().chain(cgroup_processes_left()).min()
}

/// Returns the number of processes and threads of a user.
fn tasks_of(user: u32) -> u64 {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let of_user =
        entries.flatten().filter(|entry| entry.metadata().is_ok_and(|meta| meta.uid() == user));
    // A directory has two links for itself, and one for each subdirectory: one per thread.
    let tasks =
        of_user.filter_map(|entry| Some(fs::metadata(entry.path().join("task")).ok()?.nlink()));
    tasks.map(|links| links.saturating_sub(2)).sum()
}

/// Returns the minimum that the control groups of this process leave, of versions 1 and 2.
fn cgroup_processes_left() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let paths = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let mount = match fields.next()? {
            "" => "/sys/fs/cgroup",
            "pids" => "/sys/fs/cgroup/pids",
            _ => return None,
        };
        Some(Path::new(mount).join(fields.next()?.trim_start_matches('/')))
    });
    paths
        .flat_map(|group| group.ancestors().map(Path::to_path_buf).collect::<Vec<_>>())
        .filter_map(|group| {
            let number = |file: &str| first_number(&fs::read_to_string(group.join(file)).ok()?);
            Some(number("pids.max")?.saturating_sub(number("pids.current")?))
        })
        .min()
}

/// Returns the first and the last port that the system chooses for connections.
pub(crate) fn local_port_range() -> Option<(u16, u16)> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Returns `true` if the system reuses a port one second after its connection has ended, instead of one
/// minute.
pub(crate) fn reuses_ports(is_loopback: bool) -> bool {
    let setting = fs::read_to_string("/proc/sys/net/ipv4/tcp_tw_reuse").ok();
    match setting.as_deref().and_then(first_number) {
        Some(1) => true,
        Some(2) => is_loopback,
        _ => false,
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::host::cpu::cores;

    #[test]
    fn reads_the_limits_of_the_system() {
        assert!(cores() > 0);
        assert!(local_port_range().is_some_and(|(first, last)| first < last));
        assert!(tasks_of(geteuid().as_raw()) > 0);
        assert_eq!(first_number("max\n"), None);
        assert_eq!(first_number("42\n"), Some(42));
    }
}
