//! `echo-client ping`: round trips one by one, over a stream or by datagrams.
//!
//! Owns the pace of the round trips, their statistics, and what counts as lost. Must not know the other
//! subcommands.
//!
//! Read [`series`] first: its loop is the same for both [transports](transport).

pub(crate) mod args;
pub(crate) mod config;
mod datagrams;
mod error;
mod sequence;
mod series;
mod statistics;
mod stream;
mod transport;

pub(crate) use error::Error;
pub(crate) use series::run;
