//! Messages between processes.

pub mod wire;
