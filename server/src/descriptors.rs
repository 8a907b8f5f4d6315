//! How many descriptors the process may have, and how many connections that leaves room for.

use common::endpoint::Endpoint;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{config::Config, limits};

/// Raises the process's soft limit on descriptors to the hard one, as a program may that does not
/// use `select(2)`. Leaves it as it is if the system does not allow it.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// How many connections the soft limit on descriptors leaves room for besides what such a server needs
/// itself; at least one.
#[must_use]
pub fn room_for_connections(config: &Config) -> usize {
    let limit = getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let workers = config.workers.get();
    let listeners = config.listeners.iter().map(|listener| match listener.endpoint {
        Endpoint::Tcp(_) | Endpoint::Unix(_) => 1,
        Endpoint::Udp(_) => workers,
    });
    let own = limits::OWN_DESCRIPTORS + limits::WORKER_DESCRIPTORS * workers;
    let own = own + listeners.sum::<usize>();
    limit.saturating_sub(own).max(1)
}
