//! The receipt of a connection: what the log has about it when it has closed.
//!
//! Owns the totals that a connection keeps, the kernel's figures as the log names them, and the text and fields of the event
//! of its close. Must not know how the figures are read.
//!
//! Read `closed.rs` first.

mod closed;
mod layer_names;
mod tcp_info;
mod totals;

pub(crate) use self::{
    closed::Closed, layer_names::LayerNames, tcp_info::TcpInfo, totals::ConnectionTotals,
};
