//! Telemetry: every log line and every counter of connections and datagrams.
//!
//! Owns the events of a connection's life (text, level, JSON fields, counter), the identity and the receipt that they
//! show, and the limit on repeated log lines. Must not know where the log goes.
//!
//! Read [`connection_event`] first; `recorder.rs` has the messages.

mod close_reason;
mod connection_event;
mod connection_id;
mod connection_text;
mod datagram_event;
mod event;
mod fault;
mod handshake_fields;
mod injected_fault;
mod log_throttle;
mod receipt;
mod recorder;

#[cfg(feature = "admin")]
pub(crate) use self::fault::Fault;
pub(crate) use self::{
    close_reason::CloseReason,
    connection_event::{ConnectionEvent, Subject},
    connection_id::ConnectionId,
    datagram_event::DatagramEvent,
    log_throttle::{LogThrottle, Suppressed},
    receipt::{Closed, ConnectionTotals, LayerNames, TcpInfo},
    recorder::{Recorder, Recording},
};
