//! Client of one server: what the logins of all connections share.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use common::login::{DerivedKeys, Secret, prepare_password};

use super::{
    credentials::Credentials,
    error::{Source, Unusable},
};

/// Client that logs in to one server.
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>);

struct Shared {
    credentials: Credentials,
    /// Prepared password.
    password: Option<Secret>,
    /// Keys of the last login: deriving them takes milliseconds.
    keys: Mutex<DerivedKeys>,
}

impl Client {
    /// Prepares the credentials.
    ///
    /// # Errors
    ///
    /// The password has a prohibited character.
    pub(crate) fn new(credentials: Credentials) -> Result<Self, Unusable> {
        let password = match &credentials {
            Credentials::Password { password, .. } => Some(
                prepare_password(password.expose())
                    .map_err(|error| Unusable::Password(Source::Given, error.to_string()))?,
            ),
            Credentials::Certificate { .. } | Credentials::Token(_) => None,
        };
        let keys = Mutex::default();
        Ok(Self(Arc::new(Shared { credentials, password, keys })))
    }

    /// Returns the credentials that it was made from.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// Returns the prepared password, if the login is with one.
    pub(super) fn password(&self) -> Option<&Secret> {
        self.0.password.as_ref()
    }

    /// Returns the keys of the last login.
    pub(super) fn keys(&self) -> MutexGuard<'_, DerivedKeys> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Client {
    /// Two are equal if they are the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.credentials).finish()
    }
}
