//! `/metrics`: the counters of the server in the text formats of Prometheus.
//!
//! Owns the names, the types and the help of the metrics, each of which is declared once. Must not know who reads them.
//!
//! Read `family.rs` first, then `listeners.rs` as an example of declarations.

mod expose;
mod family;
mod listeners;
mod process;
mod server;
mod workers;

pub(super) use self::expose::{Format, expose};
