//! Connections.

pub mod error;
pub mod poll;
pub mod stream;
pub mod target;
