//! `echo-client load`: a load generator with many processes and connections, which checks every byte, and a
//! verdict on the result.
//!
//! | folder | owns |
//! |---|---|
//! | `preflight` | checks before the start: capacity of the host, reachability of the server |
//! | `progress` | what the terminal shows while a load runs |
//! | `plan` | arguments, and the validated plan |
//! | `faults` | whether a load has found exactly the faults that the server has injected |
//! | `coordinator` | worker processes and their supervision |
//! | `worker` | one worker process: event loop, connections, payload, diagnosis of wrong bytes |
//! | `ipc` | messages between both |
//! | `evaluate` | metrics, assertions, verdict |
//! | `report` | document, files, table, page |
//! | `host` | limits and usage of the machine |
//! | `stats` | counters, histograms, and their text |
//!
//! The modules of this folder put them together: `run` for the subcommand, `runner` for one load,
//! `find_rate` for many, `merge` and `compare` for saved reports. Imports point from them to the folders, and down this
//! table. Must not know the other subcommands.
//!
//! Read [`run`](mod@run) first.

mod build_report;
mod compare;
mod coordinator;
mod error;
mod evaluate;
mod faults;
mod find_rate;
mod host;
mod ipc;
mod merge;
pub(crate) mod plan;
mod preflight;
mod progress;
mod report;
mod run;
mod runner;
mod saved_report;
mod search;
mod stats;
mod worker;

pub(crate) use error::Error;
pub(crate) use run::run;
pub(crate) use worker::entry::run as run_worker;
