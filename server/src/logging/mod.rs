//! The log of the program: `log` records, through `fern`, to a writer that never delays an echo.
//!
//! fern filters and formats records. The *sink* adds each to a batch of the thread that logs; a batch goes
//! through a bounded *queue* to the *writer*, a thread that alone makes the system calls of the log.
//!
//! ```text
//! log::info! ──> fern (level, format) ──> sink (batch per thread) ──> queue (bounded) ──> writer ──> file
//! ```
//!
//! Owns the way of a record to the file. Must not know connections. A program that embeds the server has its
//! own logger: without the feature `cli`, only versions of [`defer`], [`flush`] and [`totals()`] are left that do nothing.
//!
//! Read `start.rs` first, then `queue.rs`: it decides when a thread that logs waits.

#[cfg(feature = "cli")]
mod batch;
#[cfg(feature = "cli")]
mod file;
#[cfg(any(feature = "history", feature = "cli"))]
mod flush_hook;
#[cfg(feature = "cli")]
mod format;
#[cfg(not(feature = "cli"))]
mod no_batch;
#[cfg(feature = "cli")]
mod options;
#[cfg(feature = "cli")]
mod queue;
#[cfg(feature = "cli")]
mod sink;
#[cfg(feature = "cli")]
mod start;
mod totals;
#[cfg(feature = "cli")]
mod writer;

#[cfg(any(feature = "history", feature = "cli"))]
pub(crate) use self::flush_hook::FlushHook;
#[cfg(all(feature = "history", not(feature = "cli")))]
pub(crate) use self::no_batch::set_flush_hook;
#[cfg(not(feature = "cli"))]
pub use self::no_batch::{defer, flush, totals};
pub use self::totals::Totals;
#[cfg(feature = "cli")]
pub(crate) use self::{
    batch::set_flush_hook,
    file::{Output, open_append},
    queue::LogQueue,
};
#[cfg(feature = "cli")]
pub use self::{
    batch::{defer, flush},
    options::{Destination, Format, Options, Overflow},
    start::{Log, LogError, record_panics, set_level, start, totals},
};
