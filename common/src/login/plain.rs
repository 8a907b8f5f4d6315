//! The message of PLAIN (RFC 4616).

use zeroize::Zeroizing;

use super::{
    error::ScramError,
    prepare::{Secret, prepare_name, prepare_password},
};

/// The message of PLAIN: a name, and its password.
///
/// ```
/// use common::login::PlainMessage;
///
/// let message = PlainMessage::parse(b"\0tim\0tanstaaftanstaaf")?;
/// assert_eq!(message.name, "tim");
/// assert_eq!(&message.to_bytes()[..], b"\0tim\0tanstaaftanstaaf");
/// # Ok::<(), common::login::ScramError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlainMessage {
    /// The prepared name.
    pub name: String,
    /// The prepared password.
    pub password: Secret,
}

impl PlainMessage {
    /// Parses a message.
    ///
    /// # Errors
    ///
    /// If it breaks the grammar, asks to act as another user, or has a prohibited character.
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let malformed = |_| ScramError::Malformed("not UTF-8");
        let message = std::str::from_utf8(message).map_err(malformed)?;
        let mut fields = message.split('\0');
        let (Some(identity), Some(name), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(ScramError::Malformed("not three fields"));
        };
        let prohibited = |_| ScramError::Malformed("a prohibited name or password");
        let name = prepare_name(name).map_err(prohibited)?;
        if !identity.is_empty() && identity != name {
            return Err(ScramError::OtherIdentity);
        }
        Ok(Self { name, password: prepare_password(password).map_err(prohibited)? })
    }

    /// Returns the message.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(format!("\0{}\0{}", self.name, self.password.expose()).into_bytes())
    }
}
