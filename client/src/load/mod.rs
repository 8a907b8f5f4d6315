//! The load generator.

pub mod args;
pub mod coordinator;
pub mod error;
pub mod evaluate;
pub mod find_rate;
pub mod host;
pub mod ipc;
pub mod merge;
pub mod plan;
pub mod preflight;
pub mod probe;
pub mod report;
pub mod run;
pub mod runner;
pub mod search;
pub mod stats;
pub mod worker;

pub(crate) use error::Failure as Error;
pub(crate) use run::run;
pub(crate) use worker::entry::run as run_worker;
