//! `SASLprep` (RFC 4013), by which names and passwords that look alike are equal; and passwords in memory.

use std::fmt;

use zeroize::Zeroizing;

/// A prepared password. It is overwritten when it is dropped, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Returns the password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// The reason for which a name or a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// Nothing is left of it.
    #[error("it is empty")]
    Empty,
    /// It is longer than 1024 bytes.
    #[error("it is longer than 1024 bytes")]
    TooLong,
    /// It has a character that `SASLprep` prohibits, such as a control character.
    #[error("it has a character that SASLprep (RFC 4013) prohibits")]
    Prohibited,
}

/// Maximum length of a name or a password, in bytes. A password of any length takes the same time to hash, but not to
/// prepare.
pub const MAX_LENGTH: usize = 1024;

/// Prepares the name of a user.
///
/// # Errors
///
/// If it is empty, too long, or has a prohibited character.
///
/// ```
/// use common::login::prepare_name;
///
/// assert_eq!(prepare_name("I\u{ad}X")?, "IX");
/// assert!(prepare_name("a\u{7}").is_err());
/// # Ok::<(), common::login::PrepareError>(())
/// ```
pub fn prepare_name(name: &str) -> Result<String, PrepareError> {
    prepare(name)
}

/// Prepares a password.
///
/// # Errors
///
/// If it is empty, too long, or has a prohibited character.
pub fn prepare_password(password: &str) -> Result<Secret, PrepareError> {
    prepare(password).map(Zeroizing::new).map(Secret)
}

fn prepare(text: &str) -> Result<String, PrepareError> {
    if text.len() > MAX_LENGTH {
        return Err(PrepareError::TooLong);
    }
    let prepared = stringprep::saslprep(text).map_err(|_| PrepareError::Prohibited)?;
    if prepared.is_empty() { Err(PrepareError::Empty) } else { Ok(prepared.into_owned()) }
}
