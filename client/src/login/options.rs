//! Options of a login: plain data, which the command line names.

use std::path::PathBuf;

use super::mechanism::Mechanism;

/// Environment variable with the password.
pub(crate) const PASSWORD_VARIABLE: &str = "ECHO_PASSWORD";

/// Who logs in, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Options {
    /// A user with a password: by SASL, or over a WebSocket by the scheme Basic of HTTP.
    Password {
        /// Prepared name.
        user: String,
        /// File with the password; otherwise it comes from the environment or from the terminal.
        file: Option<PathBuf>,
        /// The only mechanism to use.
        mechanism: Option<Mechanism>,
    },
    /// The certificate of the client, by the mechanism EXTERNAL.
    Certificate {
        /// Prepared name that the certificate has to have.
        user: Option<String>,
    },
    /// The token in this file, over a WebSocket by the scheme Bearer of HTTP.
    Token(PathBuf),
}
