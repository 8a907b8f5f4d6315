//! The TLS configuration of a listener.

use std::{fmt, sync::Arc, time::SystemTime};

use rustls::{ServerConfig, ServerConnection};

/// TLS for the connections of a listener: a configuration of rustls that can serve.
///
/// Two are equal if they have the same `ServerConfig` object, or the same [identity](Self::with_identity). A reload
/// leaves a listener unchanged if its configuration is equal.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    origin: Arc<Origin>,
}

/// The sources of the configuration.
#[derive(Clone, Default)]
struct Origin {
    identity: Option<Vec<u8>>,
    expiry: Option<SystemTime>,
}

impl Tls {
    /// Takes the configuration: certificates, verification of clients, versions, application protocols, tickets.
    ///
    /// # Errors
    ///
    /// If rustls cannot serve with it.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        ServerConnection::new(Arc::clone(&config))?;
        // The first random bytes of a process can take tens of milliseconds, which the first client would wait.
        config.crypto_provider().secure_random.fill(&mut [0; 32])?;
        Ok(Self { config, origin: Arc::default() })
    }

    /// Returns the same configuration with an identity: bytes that are equal if and only if everything that the
    /// configuration was made from is equal.
    #[must_use]
    pub fn with_identity(mut self, identity: Vec<u8>) -> Self {
        Arc::make_mut(&mut self.origin).identity = Some(identity);
        self
    }

    /// Returns the same configuration with the time at which the first of its certificates expires, for the metrics.
    #[must_use]
    pub fn with_expiry(mut self, expiry: SystemTime) -> Self {
        Arc::make_mut(&mut self.origin).expiry = Some(expiry);
        self
    }

    /// Returns the time at which the first of its certificates expires, if [`with_expiry`](Self::with_expiry) has set it.
    #[must_use]
    pub fn expiry(&self) -> Option<SystemTime> {
        self.origin.expiry
    }

    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
            || (self.origin.identity.is_some() && self.origin.identity == other.origin.identity)
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
