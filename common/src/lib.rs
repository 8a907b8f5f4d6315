//! Protocol that the echo server and its client share.
//!
//! | module | contents |
//! |---|---|
//! | [`protocol`] | names, defaults and limits of the three protocols: read this first |
//! | [`endpoint`] | address of a listener or a server: as a URL, or as a host |
//! | [`exit`] | the rule that recognizes `exit`, and the goodbye that answers it |
//! | [`frame`] | prefix of the `length` protocol |
//! | `login` | SASL mechanisms and the keys of users; with the feature `login` only |
//! | [`message`] | splitter of a byte stream into messages, for the log |
//! | [`fault`] | faults on purpose: their names; the record of each with the feature `fault-log` only |
//! | [`count`] | a number with its noun, as in `1 byte` |
//! | [`escape`] | bytes of a peer, made safe for a log line or a terminal |
//! | [`websocket`] | what both sides of a WebSocket check; the answer to a handshake with the feature `websocket` only |
//! | [`room`] | what members of a room send and receive; as JSON with the feature `room-json` only |
//! | `receipt` | the client receipt: counts of a server, for its client to compare; with the feature `receipt` only |
//! | [`reason`] | text of a system error, as part of a sentence |
//! | [`split_mix`] | numbers that a seed determines |
//! | [`utf8`] | the check of a text that arrives in parts |
//! | `cli` | items that both command lines share; with the feature `cli` only |
//!
//! Nothing in this crate does network I/O, reads a clock, or holds a connection.

#[cfg(feature = "cli")]
pub mod cli;
pub mod count;
pub mod endpoint;
pub mod escape;
pub mod exit;
pub mod fault;
pub mod frame;
#[cfg(feature = "login")]
pub mod login;
pub mod message;
pub mod protocol;
pub mod reason;
#[cfg(feature = "receipt")]
pub mod receipt;
pub mod room;
pub mod split_mix;
pub mod utf8;
pub mod websocket;
