//! Admission: the limits and policies by which the server admits or refuses connections and datagrams.
//!
//! Owns the limits by server, listener and source, the policy that a connection takes from its listener,
//! and the reasons for a refusal. Must not know sockets, event loops or the log.
//!
//! Read [`connection_limits`] first: every connection passes through it. [`rejection`] has the text that a
//! refused client receives.

mod connection_limits;
mod counts;
mod datagram_refusal;
mod peer;
mod permit;
mod policy;
mod rejection;
mod source;
mod zone;

pub(crate) use self::{
    connection_limits::ConnectionLimits,
    datagram_refusal::DatagramRefusal,
    peer::Peer,
    permit::Permit,
    policy::ConnectionPolicy,
    rejection::{LimitReached, rejection_reply},
    source::source,
    zone::host_port,
};
