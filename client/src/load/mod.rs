//! `echo-client load`: many processes, many connections, every byte checked, and a verdict.

pub mod conversation;
pub mod judge;
pub mod payload;
pub mod tally;
pub mod wire;
