//! The process's limit on descriptors, and the number of connections that it allows.

use common::endpoint::{Endpoint, HostPort, split_zone};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[cfg(feature = "admin")]
use super::admin::Admin;
use super::{config::Config, limits};

/// Raises the process's soft limit on descriptors to the hard limit, as a program may that does not
/// use `select(2)`. Leaves it unchanged if the system refuses.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Returns the process's soft limit on descriptors.
#[must_use]
pub fn max_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Returns the number of connections that the soft limit on descriptors allows in addition to the server's own
/// descriptors; at least one.
#[must_use]
pub fn max_connections(config: &Config) -> usize {
    let limit = max_descriptors();
    let workers = config.workers.get();
    let listeners = config.listeners.iter().map(|listener| match &listener.endpoint {
        Endpoint::Tcp(at) => addresses(at),
        Endpoint::Unix(_) | Endpoint::Abstract(_) => 1,
        Endpoint::Udp(at) => addresses(at) * workers,
    });
    let own = limits::OWN_DESCRIPTORS + limits::WORKER_DESCRIPTORS * workers;
    let own = own + listeners.sum::<usize>();
    #[cfg(feature = "admin")]
    let own = own + config.admin.as_ref().map_or(0, admin_descriptors);
    limit.saturating_sub(own).max(1)
}

/// Returns the number of descriptors of the admin listener: its sockets, its connections, its poll and its waker.
#[cfg(feature = "admin")]
fn admin_descriptors(admin: &Admin) -> usize {
    let sockets = if let Endpoint::Tcp(at) = &admin.endpoint { addresses(at) } else { 1 };
    let poll_and_waker = 2;
    // One more connection is accepted before another is closed for it.
    sockets + limits::ADMIN_CONNECTIONS + 1 + poll_and_waker
}

/// Returns the number of addresses of a host: a name may have one of each family.
fn addresses(at: &HostPort) -> usize {
    if split_zone(&at.host).is_some() { 1 } else { 2 }
}
