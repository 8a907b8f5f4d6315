//! Measurement of one server under one load.
//!
//! It owns the processes of server and load, their processor time and memory, and the description of the
//! machine. It knows no rounds, ratios or tables. Start with `run`.

pub(crate) mod load;
pub(crate) mod machine;
mod proxy;
pub(crate) mod run;
pub(crate) mod server;
mod tls;
mod tls_load;
pub(crate) mod usage;
