//! Messages of SCRAM (RFC 5802, section 7), as both sides read them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{digest::Key, error::ScramError};

/// Bytes of a random nonce, before base64.
const NONCE_LENGTH: usize = 18;

/// Minimum length of a nonce of the other side. The RFC sets no minimum; this one refuses only an empty nonce.
const MIN_NONCE: usize = 1;

/// Returns a random nonce.
///
/// # Panics
///
/// If the system has no random bytes.
#[must_use]
pub fn random_nonce() -> String {
    let mut bytes = [0; NONCE_LENGTH];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    STANDARD.encode(bytes)
}

/// Returns a random key.
///
/// # Panics
///
/// If the system has no random bytes.
#[must_use]
pub fn random_key() -> Key {
    let mut key = Key::default();
    getrandom::fill(&mut key).expect("the system has random bytes");
    key
}

/// Attributes of a message, in their order.
pub(super) struct Attributes<'a>(std::str::Split<'a, char>);

impl<'a> Attributes<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        let malformed = |_| ScramError::Malformed("not UTF-8");
        let message = std::str::from_utf8(message).map_err(malformed)?;
        if message.contains('\0') {
            return Err(ScramError::Malformed("a NUL"));
        }
        Ok(Self(message.split(',')))
    }

    /// Returns the value of the next attribute, which must have this name.
    pub(super) fn expect(&mut self, name: char) -> Result<&'a str, ScramError> {
        let attribute = self.0.next().ok_or(ScramError::Malformed("an attribute is missing"))?;
        let value = attribute.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        match value {
            Some(value) => Ok(value),
            None if attribute.starts_with("m=") => Err(ScramError::UnknownExtension),
            None => Err(ScramError::Malformed("an attribute is not the expected one")),
        }
    }

    /// Returns the next attribute with its name, if there is one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// Checks that the others are optional extensions, which are ignored.
    pub(super) fn ignore_extensions(self) -> Result<(), ScramError> {
        for attribute in self.0 {
            let [name, b'=', _, ..] = attribute.as_bytes() else {
                return Err(ScramError::Malformed("an extension without a value"));
            };
            if !name.is_ascii_alphabetic() {
                return Err(ScramError::Malformed("an extension with an invalid name"));
            }
        }
        Ok(())
    }
}

/// Checks the characters of a nonce: visible ASCII without a comma.
pub(super) fn check_nonce(nonce: &str) -> Result<&str, ScramError> {
    if nonce.len() >= MIN_NONCE && nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(nonce)
    } else {
        Err(ScramError::Malformed("an invalid nonce"))
    }
}

pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, ScramError> {
    STANDARD.decode(text).map_err(|_| ScramError::Malformed("invalid base64"))
}

pub(super) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Returns a name with its commas and equals signs escaped (`saslname`).
pub(super) fn escape_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// Reverses [`escape_name`].
pub(super) fn unescape_name(name: &str) -> Result<String, ScramError> {
    let mut parts = name.split('=');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = if let Some(rest) = part.strip_prefix("2C") {
            (',', rest)
        } else if let Some(rest) = part.strip_prefix("3D") {
            ('=', rest)
        } else {
            return Err(ScramError::Malformed("an escaped name that is invalid"));
        };
        plain.push(character);
        plain.push_str(rest);
    }
    Ok(plain)
}
