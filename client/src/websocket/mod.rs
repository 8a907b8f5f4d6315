//! WebSocket of a connection (RFC 6455), without its socket: the handshake, frames, messages, the close, and the words for
//! every failure.
//!
//! Owns everything that knows the protocol. Must not know sockets, deadlines, nor what the bytes mean: its parts take
//! received bytes and give bytes to send, and never wait. The handshake is HTTP, whose head `httparse` parses.
//!
//! One decoder serves both the sessions of a user, which are lines or chunks ([`Session`]), and the connections of a load,
//! which check bytes in place as they arrive. So a library that delivers whole messages would add a second framer.
//!
//! Read [`session`](Session) first, then `decoder.rs`.

mod close;
mod decoder;
mod encoder;
mod error;
mod handshake;
mod masks;
mod options;
mod output;
mod session;

pub(crate) use close::{CloseFrames, NORMAL};
pub(crate) use decoder::{Decoder, Event};
pub(crate) use encoder::Opcode;
pub(crate) use error::{Error, MessageFault};
pub(crate) use handshake::Handshake;
pub(crate) use options::{Format, Options};
pub(crate) use output::Output;
pub(crate) use session::{Received, Session};
