//! SASL mechanisms.

use std::{fmt, str::FromStr};

/// A SASL mechanism, the strongest first.
///
/// ```
/// use common::login::Mechanism;
///
/// assert_eq!("scram-sha-256".parse(), Ok(Mechanism::ScramSha256));
/// assert_eq!(Mechanism::ScramSha256Plus.name(), "SCRAM-SHA-256-PLUS");
/// assert!("CRAM-MD5".parse::<Mechanism>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// `SCRAM-SHA-256-PLUS` (RFC 7677) with the channel binding `tls-exporter` (RFC 9266).
    ScramSha256Plus,
    /// `SCRAM-SHA-256` (RFC 7677).
    ScramSha256,
    /// `EXTERNAL` (RFC 4422, appendix A): the certificate of the client.
    External,
    /// `PLAIN` (RFC 4616): the password itself, over TLS only.
    Plain,
}

/// The text names no mechanism of [`Mechanism`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected SCRAM-SHA-256-PLUS, SCRAM-SHA-256, EXTERNAL or PLAIN")]
pub struct UnknownMechanism;

impl Mechanism {
    /// All mechanisms, the strongest first.
    pub const ALL: [Self; 4] =
        [Self::ScramSha256Plus, Self::ScramSha256, Self::External, Self::Plain];

    /// Returns the registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::External => "EXTERNAL",
            Self::Plain => "PLAIN",
        }
    }

    /// Returns whether the mechanism needs a TLS connection.
    #[must_use]
    pub const fn needs_tls(self) -> bool {
        !matches!(self, Self::ScramSha256)
    }
}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(text: &str) -> Result<Self, UnknownMechanism> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(text))
            .ok_or(UnknownMechanism)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
