//! Login by SASL (RFC 4422): what both ends of it agree on.
//!
//! Owns the names of mechanisms, the messages of SCRAM-SHA-256 and PLAIN with the two sides of an exchange, the keys that
//! a server stores, and how names and passwords are compared. Must not know sockets, clocks, files, or who may log in.
//! HMAC, SHA-256 and PBKDF2 are those of `RustCrypto`; no primitive is written here.
//!
//! | file | contents |
//! |---|---|
//! | [`mechanism`](Mechanism) | names of mechanisms, the stronger first |
//! | [`keys`](Keys) | what a server stores instead of a password |
//! | [`prepare`](prepare_name) | `SASLprep` of names and passwords (RFC 4013) |
//! | [`server`](ServerExchange) | SCRAM as a server |
//! | [`client`](ClientExchange) | SCRAM as a client |
//! | [`digest`](hmac()) | SHA-256 and HMAC |
//! | `message` | messages of SCRAM, as both sides read them |
//! | [`plain`](PlainMessage) | the message of PLAIN (RFC 4616) |
//!
//! Read `server.rs` first, with RFC 5802, section 3, at hand.

mod channel;
mod client;
mod digest;
mod error;
mod keys;
mod mechanism;
mod message;
mod plain;
mod prepare;
mod server;
#[cfg(test)]
mod tests;

pub use channel::{EXPORTER_LABEL, EXPORTER_LENGTH};
pub use client::{ClientBinding, ClientExchange, ClientProof, DerivedKeys};
pub use digest::{Key, hash, hmac, is_equal};
pub use error::ScramError;
pub use keys::{Keys, MAX_ITERATIONS, MIN_ITERATIONS, SALT_LENGTH};
pub use mechanism::Mechanism;
pub use message::{random_key, random_nonce};
pub use plain::PlainMessage;
pub use prepare::{MAX_LENGTH, PrepareError, Secret, prepare_name, prepare_password};
pub use server::ServerExchange;
