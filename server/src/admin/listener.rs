//! The sockets of the admin listener.

use std::{io, slice, sync::Arc};

use common::endpoint::{Endpoint, split_zone};
use mio::{Interest, Poll, Token, Waker};

use super::client::Access;
use crate::{
    config::{Admin, Config, Http, Listener},
    listener::{Address, BindError, Binder, BoundListener, StreamListener, skip_missing_addresses},
    metrics::Registry,
    shared::WAKE,
};

/// Token of the first socket in the poll; the others follow. Those of connections are lower.
pub(super) const FIRST_SOCKET: usize = usize::MAX / 2;

/// An admin listener that is bound. Clients can connect; they are served when its thread runs.
#[derive(Debug)]
pub(crate) struct AdminListener {
    pub(super) sockets: Vec<StreamListener>,
    pub(super) poll: Poll,
    pub(super) waker: Arc<Waker>,
    pub(super) access: Access,
}

impl AdminListener {
    /// Binds the admin listener of a configuration, if there is one.
    ///
    /// # Errors
    ///
    /// If its host does not resolve, or the system refuses to listen.
    pub(crate) fn bind(config: &Config) -> Result<Option<Self>, BindError> {
        let Some(admin) = &config.admin else { return Ok(None) };
        let addresses = Address::resolve(&admin.endpoint)?;
        // Its clients count in no metric, so its counters are in no registry that is read.
        let counters = Registry::new(0);
        let binder = Binder::new(config, &counters).exclusive();
        let bound = binder.bind(&listener(admin), &addresses, None);
        let streams = skip_missing_addresses(bound, false).map_err(BindError::of_admin)?;
        let streams = streams.into_iter().filter_map(|bound| match bound {
            BoundListener::Stream(stream) => Some(stream),
            BoundListener::Udp(_) => None,
        });
        let mut sockets: Vec<_> = streams.collect();
        let (poll, waker) = register(&mut sockets).map_err(BindError::System)?;
        let hosts = match &admin.endpoint {
            Endpoint::Tcp(at) => Some([&admin.hosts[..], slice::from_ref(&at.host)].concat()),
            _ => None,
        };
        let is_local = sockets.iter().all(|socket| is_local(&socket.endpoint));
        let access = Access { hosts, no_control: no_control(admin.control, is_local) };
        Ok(Some(Self { sockets, poll, waker: Arc::new(waker), access }))
    }

    /// Returns the endpoints of its sockets, with the actual port.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.sockets.iter().map(|socket| &socket.endpoint)
    }

    /// Returns its addresses as the log names them.
    pub(super) fn addresses(&self) -> impl Iterator<Item = String> {
        self.sockets.iter().map(|socket| match &socket.endpoint {
            Endpoint::Tcp(_) => socket.address(),
            // As `--admin` has it: HTTP goes without saying.
            endpoint => endpoint.to_string(),
        })
    }
}

/// Returns whether only this machine can connect.
fn is_local(endpoint: &Endpoint) -> bool {
    let Endpoint::Tcp(at) = endpoint else { return true };
    split_zone(&at.host).is_some_and(|(address, _)| address.to_canonical().is_loopback())
}

/// Returns why no client may change anything.
fn no_control(control: Option<bool>, is_local: bool) -> Option<&'static str> {
    match control {
        Some(true) => None,
        None if is_local => None,
        Some(false) => Some("the admin listener has control=off, so nothing can be changed here"),
        None => Some(
            "other machines can reach the admin listener, so nothing can be changed here; use a loopback address or a Unix \
             socket, or allow it by control=on in its URL",
        ),
    }
}

/// Returns the options of its sockets.
fn listener(admin: &Admin) -> Listener {
    let mut listener = Listener::new(admin.endpoint.clone());
    listener.options.mode = admin.mode;
    listener.options.http = Some(Arc::new(Http::default()));
    listener
}

fn register(sockets: &mut [StreamListener]) -> io::Result<(Poll, Waker)> {
    let poll = Poll::new()?;
    for (index, listener) in sockets.iter_mut().enumerate() {
        let token = Token(FIRST_SOCKET + index);
        poll.registry().register(listener.socket.source(), token, Interest::READABLE)?;
    }
    let waker = Waker::new(poll.registry(), WAKE)?;
    Ok((poll, waker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_allowed_where_no_other_machine_can_connect_unless_the_configuration_decides() {
        for (host, is_allowed) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("192.0.2.1", false),
            ("fe80::1%lo", false),
        ] {
            let is_local = is_local(&Listener::tcp(host, 1).endpoint);
            assert_eq!(no_control(None, is_local).is_none(), is_allowed, "{host}");
        }
        assert!(is_local(&Endpoint::Unix("a".into())) && is_local(&Endpoint::Abstract("a".into())));
        assert_eq!(no_control(Some(true), false), None);
        assert!(no_control(Some(false), true).is_some());
    }
}
