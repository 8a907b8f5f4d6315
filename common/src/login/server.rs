//! SCRAM-SHA-256 as a server (RFC 5802, section 5; RFC 7677).

use std::fmt;

use subtle::ConstantTimeEq as _;

use super::{
    channel::EXPORTER_LENGTH,
    digest::{Key, hash, hmac},
    error::ScramError,
    keys::Keys,
    mechanism::Mechanism,
    message::{Attributes, check_nonce, decode_base64, encode_base64, unescape_name},
    prepare::prepare_name,
};

/// An exchange after the first message of the client.
pub struct ServerExchange {
    keys: Keys,
    name: String,
    /// `client-first-message-bare "," server-first-message`
    messages: String,
    nonce: String,
    /// The value that the client must send in its attribute `c`.
    binding: Vec<u8>,
}

/// The first message of a client.
struct ClientFirst<'a> {
    /// The header of GS2 as the client has sent it, with its last comma.
    header: &'a str,
    bare: &'a str,
    name: String,
    nonce: &'a str,
}

impl ServerExchange {
    /// Receives the first message of the client. Returns the exchange and the first message of the server.
    ///
    /// `mechanism` is the one that the client has named, `exporter` the channel binding of its TLS connection if the server
    /// offers `SCRAM-SHA-256-PLUS` there. `nonce` is [`random_nonce`](super::random_nonce). `keys` returns the keys of a
    /// name; for an unknown one, keys that do not change and that nobody has, so that the answer does not show it.
    ///
    /// # Errors
    ///
    /// If the message is malformed, or does not go with the mechanism and the channel.
    pub fn begin(
        mechanism: Mechanism,
        exporter: Option<&[u8; EXPORTER_LENGTH]>,
        message: &[u8],
        nonce: &str,
        keys: impl FnOnce(&str) -> Keys,
    ) -> Result<(Self, String), ScramError> {
        let first = ClientFirst::parse(message)?;
        let data = binding_data(mechanism, first.header, exporter)?;
        let keys = keys(&first.name);
        let nonce = format!("{}{nonce}", first.nonce);
        let salt = encode_base64(&keys.salt);
        let reply = format!("r={nonce},s={salt},i={}", keys.iterations);
        let exchange = Self {
            keys,
            name: first.name,
            messages: format!("{},{reply}", first.bare),
            nonce,
            binding: [first.header.as_bytes(), data].concat(),
        };
        Ok((exchange, reply))
    }

    /// Returns the prepared name that the client has sent. It is not verified.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Receives the last message of the client. Returns that of the server: the client is the user that it named.
    ///
    /// # Errors
    ///
    /// If the message is malformed, is not of this exchange, or its proof is wrong.
    pub fn finish(&self, message: &[u8]) -> Result<String, ScramError> {
        let malformed = |_| ScramError::Malformed("not UTF-8");
        let text = std::str::from_utf8(message).map_err(malformed)?;
        let (without_proof, _) =
            text.rsplit_once(",p=").ok_or(ScramError::Malformed("the proof is missing"))?;
        let mut attributes = Attributes::parse(message)?;
        let binding = decode_base64(attributes.expect('c')?)?;
        let nonce = attributes.expect('r')?;
        let proof = loop {
            let attribute =
                attributes.next().ok_or(ScramError::Malformed("the proof is missing"))?;
            if let Some(proof) = attribute.strip_prefix("p=") {
                break decode_base64(proof)?;
            }
        };
        if attributes.next().is_some() {
            return Err(ScramError::Malformed("an attribute after the proof"));
        }
        if binding != self.binding {
            return Err(ScramError::ChannelBinding("the client sees another channel"));
        }
        if nonce != self.nonce {
            return Err(ScramError::Nonce);
        }
        let proof: Key =
            proof.try_into().map_err(|_| ScramError::Malformed("the proof has a wrong length"))?;
        let messages = [self.messages.as_bytes(), b",", without_proof.as_bytes()];
        let signature = hmac(&self.keys.stored_key, &messages);
        let client_key: Key = std::array::from_fn(|at| proof[at] ^ signature[at]);
        if hash(&client_key).ct_eq(&self.keys.stored_key).into() {
            Ok(format!("v={}", encode_base64(&hmac(&self.keys.server_key, &messages))))
        } else {
            Err(ScramError::Proof)
        }
    }
}

impl fmt::Debug for ServerExchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServerExchange").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Returns the data of the channel binding that the header announces.
fn binding_data<'a>(
    mechanism: Mechanism,
    header: &str,
    exporter: Option<&'a [u8; EXPORTER_LENGTH]>,
) -> Result<&'a [u8], ScramError> {
    let flag = header.split(',').next().unwrap_or_default();
    match (mechanism, flag, exporter) {
        (Mechanism::ScramSha256Plus, "p=tls-exporter", Some(exporter)) => Ok(exporter),
        (Mechanism::ScramSha256Plus, flag, _) if flag.starts_with("p=") => {
            Err(ScramError::ChannelBinding("its type is not tls-exporter"))
        }
        (Mechanism::ScramSha256Plus, ..) => {
            Err(ScramError::ChannelBinding("SCRAM-SHA-256-PLUS without it"))
        }
        // The client could bind, and believes that the server cannot: somebody has removed the mechanism from the list.
        (_, "y", Some(_)) => Err(ScramError::ChannelBinding("the list of mechanisms was changed")),
        (_, "y" | "n", _) => Ok(&[]),
        _ => Err(ScramError::ChannelBinding("SCRAM-SHA-256 with it")),
    }
}

impl<'a> ClientFirst<'a> {
    fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        let malformed = |_| ScramError::Malformed("not UTF-8");
        let text = std::str::from_utf8(message).map_err(malformed)?;
        let commas: Vec<usize> = text.match_indices(',').map(|(at, _)| at).take(2).collect();
        let &[first, second] = &commas[..] else {
            return Err(ScramError::Malformed("the header is missing"));
        };
        let (header, bare) = text.split_at(second + 1);
        let flag = &text[..first];
        if !matches!(flag, "n" | "y") && flag.strip_prefix("p=").is_none_or(str::is_empty) {
            return Err(ScramError::Malformed("an invalid channel binding flag"));
        }
        let mut attributes = Attributes::parse(bare.as_bytes())?;
        let name = unescape_name(attributes.expect('n')?)?;
        let prohibited = |_| ScramError::Malformed("a prohibited name");
        let name = prepare_name(&name).map_err(prohibited)?;
        let nonce = check_nonce(attributes.expect('r')?)?;
        attributes.ignore_extensions()?;
        let identity = &text[first + 1..second];
        if !identity.is_empty() {
            let identity = identity.strip_prefix("a=");
            let identity = identity.ok_or(ScramError::Malformed("an invalid identity"))?;
            if unescape_name(identity)? != name {
                return Err(ScramError::OtherIdentity);
            }
        }
        Ok(Self { header, bare, name, nonce })
    }
}
