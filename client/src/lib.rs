//! Client of an echo server: it sends messages, and checks every byte that returns.
//!
//! | folder | owns |
//! |---|---|
//! | `cli` | arguments, configuration, dispatch to the subcommands |
//! | `interactive` | session of a user in a terminal |
//! | `chat` | a room, full-screen in a terminal or in a pipe |
//! | `pipe` | filter between standard input and output; messages from the command line |
//! | `ping` | round trips one by one |
//! | `load` | load generator: worker processes, report, verdict |
//! | `mirror` | the part of an echo server, on a WebSocket that the client opens |
//! | `echo` | a message and its echo, an exit and its goodbye |
//! | `net` | name resolution, connections, waiting |
//! | `tls` | TLS of a connection, without its socket |
//! | `login` | login of a connection, without its socket |
//! | `websocket` | WebSocket of a connection, without its socket |
//! | `receipt` | what was sent and received, for the comparison with the server's receipt |
//! | `endpoint` | arguments that name the server |
//! | `stdio` | errors of standard input and output |
//!
//! Imports point down: `cli` -> {`interactive`, `chat`, `pipe`, `ping`, `load`, `mirror`} -> `echo` -> `net` -> {`tls`, `websocket`} ->
//! `login`. `endpoint` imports of them only what an option means; `receipt` and `stdio` import nothing of this crate.

mod chat;
mod cli;
mod echo;
mod endpoint;
mod interactive;
mod load;
mod login;
mod mirror;
mod net;
mod ping;
mod pipe;
mod receipt;
mod stdio;
#[cfg(test)]
mod testing;
mod tls;
mod websocket;

pub use cli::{
    args::Args,
    config::{Config, ConfigError},
    error::Error,
    run::run,
};
