//! A failed login, for the log.

/// A failed login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginFailure {
    /// The mechanism, such as `SCRAM-SHA-256`.
    pub(crate) mechanism: &'static str,
    /// The name that the client has claimed.
    pub(crate) name: Option<String>,
    pub(crate) reason: String,
}
