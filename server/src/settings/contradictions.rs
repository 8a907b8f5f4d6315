//! Settings that are each well said and cannot hold together.

use common::endpoint::{Endpoint, HostPort};

use super::{
    Settings,
    args::{Args, Switch},
    listen::Listen,
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
    let port = |endpoint: &Endpoint| match endpoint {
        Endpoint::Tcp(HostPort { port, .. }) | Endpoint::Udp(HostPort { port, .. }) => Some(*port),
        Endpoint::Unix(_) => None,
    };
    if port(one) == Some(0) || port(other) == Some(0) {
        None
    } else if one == other {
        Some(format!("{other} is listened on twice"))
    } else if args.reuse_port == Switch::On {
        None
    } else {
        let (six, four) = [(earlier, other), (later, one)]
            .into_iter()
            .find(|(six, four)| six.takes_ipv4_of(four))?;
        let six = six.endpoint();
        Some(format!("{six} takes IPv4 as well, and so {four}; say {six}?v6only=yes to have both"))
    }
}
