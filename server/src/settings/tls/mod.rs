//! TLS of listeners: from the parameters of their URLs, and the files that these name, to a configuration of rustls.
//!
//! Owns the parameters, the certificates, keys, CAs and revocation lists, the choice of a certificate by the server name,
//! the self-signed certificate, and the file with session secrets. Must not know connections.
//!
//! Read `parameters.rs` first, then `load.rs`.

#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod digest;
#[cfg(feature = "tls")]
mod file;
#[cfg(feature = "tls")]
mod key_log;
#[cfg(feature = "tls")]
mod load;
mod parameters;
#[cfg(feature = "tls")]
mod self_signed;
#[cfg(feature = "tls")]
mod server_names;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;

pub(super) use self::parameters::TlsParameters;
#[cfg(feature = "tls")]
pub(super) use self::{
    certificate::Certificate,
    key_log::KeyLog,
    load::{DefaultCertificate, load},
    self_signed::fingerprint,
};
