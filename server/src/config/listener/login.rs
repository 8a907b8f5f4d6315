//! Login on a listener.

use common::login::Mechanism;

/// Login before anything is echoed, on a listener that requires it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Login {
    /// Mechanisms that the listener offers, where the connection allows them: `PLAIN` and `SCRAM-SHA-256-PLUS` need TLS,
    /// `EXTERNAL` needs the certificate of the client. Default: all.
    pub mechanisms: Vec<Mechanism>,
}

impl Default for Login {
    fn default() -> Self {
        Self { mechanisms: Mechanism::ALL.into() }
    }
}
