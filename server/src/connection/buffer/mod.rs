//! The buffers of a connection, which exist only while they hold bytes.
//!
//! Owns received bytes that are not complete, and bytes that the socket has not taken. Must not know the
//! session.

mod held_bytes;
mod send_buffer;

pub(super) use self::{
    held_bytes::HeldBytes,
    send_buffer::{SendBuffer, UnloggedEcho, write_until_full},
};
