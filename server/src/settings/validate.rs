//! Validation of settings that are each valid but contradict each other.

use std::{
    net::IpAddr,
    num::NonZeroUsize,
    path::{Component, Path, PathBuf},
};

use common::{
    endpoint::{Endpoint, HostPort, split_zone},
    protocol::Protocol,
};

use super::{
    diagnostic::{Diagnostic, Origin},
    listener::{ListenerUrl, NOT_RAW},
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
    errors.extend(admin_at_listener(settings, values, &listeners));
    errors.extend(log_file_at_socket(settings, values, &listeners));
    errors.extend(shared_fault_log(settings, values, &listeners));
    errors.extend(receipts_of_raw(settings, values));
    errors
}

/// Returns warnings about settings without effect. A file may have defaults for listeners that it does not have yet; a
/// flag or a variable belongs to this start of the server.
pub(super) fn without_effect(settings: &Settings) -> Vec<Diagnostic> {
    let defaults = ListenerOptions::default();
    let mut listeners = settings.values.listen.iter().map(|url| url.listener(&defaults));
    let has_proxy = listeners.any(|listener| listener.options.proxy == Proxy::Required);
    let has_tls = settings.values.listen.iter().any(|url| url.tls.is_some());
    let proxy = ["proxy-timeout"].map(|name| (name, has_proxy, "no listener has proxy=required"));
    let has_login = settings.values.listen.iter().any(|url| url.login.is_required());
    let login = ["max-connections-per-user", "removed-users"];
    let login = login.map(|name| (name, has_login, "no listener has login=required"));
    let handshake =
        [("handshake-timeout", has_tls || has_login, "no listener has TLS or login=required")];
    let has_history = settings.values.history.is_some();
    let history = ["history-keep", "history-overflow"];
    let history = history.map(|name| (name, has_history, "there is no history (--history FILE)"));
    let tls = ["max-handshakes", "max-handshakes-per-ip", "tls-key-log"];
    let tls = tls.map(|name| (name, has_tls, "no listener has TLS"));
    let has_rooms = settings.values.listen.iter().any(|url| url.room.is_room());
    let rooms = [("rooms", has_rooms, "no listener has protocol=room")];
    let unused = proxy
        .into_iter()
        .chain(rooms)
        .chain(tls)
        .chain(login)
        .chain(history)
        .chain(handshake)
        .filter(|(_, is_used, _)| !is_used);
    let unused = unused.map(|(name, _, reason)| Diagnostic {
        origin: settings.origin(name, 0),
        message: format!("'{name}' has no effect: {reason}"),
    });
    let is_typed = |origin: &Origin| matches!(origin, Origin::Flag(_) | Origin::Variable(_));
    unused.filter(|warning| is_typed(&warning.origin)).collect()
}

/// A limit above that of the server is never reached.
fn unreachable_limits(
    settings: &Settings,
    values: &Values,
    listeners: &[Listener],
) -> Vec<Diagnostic> {
    let limit = |name, value: Option<NonZeroUsize>| Some((name, value?.get()));
    let all = limit("max-connections", values.max_connections);
    let handshakes = limit("max-handshakes", values.max_handshakes);
    let never = |(name, max)| {
        let origin = settings.origin(name, 0);
        format!("above '{name}' ({max}, {origin}), so it is never reached")
    };
    let pairs = [
        (limit("max-connections-per-ip", values.max_connections_per_ip), all),
        (handshakes, all),
        (limit("max-handshakes-per-ip", values.max_handshakes_per_ip), handshakes.or(all)),
    ];
    let settings_above = pairs.into_iter().filter_map(|(limit, max)| {
        let ((name, limit), max) = limit.zip(max).filter(|(limit, max)| limit.1 > max.1)?;
        let message = format!("'{name}' ({limit}) is {}", never(max));
        Some(Diagnostic { origin: settings.origin(name, 0), message })
    });
    let listeners_above = listeners.iter().enumerate().filter_map(|(index, listener)| {
        let (limit, max) = listener.options.max_connections.zip(all)?;
        let message =
            format!("'max-connections={limit}' of {} is {}", listener.endpoint, never(max));
        let above = Diagnostic { origin: settings.origin("listen", index), message };
        (limit > max.1).then_some(above)
    });
    settings_above.chain(listeners_above).collect()
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

/// An admin listener that has the address of another listener.
fn admin_at_listener(
    settings: &Settings,
    values: &Values,
    listeners: &[Listener],
) -> Option<Diagnostic> {
    let admin = Listener::new(values.admin.as_ref()?.endpoint.clone());
    let taken = |listener: &Listener| conflict(listener, &admin, false).is_some();
    let listener = listeners.iter().find(|listener| taken(listener))?;
    let message = format!("'admin' has the address of the listener {}", listener.endpoint);
    Some(Diagnostic { origin: settings.origin("admin", 0), message })
}

/// Returns a warning about an admin listener that other machines can reach.
pub(super) fn open_admin(settings: &Settings) -> Option<Diagnostic> {
    let admin = settings.values.admin.as_ref().filter(|admin| admin.is_reachable_from_outside())?;
    let control =
        if admin.is_control_on() { ", who can also set the faults of its listeners" } else { "" };
    let message = format!(
        "the admin listener is reachable from other machines, and shows the clients and settings of the server to everyone \
         who can connect{control}; use a loopback address or a Unix socket, or keep others out by a firewall"
    );
    Some(Diagnostic { origin: settings.origin("admin", 0), message })
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

/// A fault log that has the path of the log or of a Unix socket.
fn shared_fault_log(
    settings: &Settings,
    values: &Values,
    listeners: &[Listener],
) -> Option<Diagnostic> {
    let path = normalize(values.fault_log.as_ref()?);
    let is_log = matches!(&values.log_file, Destination::File(log) if normalize(log) == path);
    let is_socket = |listener: &&Listener| matches!(&listener.endpoint, Endpoint::Unix(socket) if normalize(socket) == path);
    let other = match listeners.iter().find(is_socket) {
        Some(listener) => format!("the listener {}", listener.endpoint),
        None if is_log => "'log-file'".to_owned(),
        None => return None,
    };
    let message = format!("'fault-log' has the path of {other}; choose another file");
    Some(Diagnostic { origin: settings.origin("fault-log", 0), message })
}

/// A listener with a receipt whose protocol has no place for one.
fn receipts_of_raw(settings: &Settings, values: &Values) -> Vec<Diagnostic> {
    let base = ListenerOptions { protocol: values.protocol, ..ListenerOptions::default() };
    let is_raw = |url: &ListenerUrl| {
        url.has_receipt()
            && url.http.is_none()
            && url.listener(&base).options.protocol == Protocol::Raw
    };
    let raw = values.listen.iter().enumerate().filter(|(_, url)| is_raw(url));
    let refuse = |(index, _)| Diagnostic {
        origin: settings.origin("listen", index),
        message: NOT_RAW.to_owned(),
    };
    raw.map(refuse).collect()
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
