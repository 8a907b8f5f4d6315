//! Telemetry: every log line and every counter of connections and datagrams.
//!
//! Owns the events of a connection's life (text, level, JSON fields, counter), the counters of each worker,
//! and the limit on repeated log lines. Must not know where the log goes.
//!
//! Read [`events`] first.

mod events;
mod log_throttle;
mod metrics;
mod udp_events;

pub use self::metrics::Stats;
#[cfg(test)]
pub(crate) use self::metrics::WorkerCounters;
pub(crate) use self::{
    events::ConnectionEvents,
    log_throttle::{LogThrottle, Suppressed},
    metrics::Counters,
};
