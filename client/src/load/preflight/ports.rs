//! Check of local ports, and the choice of local addresses.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::shortage::Shortage;
use crate::load::{ipc::worker_config::Stop, plan::job::Plan};

/// Local ports for connections to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LocalPorts {
    /// Number of ports of each local address.
    pub(crate) per_address: u64,
    /// Number of ports in use, by local address.
    pub(crate) in_use: HashMap<IpAddr, u64>,
    /// The system reuses a port one second after its connection has ended.
    pub(crate) are_reused: bool,
}

/// Ports that are left to other programs on this machine.
const RESERVED_PORTS: u64 = 64;

/// Time in which the system does not reuse the port of a closed connection (TIME-WAIT).
const TIME_WAIT: Duration = Duration::from_mins(1);

/// The same time, if the system reuses ports early.
const SHORT_TIME_WAIT: Duration = Duration::from_secs(1);

/// Maximum number of loopback addresses, 127.0.0.1 to 127.0.0.254.
const MAX_SOURCES: u8 = 254;

impl LocalPorts {
    /// Returns the number of free ports of an address of which `in_use` ports are in use.
    fn free(&self, in_use: u64) -> u64 {
        self.per_address.saturating_sub(RESERVED_PORTS).saturating_sub(in_use)
    }
}

/// Returns the local addresses to connect from. None, the usual result, leaves the choice to the system.
///
/// # Errors
///
/// The plan needs more ports than are free.
pub(crate) fn select_sources(
    plan: &Plan,
    server: SocketAddr,
    ports: &LocalPorts,
) -> Result<Vec<IpAddr>, Shortage> {
    // It is unknown which address the system would choose; usually there is one.
    let free = ports.free(ports.in_use.values().sum());
    let time_wait = if ports.are_reused { SHORT_TIME_WAIT } else { TIME_WAIT };
    let needed = ports_needed(plan, time_wait);
    if needed <= free {
        return Ok(Vec::new());
    }
    // A port of an address that is bound explicitly is not reused early.
    let of_loopback = || loopback_sources(ports_needed(plan, TIME_WAIT), ports);
    if let Some(sources) = is_ipv4_loopback(server).then(of_loopback).flatten() {
        return Ok(sources);
    }
    let connections = plan.total_connections();
    Err(if connections > free {
        Shortage::Ports { needed: connections, free }
    } else {
        Shortage::ChurnPorts { needed, free }
    })
}

/// Returns the fewest loopback addresses of which each has enough ports for an equal share.
fn loopback_sources(needed: u64, ports: &LocalPorts) -> Option<Vec<IpAddr>> {
    let has_ports = |source: &IpAddr, share| {
        ports.free(ports.in_use.get(source).copied().unwrap_or(0)) >= share
    };
    (1..=usize::from(MAX_SOURCES)).find_map(|count| {
        let share = needed.div_ceil(count as u64);
        let all = (1..=MAX_SOURCES).map(|host| IpAddr::from([127, 0, 0, host]));
        let sources: Vec<_> = all.filter(|source| has_ports(source, share)).take(count).collect();
        (sources.len() == count).then_some(sources)
    })
}

/// Returns how many ports are in use at the same time, if a port stays in use for `time_wait` after its
/// connection.
///
/// In a closed loop the server determines how often connections are replaced, so these are not counted.
fn ports_needed(plan: &Plan, time_wait: Duration) -> u64 {
    let connections = plan.total_connections();
    let Some(churn) = plan.churn else { return connections };
    let in_time_wait = plan.rate().map(|rate| whole(rate * time_wait.as_secs_f64()) / churn);
    let in_total = match plan.stop {
        Stop::Messages(_) if plan.rate().is_none() && !plan.warmup.is_zero() => None,
        Stop::Messages(each) => {
            let of_warmup = plan.rate().map_or(0, |rate| whole(rate * plan.warmup.as_secs_f64()));
            let replaced = connections.saturating_mul(each.div_ceil(churn) - 1);
            Some(replaced.saturating_add(of_warmup / churn))
        }
        Stop::After(time) => plan
            .rate()
            .map(|rate| whole(rate * time.saturating_add(plan.warmup).as_secs_f64()) / churn),
    };
    let closed = in_time_wait.into_iter().chain(in_total).min().unwrap_or(0);
    connections.saturating_add(closed)
}

fn is_ipv4_loopback(server: SocketAddr) -> bool {
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
