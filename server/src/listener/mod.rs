//! Listeners: from a configured endpoint to a bound socket, and from its backlog to the dispatch queue.
//!
//! Owns binding, inherited sockets, the files of Unix sockets, and the acceptor thread. Must not know how a
//! connection is served, or what workers do besides taking connections from the dispatch queue.
//!
//! Read [`acceptor`] first, then [`mod@bind`].

mod accept_error;
mod acceptor;
mod addresses;
mod bind;
mod bind_error;
mod bind_udp;
mod closing;
mod control;
mod inherited;
mod listener_set;
mod listening_socket;
mod socket_file;

#[cfg(feature = "admin")]
pub(crate) use self::accept_error::{concerns_one_peer, is_backlog_empty, is_descriptor_shortage};
pub(crate) use self::{
    acceptor::Acceptor,
    addresses::Address,
    bind::{Binder, Sibling, skip_missing_addresses},
    control::{AcceptorControl, Command, CommandBatch},
    listening_socket::{BoundListener, Policy, StreamListener},
    socket_file::{SocketFileId, set_mode},
};
pub use self::{bind_error::BindError, inherited::InheritedSocket};
