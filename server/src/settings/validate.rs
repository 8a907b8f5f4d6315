//! Validation of settings that are each valid but contradict each other.

use std::{
    net::IpAddr,
    path::{Component, Path, PathBuf},
};

use common::endpoint::{Endpoint, HostPort, split_zone};

use super::{
    diagnostic::{Diagnostic, Origin},
    settings::Settings,
    values::{Switch, Values},
};
use crate::{
    config::{Listener, ListenerOptions, Proxy},
    logging::Destination,
};

/// Returns the contradictions, each at the setting that comes later.
pub(super) fn validate(settings: &Settings) -> Vec<Diagnostic> {
    let values = &settings.values;
    let defaults = ListenerOptions::default();
    let listeners: Vec<_> = values.listen.iter().map(|url| url.listener(&defaults)).collect();
    let mut errors = unreachable_limits(settings, values, &listeners);
    errors.extend(conflicting_addresses(settings, values, &listeners));
    errors.extend(log_file_at_socket(settings, values, &listeners));
    errors
}

/// Returns warnings about settings without effect. A file may have defaults for listeners that it does not have yet; a
/// flag or a variable belongs to this start of the server.
pub(super) fn without_effect(settings: &Settings) -> Option<Diagnostic> {
    let origin = settings.origin("proxy-timeout", 0);
    let defaults = ListenerOptions::default();
    let mut listeners = settings.values.listen.iter().map(|url| url.listener(&defaults));
    if !matches!(origin, Origin::Flag(_) | Origin::Variable(_))
        || listeners.any(|listener| listener.options.proxy == Proxy::Required)
    {
        return None;
    }
    let message = "'proxy-timeout' has no effect: no listener has proxy=required".to_owned();
    Some(Diagnostic { origin, message })
}

/// A limit above that of the server is never reached.
fn unreachable_limits(
    settings: &Settings,
    values: &Values,
    listeners: &[Listener],
) -> Vec<Diagnostic> {
    let Some(max) = values.max_connections.map(usize::from) else { return Vec::new() };
    let origin = settings.origin("max-connections", 0);
    let never = format!("above 'max-connections' ({max}, {origin}), so it is never reached");
    let per_ip = values.max_connections_per_ip.map(usize::from).filter(|limit| *limit > max);
    let per_ip = per_ip.map(|limit| Diagnostic {
        origin: settings.origin("max-connections-per-ip", 0),
        message: format!("'max-connections-per-ip' ({limit}) is {never}"),
    });
    let listeners = listeners.iter().enumerate().filter_map(|(index, listener)| {
        let limit = listener.options.max_connections.filter(|limit| *limit > max)?;
        let message = format!("'max-connections={limit}' of {} is {never}", listener.endpoint);
        Some(Diagnostic { origin: settings.origin("listen", index), message })
    });
    per_ip.into_iter().chain(listeners).collect()
}

/// An address that an earlier listener uses.
fn conflicting_addresses(
    settings: &Settings,
    values: &Values,
    listeners: &[Listener],
) -> Vec<Diagnostic> {
    let is_shared = values.reuse_port == Switch::On;
    let conflicts = listeners.iter().enumerate().filter_map(|(index, later)| {
        let earlier = listeners[..index].iter();
        let message =
            earlier.into_iter().find_map(|earlier| conflict(earlier, later, is_shared))?;
        Some(Diagnostic { origin: settings.origin("listen", index), message })
    });
    conflicts.collect()
}

/// A log file that has the path of a Unix socket.
fn log_file_at_socket(
    settings: &Settings,
    values: &Values,
    listeners: &[Listener],
) -> Option<Diagnostic> {
    let Destination::File(log) = &values.log_file else { return None };
    let is_log = |listener: &&Listener| matches!(&listener.endpoint, Endpoint::Unix(path) if normalize(path) == normalize(log));
    let listener = listeners.iter().find(is_log)?;
    let message = format!("'log-file' has the path of the listener {}", listener.endpoint);
    Some(Diagnostic { origin: settings.origin("log-file", 0), message })
}

fn conflict(earlier: &Listener, later: &Listener, is_shared: bool) -> Option<String> {
    let (one, other) = (&earlier.endpoint, &later.endpoint);
    match (one, other) {
        // Port 0 is a different free port for each.
        (Endpoint::Tcp(at) | Endpoint::Udp(at), _) if at.port == 0 => None,
        _ if one == other => Some(format!("{other} is configured twice")),
        _ if is_same_place(one, other) => {
            Some(format!("{other} is configured twice, also as {one}"))
        }
        _ if is_shared => None,
        _ => covered(earlier, later).or_else(|| covered(later, earlier)),
    }
}

/// Returns whether both are one address or path in two forms.
fn is_same_place(one: &Endpoint, other: &Endpoint) -> bool {
    // `::ffff:127.0.0.1` is 127.0.0.1; names are the same in upper and lower case.
    let place = |at: &HostPort| match split_zone(&at.host) {
        Some((ip, None)) => (ip.to_canonical().to_string(), at.port),
        _ => (at.host.to_ascii_lowercase(), at.port),
    };
    match (one, other) {
        (Endpoint::Tcp(one), Endpoint::Tcp(other)) | (Endpoint::Udp(one), Endpoint::Udp(other)) => {
            place(one) == place(other)
        }
        (Endpoint::Unix(one), Endpoint::Unix(other)) => normalize(one) == normalize(other),
        _ => false,
    }
}

/// Returns a message if `wide` listens on every address of its port, including that of `narrow`.
fn covered(wide: &Listener, narrow: &Listener) -> Option<String> {
    let (all, one) = (&wide.endpoint, &narrow.endpoint);
    let ((Endpoint::Tcp(wide_at), Endpoint::Tcp(at)) | (Endpoint::Udp(wide_at), Endpoint::Udp(at))) =
        (all, one)
    else {
        return None;
    };
    let [wide_ip, ip] = [wide_at, at].map(|at| Some(split_zone(&at.host)?.0.to_canonical()));
    let (wide_ip, ip) = (wide_ip?, ip?);
    if wide_at.port != at.port || !wide_ip.is_unspecified() {
        return None;
    }
    match (wide_ip, ip) {
        (IpAddr::V4(_), IpAddr::V4(_)) => {
            Some(format!("{all} covers every IPv4 address, including {one}; keep one of them"))
        }
        (IpAddr::V6(_), IpAddr::V6(_)) => {
            Some(format!("{all} covers every IPv6 address, including {one}; keep one of them"))
        }
        (IpAddr::V6(_), IpAddr::V4(_)) if !wide.options.v6only => Some(format!(
            "{all} covers IPv4 as well, including {one}; use {all}?v6only=yes to have both"
        )),
        _ => None,
    }
}

/// Returns the path without `.` and `..`. It does not follow links, whose targets may change.
fn normalize(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match path.components().next_back() {
                Some(Component::Normal(_)) => _ = path.pop(),
                Some(Component::RootDir) => {}
                _ => path.push(component),
            },
            _ => path.push(component),
        }
        path
    })
}
