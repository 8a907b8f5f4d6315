//! The log of the program: `log` records, through `fern`, to a writer that never delays an echo.
//!
//! fern filters and formats records. The *sink* adds each to a batch of the thread that logs; a batch goes
//! through a bounded *queue* to the *writer*, a thread that alone makes the system calls of the log.
//!
//! ```text
//! log::info! ──> fern (level, format) ──> sink (batch per thread) ──> queue (bounded) ──> writer ──> file
//! ```
//!
//! Owns the way of a record to the file. Must not know connections. A program that embeds the server and has a
//! logger does not need this module.
//!
//! Read `start.rs` first, then `queue.rs`: it decides when a thread that logs waits.

mod batch;
mod file;
mod format;
mod options;
mod queue;
mod sink;
mod start;
mod writer;

pub use self::{
    batch::{defer, flush},
    options::{Format, Options, Overflow},
    start::{Log, LogError, record_panics, set_level, start},
};
