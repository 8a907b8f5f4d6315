//! Whether the machine has room for a load, before anything of it is started.
//!
//! Owns the comparison, and what to change where it fails. Must not know where the figures come from.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::load::{
    ipc::wire::Stop,
    plan::Plan,
    stats::format::{count, plural},
};

/// What the machine has for processes; `None` is without limit, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Descriptors of each process.
    pub descriptors: Option<u64>,
    /// Processes that may still be started.
    pub processes: Option<u64>,
}

/// What the machine has for connections to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Ports of each address of this machine.
    pub each: u64,
    /// How many of them are taken already, by address.
    pub taken: HashMap<IpAddr, u64>,
    /// Whether a port can be had again a second after its connection has ended.
    pub are_reused: bool,
}

/// Descriptors of a process besides its connections: its three standard ones, the poll, a timer, and
/// room for what a library opens for a moment.
const OWN_DESCRIPTORS: u64 = 16;

/// Descriptors of the parent besides the two of each process: its standard ones, signals, files.
const PARENT_DESCRIPTORS: u64 = 32;

/// Ports that are left to others on this machine.
const PORTS_OF_OTHERS: u64 = 64;

/// How long the system keeps the port of a connection that has ended (TIME-WAIT).
const TIME_WAIT: Duration = Duration::from_mins(1);

/// The same where it gives the port away earlier.
const SHORT_TIME_WAIT: Duration = Duration::from_secs(1);

/// Addresses of the loopback network that are used at most; `127.0.0.255` would be the next.
const SOURCES: u8 = 254;

/// Something that there is too little of, and what to change.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// Descriptors, of the load's processes.
    #[error(
        "Each process needs {needed} file descriptors for {}, and the limit is {limit}: raise it (ulimit -n {needed}), or use more --processes with fewer --connections each",
        plural(u64::from(*.connections), "connection")
    )]
    Descriptors {
        /// Of each process.
        connections: u32,
        /// Descriptors for them.
        needed: u64,
        /// What it may have.
        limit: u64,
    },
    /// Descriptors, of the parent.
    #[error(
        "{} need {needed} file descriptors for what they report, and the limit is {limit}: raise it (ulimit -n {needed}), or use fewer --processes with more --connections each",
        plural(u64::from(*.processes), "process")
    )]
    ParentDescriptors {
        /// How many.
        processes: u32,
        /// Descriptors for them.
        needed: u64,
        /// What the parent may have.
        limit: u64,
    },
    /// Processes.
    #[error(
        "{} were asked for, and the limits on processes leave {left}: raise them (ulimit -u, or pids.max of the control group), or use fewer --processes with more --connections each",
        plural(u64::from(*.processes), "process")
    )]
    Processes {
        /// How many.
        processes: u32,
        /// How many there may be.
        left: u64,
    },
    /// Ports.
    #[error(
        "{} need as many ports, and from this machine to that server {} are left: widen their range (sysctl net.ipv4.ip_local_port_range=\"1024 65535\"), use fewer --connections, or spread the load over several machines (load merge)",
        plural(*.needed, "connection"),
        count(*.left)
    )]
    Ports {
        /// Connections.
        needed: u64,
        /// Ports for them.
        left: u64,
    },
    /// Ports, of connections that end.
    #[error(
        "--churn needs {} ports, as those of connections that have ended stay taken for a minute, and from this machine to that server {} are left: use a larger --churn, or spread the load over several machines (load merge)",
        count(*.needed),
        count(*.left)
    )]
    PortsOfChurn {
        /// Ports that are taken at the same time.
        needed: u64,
        /// Ports that there are.
        left: u64,
    },
}

/// Compares descriptors and processes.
///
/// # Errors
///
/// What there is too little of.
pub fn check(plan: &Plan, room: &Room) -> Result<(), Shortage> {
    let Plan { processes, connections, .. } = *plan;
    if let Some(left) = room.processes.filter(|left| *left < u64::from(processes)) {
        return Err(Shortage::Processes { processes, left });
    }
    let Some(limit) = room.descriptors else { return Ok(()) };
    let needed = u64::from(connections) + OWN_DESCRIPTORS;
    if needed > limit {
        return Err(Shortage::Descriptors { connections, needed, limit });
    }
    let needed = 2 * u64::from(processes) + PARENT_DESCRIPTORS;
    if needed > limit {
        return Err(Shortage::ParentDescriptors { processes, needed, limit });
    }
    Ok(())
}

/// The addresses to connect from; none leaves that to the system, and is what suffices mostly.
///
/// # Errors
///
/// There are too few ports.
pub fn sources(plan: &Plan, server: SocketAddr, ports: &Ports) -> Result<Vec<IpAddr>, Shortage> {
    // Which address the system would take is for it to say; there is mostly one.
    let taken = ports.taken.values().sum();
    let left = ports.each.saturating_sub(PORTS_OF_OTHERS).saturating_sub(taken);
    let wait = if ports.are_reused { SHORT_TIME_WAIT } else { TIME_WAIT };
    let needed = ports_needed(plan, wait);
    if needed <= left {
        return Ok(Vec::new());
    }
    // With an address that is bound first, a port is not given away early.
    let of_loopback = || loopback_sources(ports_needed(plan, TIME_WAIT), ports);
    if let Some(sources) = is_loopback_network(server).then(of_loopback).flatten() {
        return Ok(sources);
    }
    let all = plan.all_connections();
    Err(if all > left {
        Shortage::Ports { needed: all, left }
    } else {
        Shortage::PortsOfChurn { needed, left }
    })
}

/// The fewest addresses of the loopback network of which each has ports for its even share.
fn loopback_sources(needed: u64, ports: &Ports) -> Option<Vec<IpAddr>> {
    let has_room = |source: &IpAddr, share| {
        let taken = ports.taken.get(source).copied().unwrap_or(0);
        ports.each.saturating_sub(PORTS_OF_OTHERS).saturating_sub(taken) >= share
    };
    (1..=usize::from(SOURCES)).find_map(|count| {
        let share = needed.div_ceil(count as u64);
        let all = (1..=SOURCES).map(|host| IpAddr::from([127, 0, 0, host]));
        let sources: Vec<_> = all.filter(|source| has_room(source, share)).take(count).collect();
        (sources.len() == count).then_some(sources)
    })
}

/// How many ports are taken at the same time, if one stays taken for this long behind its connection.
///
/// How often a closed loop connects anew is the server's to say: it is not guessed at.
fn ports_needed(plan: &Plan, wait: Duration) -> u64 {
    let all = plan.all_connections();
    let Some(churn) = plan.churn else { return all };
    let in_wait = plan.rate().map(|rate| whole(rate * wait.as_secs_f64()) / churn);
    let in_all = match plan.stop {
        Stop::Messages(each) => Some(all.saturating_mul(each.div_ceil(churn) - 1)),
        Stop::After(time) => plan
            .rate()
            .map(|rate| whole(rate * time.saturating_add(plan.warmup).as_secs_f64()) / churn),
    };
    let ended = in_wait.into_iter().chain(in_all).min().unwrap_or(0);
    all.saturating_add(ended)
}

fn is_loopback_network(server: SocketAddr) -> bool {
    matches!(server.ip(), IpAddr::V4(address) if address.is_loopback())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and saturates"
)]
fn whole(number: f64) -> u64 {
    number.ceil() as u64
}

#[cfg(test)]
mod tests;
