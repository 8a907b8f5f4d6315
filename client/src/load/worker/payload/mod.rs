//! Payload: the bytes that a connection sends, as a function of the seed, the connection and the offset.
//!
//! Nothing that was sent has to be kept in order to check what returns, however much is in flight: the
//! bytes are generated again. Every 32 bytes start with their position and their connection, in digits that
//! can be decoded, so that misplaced bytes can be told from damaged ones. Generating a block costs one
//! multiplication, because a load generator cannot spend on load what it spends on its payload.
//!
//! The bytes are the 32 printable characters from `!` to `@`, without letters: no line can read `exit`, or
//! control a terminal. Each line ends with a newline instead of its last byte.
//!
//! Must not know sockets, nor what has been sent.
//!
//! Read [`streams`] first.

pub(crate) mod block;
pub(crate) mod cursor;
pub(crate) mod echo_stream;
pub(crate) mod streams;
