//! The protocols over real sockets: what the server echoes, and what it answers.

mod length_protocol;
mod proxy;
mod raw_protocol;
mod receipt;
mod text_protocol;
mod udp;
mod udp_batches;
