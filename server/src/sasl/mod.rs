//! Login by SASL (RFC 4422) before a plain session: lines after POP3 (RFC 5034), or the same in frames.
//!
//! Owns the commands and answers of the login, and what a client may still do before it. Must not know sockets, nor who may
//! log in: `login/` decides that.
//!
//! | file | contents |
//! |---|---|
//! | `handler.rs` | the login of one connection: commands, delays, the end |
//! | `exchange.rs` | one exchange of a mechanism |
//! | `unit.rs` | lines and frames |
//! | `wrong_proof.rs` | a fault on purpose |

mod exchange;
mod handler;
#[cfg(test)]
mod tests;
mod unit;
mod wrong_proof;

pub(crate) use self::handler::SaslHandler;
