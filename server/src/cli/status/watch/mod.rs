//! `--watch`: sample after sample, in a terminal or as blocks of lines.
//!
//! Owns the thread that asks the server, the signals and the terminal. Must not know the sections of the view.
//!
//! Read `run.rs` first; `series.rs` computes rates and outages, without I/O.

mod clock;
mod plain;
mod run;
mod sampler;
mod screen;
mod series;
mod signals;
mod wait;

pub(super) use self::run::watch;
