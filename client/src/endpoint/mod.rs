//! Endpoint of the server, as the command line names it: by an address, or by `--host` and `--port`.
//!
//! Owns these arguments, which all subcommands share, and the endpoint that they mean together. Must not
//! know the subcommands, nor open a socket.
//!
//! Read [`args`] first.

pub(crate) mod address;
pub(crate) mod args;
mod login;
mod repetition;
pub(crate) mod select;
mod tls;
mod websocket;
