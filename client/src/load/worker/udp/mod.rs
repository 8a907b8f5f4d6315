//! Datagrams of a load.

pub mod diagnose;
pub mod expectation;
pub mod socket;
