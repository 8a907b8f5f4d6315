//! SCRAM-SHA-256 as a client (RFC 5802, section 5; RFC 7677).

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    channel::EXPORTER_LENGTH,
    digest::{Key, hash, hmac},
    error::ScramError,
    keys::{MAX_ITERATIONS, MIN_ITERATIONS, client_key, salted_password, server_key},
    message::{Attributes, check_nonce, decode_base64, encode_base64, escape_name},
    prepare::Secret,
};

/// What the client says of channel binding, in the header of GS2 (RFC 5802, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientBinding {
    /// The connection has no TLS that can be bound.
    Unsupported,
    /// The client could bind, but the server does not offer it. If the server does, somebody has changed the list of its
    /// mechanisms, and the login fails.
    NotOffered,
    /// The binding `tls-exporter` of the connection.
    Exporter([u8; EXPORTER_LENGTH]),
}

/// Keys that were derived last, for further logins of the same user: deriving takes milliseconds, and RFC 5802,
/// section 5.1, allows a client to keep them.
#[derive(Default)]
pub struct DerivedKeys(Option<Derived>);

struct Derived {
    salt: Vec<u8>,
    iterations: u32,
    client_key: Zeroizing<Key>,
    server_key: Zeroizing<Key>,
}

/// An exchange after the first message of the client.
#[derive(Debug)]
pub struct ClientExchange {
    password: Secret,
    nonce: String,
    bare: String,
    /// Base64 of the header of GS2 and the data of the channel binding.
    binding: String,
}

/// The last message of the client, and what the server must answer.
pub struct ClientProof {
    /// The message.
    pub message: String,
    signature: Key,
}

impl ClientExchange {
    /// Begins the login of a user with a prepared name. Returns the exchange and the first message. `nonce` is
    /// [`random_nonce`](super::random_nonce).
    #[must_use]
    pub fn begin(
        name: &str,
        password: Secret,
        binding: ClientBinding,
        nonce: String,
    ) -> (Self, String) {
        let (header, data) = match &binding {
            ClientBinding::Unsupported => ("n,,", &[][..]),
            ClientBinding::NotOffered => ("y,,", &[][..]),
            ClientBinding::Exporter(data) => ("p=tls-exporter,,", &data[..]),
        };
        let bare = format!("n={},r={nonce}", escape_name(name));
        let message = format!("{header}{bare}");
        let binding = encode_base64(&[header.as_bytes(), data].concat());
        (Self { password, nonce, bare, binding }, message)
    }

    /// Receives the first message of the server, and derives the keys unless `derived` has them.
    ///
    /// # Errors
    ///
    /// If the message is malformed, has another nonce, or asks for too few or too many iterations.
    pub fn prove(
        &self,
        message: &[u8],
        derived: &mut DerivedKeys,
    ) -> Result<ClientProof, ScramError> {
        let mut attributes = Attributes::parse(message)?;
        let nonce = check_nonce(attributes.expect('r')?)?;
        let salt = decode_base64(attributes.expect('s')?)?;
        let iterations = attributes.expect('i')?;
        attributes.ignore_extensions()?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Nonce);
        }
        if salt.is_empty() {
            return Err(ScramError::Malformed("an empty salt"));
        }
        let digits = !iterations.is_empty() && iterations.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err(ScramError::Malformed("the iterations are no number"));
        }
        let many = iterations.parse().unwrap_or(u64::MAX);
        let iterations = u32::try_from(many)
            .ok()
            .filter(|iterations| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(iterations));
        let iterations = iterations.ok_or(ScramError::Iterations(many))?;
        let text = std::str::from_utf8(message).map_err(|_| ScramError::Malformed("not UTF-8"))?;
        let keys = derived.get(&self.password, salt, iterations);
        let without_proof = format!("c={},r={nonce}", self.binding);
        let messages = [&self.bare, ",", text, ",", &without_proof].map(str::as_bytes);
        let signature = hmac(&hash(&*keys.client_key), &messages);
        let proof: Key = std::array::from_fn(|at| keys.client_key[at] ^ signature[at]);
        Ok(ClientProof {
            message: format!("{without_proof},p={}", encode_base64(&proof)),
            signature: hmac(&*keys.server_key, &messages),
        })
    }
}

impl ClientProof {
    /// Receives the last message of the server, which proves that it knows the keys of the user.
    ///
    /// # Errors
    ///
    /// If the server has refused the login, or its signature is wrong.
    pub fn verify(&self, message: &[u8]) -> Result<(), ScramError> {
        let mut attributes = Attributes::parse(message)?;
        let attribute = attributes.next().unwrap_or_default();
        if let Some(reason) = attribute.strip_prefix("e=") {
            return Err(ScramError::Refused(reason.to_owned()));
        }
        let signature = attribute.strip_prefix("v=");
        let signature = signature.ok_or(ScramError::Malformed("the signature is missing"))?;
        attributes.ignore_extensions()?;
        let is_right: bool = decode_base64(signature)?[..].ct_eq(&self.signature[..]).into();
        if is_right { Ok(()) } else { Err(ScramError::ServerSignature) }
    }
}

impl fmt::Debug for ClientProof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClientProof").finish_non_exhaustive()
    }
}

impl DerivedKeys {
    fn get(&mut self, password: &Secret, salt: Vec<u8>, iterations: u32) -> &Derived {
        let is_known = |derived: &Derived| derived.salt == salt && derived.iterations == iterations;
        let derived = self.0.take().filter(is_known).unwrap_or_else(|| {
            let salted = salted_password(password, &salt, iterations);
            let server_key = Zeroizing::new(server_key(&salted));
            Derived { client_key: client_key(&salted), server_key, salt, iterations }
        });
        self.0.insert(derived)
    }
}

impl fmt::Debug for DerivedKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DerivedKeys").finish_non_exhaustive()
    }
}
