//! Client of an echo server: it sends messages, and checks every byte that returns.
//!
//! | folder | owns |
//! |---|---|
//! | `cli` | arguments, configuration, dispatch to the subcommands |
//! | `interactive` | session of a user in a terminal |
//! | `pipe` | filter between standard input and output; messages from the command line |
//! | `ping` | round trips one by one |
//! | `load` | load generator: worker processes, report, verdict |
//! | `echo` | a message and its echo, an exit and its goodbye |
//! | `net` | name resolution, connections, waiting |
//! | `target` | arguments that name the server |
//!
//! Imports point down: `cli` -> {`interactive`, `pipe`, `ping`, `load`} -> `echo` -> `net`. `target` and the module
//! `stdio` import nothing of this crate.

mod cli;
mod echo;
mod interactive;
mod load;
mod net;
mod ping;
mod pipe;
mod stdio;
mod target;
#[cfg(test)]
mod testing;

pub use cli::{
    args::Args,
    config::{Config, ConfigError},
    error::Error,
    run::run,
};
