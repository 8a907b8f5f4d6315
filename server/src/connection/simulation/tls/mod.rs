//! Peers that speak TLS.
//!
//! Read `peer.rs` first: the steps of a peer.

mod config;
mod peer;

pub(super) use self::{
    config::server,
    peer::{MAX_RECORD, TlsPeer},
};
