//! Round trips.

pub mod datagrams;
pub mod run;
mod sequence;
pub mod statistics;
mod stream;
