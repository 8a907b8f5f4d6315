//! Figures of the system about this process: descriptors, memory, CPU time and start.

use std::{
    fs,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// Figures of this process. `None`: the system does not tell, as without `/proc`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessStats {
    pub(crate) open_descriptors: Option<u64>,
    /// The soft limit on descriptors. `None`: unlimited.
    pub(crate) max_descriptors: Option<u64>,
    pub(crate) resident_memory_bytes: Option<u64>,
    /// CPU time of all threads, in user and in kernel mode.
    pub(crate) cpu_time: Duration,
    /// The start by the wall clock. It is computed once, because a step of the clock would move it.
    pub(crate) started_at: Option<SystemTime>,
}

static STARTED_AT: LazyLock<Option<SystemTime>> = LazyLock::new(|| {
    let read = |path: &str| fs::read_to_string(path).ok();
    let (process, system) = read("/proc/self/stat").zip(read("/proc/stat"))?;
    start(start_ticks(&process)?, boot_seconds(&system)?, clock_ticks_per_second())
});

impl ProcessStats {
    /// Reads the figures of this moment (`proc(5)`).
    pub(crate) fn read() -> Self {
        let statm = fs::read_to_string("/proc/self/statm").ok();
        Self {
            open_descriptors: open_descriptors(),
            max_descriptors: getrlimit(Resource::Nofile).current,
            resident_memory_bytes: statm
                .and_then(|statm| resident_pages(&statm))
                .map(|pages| pages * page_size() as u64),
            cpu_time: cpu_time(),
            started_at: *STARTED_AT,
        }
    }
}

/// Returns the number of open descriptors.
fn open_descriptors() -> Option<u64> {
    const DIRECTORY: &str = "/proc/self/fd";
    // Since Linux 6.2, the size is their number; a list of 10,000 entries takes milliseconds.
    match fs::metadata(DIRECTORY).ok()?.len() {
        // The list has a descriptor of its own.
        0 => Some((fs::read_dir(DIRECTORY).ok()?.count() as u64).saturating_sub(1)),
        number => Some(number),
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Returns the pages in memory: the second number of `/proc/self/statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// Returns the start in ticks since the boot: column 22 of `/proc/self/stat`. The second one is the name of the program
/// in parentheses, which may have spaces and parentheses of its own.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(22 - 3)?.parse().ok()
}

/// Returns the time of the boot in Unix seconds, from `/proc/stat`.
fn boot_seconds(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn start(ticks: u64, boot_seconds: u64, ticks_per_second: u64) -> Option<SystemTime> {
    let milliseconds = ticks.checked_mul(1000)?.checked_div(ticks_per_second)?;
    let since_epoch =
        Duration::from_secs(boot_seconds).checked_add(Duration::from_millis(milliseconds))?;
    UNIX_EPOCH.checked_add(since_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_found_whatever_the_name_of_the_program_is() {
        let columns =
            "S 1 2 3 0 -1 4194560 5 0 0 0 7 3 0 0 20 0 5 0 123456 1000000 250 18446744073709551615";
        for name in ["echo-server", "a b", "x) S 1 (y", ""] {
            assert_eq!(start_ticks(&format!("42 ({name}) {columns}\n")), Some(123_456), "{name}");
        }
        assert_eq!(start_ticks("42 (echo-server) S 1"), None);
        assert_eq!(resident_pages("244 250 3 1 0 90 0\n"), Some(250));
        assert_eq!(resident_pages(""), None);
        assert_eq!(boot_seconds("cpu 1 2\nctxt 5\nbtime 1700000000\n"), Some(1_700_000_000));
        assert_eq!(boot_seconds("cpu 1 2\n"), None);
    }

    #[test]
    fn the_start_is_the_boot_and_the_ticks_since() {
        let expected = UNIX_EPOCH + Duration::from_millis(1_700_001_234_560);
        assert_eq!(start(123_456, 1_700_000_000, 100), Some(expected));
        assert_eq!(start(1, 1, 0), None);
        assert_eq!(start(u64::MAX, 1, 100), None);
    }

    #[test]
    fn this_process_has_all_figures() {
        let before = ProcessStats::read();
        let files: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = ProcessStats::read();
        // Other tests open and close descriptors at the same time.
        assert!(after.open_descriptors >= Some(100), "{after:?}");
        assert!(after.open_descriptors <= after.max_descriptors, "{after:?}");
        assert!(after.resident_memory_bytes > Some(1 << 20), "{after:?}");
        assert!(after.cpu_time >= before.cpu_time && after.cpu_time > Duration::ZERO);
        assert!(after.started_at > Some(UNIX_EPOCH) && after.started_at == before.started_at);
        drop(files);
    }
}
