//! Settings that are each well said and cannot hold together.

use std::path::{Component, Path, PathBuf};

use common::endpoint::Endpoint;

use super::{
    Settings,
    args::{Args, Switch},
    listen::{Listen, Taken},
    origin::Mistake,
};

/// All of them, each at the setting that is better changed.
pub(super) fn contradictions(settings: &Settings) -> Vec<Mistake> {
    let args = &settings.args;
    let limits = limits(settings, args);
    limits.into_iter().chain(places(settings, args)).collect()
}

/// A limit inside another that is smaller would never be reached.
fn limits(settings: &Settings, args: &Args) -> Vec<Mistake> {
    let Some(most) = args.max_connections.map(usize::from) else { return Vec::new() };
    let all = settings.origin("max-connections", 0);
    let never = format!("above 'max-connections' ({most}, {all}), so it would never be reached");
    let per_ip = args.max_connections_per_ip.map(usize::from).filter(|limit| *limit > most);
    let per_ip = per_ip.map(|limit| Mistake {
        origin: settings.origin("max-connections-per-ip", 0),
        what: format!("'max-connections-per-ip' ({limit}) is {never}"),
    });
    let listeners = args.listen.iter().enumerate().filter_map(|(at, listen)| {
        let limit = listen.max_connections().filter(|limit| *limit > most)?;
        let what = format!("'max-connections={limit}' of {} is {never}", listen.endpoint());
        Some(Mistake { origin: settings.origin("listen", at), what })
    });
    per_ip.into_iter().chain(listeners).collect()
}

/// A place that is taken by a listener before.
fn places(settings: &Settings, args: &Args) -> Vec<Mistake> {
    let all = args.listen.iter().enumerate();
    let taken = all.filter_map(|(at, later)| {
        let what = args.listen[..at].iter().find_map(|earlier| clash(earlier, later, args))?;
        Some(Mistake { origin: settings.origin("listen", at), what })
    });
    taken.collect()
}

fn clash(earlier: &Listen, later: &Listen, args: &Args) -> Option<String> {
    let (one, other) = (earlier.endpoint(), later.endpoint());
    match (one, other) {
        // Any free one, each its own.
        (Endpoint::Tcp(at) | Endpoint::Udp(at), _) if at.port == 0 => None,
        _ if one == other => Some(format!("{other} is listened on twice")),
        (Endpoint::Unix(path), Endpoint::Unix(same)) if normal(path) == normal(same) => {
            Some(format!("{other} is listened on twice, as {one} as well"))
        }
        _ if args.reuse_port == Switch::On => None,
        _ => taken(earlier, later).or_else(|| taken(later, earlier)),
    }
}

/// What to do if one of these takes the address of the other.
fn taken(wide: &Listen, narrow: &Listen) -> Option<String> {
    let (all, one) = (wide.endpoint(), narrow.endpoint());
    Some(match wide.takes(one)? {
        Taken::OfIpv4 => {
            format!("{all} takes every IPv4 address, and so {one}; keep one of them")
        }
        Taken::OfIpv6 => {
            format!("{all} takes every IPv6 address, and so {one}; keep one of them")
        }
        Taken::Ipv4OfIpv6 => {
            format!("{all} takes IPv4 as well, and so {one}; say {all}?v6only=yes to have both")
        }
    })
}

/// The path without detours. Links are not followed: where they lead may change.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match normal.components().next_back() {
                Some(Component::Normal(_)) => _ = normal.pop(),
                Some(Component::RootDir) => {}
                _ => normal.push(component),
            },
            _ => normal.push(component),
        }
        normal
    })
}
