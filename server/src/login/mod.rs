//! Login: who may log in, and how often somebody may try.
//!
//! Owns the users of the running server, failed logins, the derivation of keys from passwords, and the sessions of each
//! user. Must not know protocols, connections, or where the users come from.
//!
//! Read `authenticator.rs` first.

mod account;
mod authenticator;
mod failure;
mod source;
mod throttle;
mod verifier;

pub(crate) use self::{
    account::{Account, LoginError},
    authenticator::Authenticator,
    failure::LoginFailure,
    source::Source,
    verifier::Verification,
};
