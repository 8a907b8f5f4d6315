//! Reasons for the failure of an exchange.

/// The reason for which an exchange of SCRAM or a message of PLAIN fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The message breaks the grammar of RFC 5802, section 7.
    #[error("the message is malformed: {0}")]
    Malformed(&'static str),
    /// The message requires an extension (attribute `m`).
    #[error("the message requires an unknown extension")]
    UnknownExtension,
    /// The client asks to act as another user.
    #[error("the client asks to act as another user")]
    OtherIdentity,
    /// The two ends do not see the same TLS connection, or the wrong mechanism was chosen for it.
    #[error("the channel binding does not match: {0}")]
    ChannelBinding(&'static str),
    /// The nonce is not the one of this exchange.
    #[error("the nonce is not the one of this exchange")]
    Nonce,
    /// The proof of the client does not match the stored key.
    #[error("the proof is wrong")]
    Proof,
    /// The server asks for a number of iterations that is not safe, or that takes too long to compute.
    #[error(
        "the server asks for {0} iterations, outside of {min} to {max}",
        min = super::keys::MIN_ITERATIONS,
        max = super::keys::MAX_ITERATIONS
    )]
    Iterations(u64),
    /// The server has refused the login in its last message (attribute `e`), with this text.
    #[error("the server refused the login: {0}")]
    Refused(String),
    /// The server does not prove that it knows the keys of the user.
    #[error("the server does not know the password: its signature is wrong")]
    ServerSignature,
}
