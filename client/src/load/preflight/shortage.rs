//! Shortages of the host, and what to change.

use crate::load::stats::format::{count, plural};

/// Resource of which the host has too little for a load.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Shortage {
    /// File descriptors of each worker process.
    #[error(
        "Each process needs {needed} file descriptors for {}, and the limit is {limit}: raise it (ulimit -n {needed}), or use more --processes with fewer --connections each",
        plural(u64::from(*.connections), "connection")
    )]
    Descriptors {
        /// Connections of each process.
        connections: u32,
        /// Descriptors that they need.
        needed: u64,
        /// Limit of a process.
        limit: u64,
    },
    /// File descriptors of the coordinator.
    #[error(
        "The coordinator needs {needed} file descriptors for the pipes of {}, and the limit is {limit}: raise it (ulimit -n {needed}), or use fewer --processes with more --connections each",
        plural(u64::from(*.processes), "process")
    )]
    CoordinatorDescriptors {
        /// Number of processes.
        processes: u32,
        /// Descriptors that they need.
        needed: u64,
        /// Limit of the coordinator.
        limit: u64,
    },
    /// Processes.
    #[error(
        "The load needs {}, and the limits on processes leave {left}: raise them (ulimit -u, or pids.max of the control group), or use fewer --processes with more --connections each",
        plural(u64::from(*.processes), "process")
    )]
    Processes {
        /// Number of processes.
        processes: u32,
        /// Number that the limits leave.
        left: u64,
    },
    /// Local ports.
    #[error(
        "{} need as many local ports, and {} are free: widen their range (sysctl net.ipv4.ip_local_port_range=\"1024 65535\"), use fewer --connections, or spread the load over several machines (load merge)",
        plural(*.needed, "connection"),
        count(*.free)
    )]
    Ports {
        /// Number of connections.
        needed: u64,
        /// Number of free ports.
        free: u64,
    },
    /// Local ports, of connections that end.
    #[error(
        "--churn needs {} local ports, because the port of a closed connection stays in use for a minute, and {} are free: use a larger --churn, or spread the load over several machines (load merge)",
        count(*.needed),
        count(*.free)
    )]
    ChurnPorts {
        /// Number of ports in use at the same time.
        needed: u64,
        /// Number of free ports.
        free: u64,
    },
}
