//! A process of a load.

pub mod channel;
pub mod connection;
pub mod context;
pub mod diagnose;
pub mod entry;
pub mod event_loop;
pub mod expectation;
pub mod payload;
pub mod schedule;
pub mod socket;
pub mod udp;
