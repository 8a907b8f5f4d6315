//! Check of descriptors and processes.

use super::shortage::Shortage;
use crate::load::plan::job::Plan;

/// Capacity of the host; `None` means no limit, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostCapacity {
    /// Descriptors that each process may have.
    pub(crate) descriptors: Option<u64>,
    /// Processes that may still be started.
    pub(crate) processes: Option<u64>,
}

/// Descriptors of a worker besides its connections: standard streams, poll, timer, and a reserve for
/// libraries.
const WORKER_DESCRIPTORS: u64 = 16;

/// Descriptors of the coordinator besides two pipes for each process: standard streams, signals, files.
const COORDINATOR_DESCRIPTORS: u64 = 32;

/// Checks that the host has enough descriptors and processes for a plan.
pub(crate) fn check(plan: &Plan, capacity: &HostCapacity) -> Result<(), Shortage> {
    let Plan { processes, connections, .. } = *plan;
    if let Some(left) = capacity.processes.filter(|left| *left < u64::from(processes)) {
        return Err(Shortage::Processes { processes, left });
    }
    let Some(limit) = capacity.descriptors else { return Ok(()) };
    let needed = u64::from(connections) + WORKER_DESCRIPTORS;
    if needed > limit {
        return Err(Shortage::Descriptors { connections, needed, limit });
    }
    let needed = 2 * u64::from(processes) + COORDINATOR_DESCRIPTORS;
    if needed > limit {
        return Err(Shortage::CoordinatorDescriptors { processes, needed, limit });
    }
    Ok(())
}
