//! Protocol between the coordinator and its worker processes: lines of JSON over pipes.
//!
//! The coordinator writes to the worker's standard input: one
//! [`WorkerConfig`](worker_config::WorkerConfig), then [`Command`](message::Command)s. The end of this
//! stream means that the coordinator is gone, and ends the worker. The worker writes
//! [`WorkerMessage`](message::WorkerMessage)s to its standard output.
//!
//! Owns the messages and their encoding. Must not know processes, nor what follows from a message.
//!
//! Read [`message`] first.

pub(crate) mod message;
pub(crate) mod observation;
pub(crate) mod wire;
pub(crate) mod worker_config;
