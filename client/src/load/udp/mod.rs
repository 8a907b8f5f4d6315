//! A load over datagrams: what takes the place of connections and their streams.

pub mod conversation;
pub mod fault;
pub mod probe;
pub mod socket;
