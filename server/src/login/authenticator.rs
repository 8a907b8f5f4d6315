//! The authenticator of a server: whether somebody is a user.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use common::login::{Keys, Secret};

use super::{
    account::{Account, Accounts, LoginError},
    source::Source,
    throttle::Throttle,
    verifier::{Verification, Verifier},
};
#[cfg(feature = "http")]
use crate::config::CookieError;
use crate::config::{Config, Users};

/// The users of the running server, and their logins.
#[derive(Debug, Default)]
pub(crate) struct Authenticator {
    /// `None`: nobody can log in.
    users: RwLock<Option<Arc<Users>>>,
    max_sessions: AtomicUsize,
    closes_removed: AtomicBool,
    /// Number of times that the users were set.
    generation: AtomicUsize,
    accounts: Accounts,
    throttle: Mutex<Throttle>,
    verifier: Verifier,
}

impl Authenticator {
    /// Sets the users and their limits. Returns whether sessions of removed users must close.
    pub(crate) fn set(&self, config: &Config) -> bool {
        let users = config.users.clone();
        let max = config.max_connections_per_user.unwrap_or(usize::MAX);
        self.max_sessions.store(max, SeqCst);
        self.closes_removed.store(config.closes_removed_users, SeqCst);
        let mut current = self.users.write().unwrap_or_else(PoisonError::into_inner);
        if *current != users {
            self.generation.fetch_add(1, SeqCst);
            current.clone_from(&users);
        }
        drop(current);
        let exists = |name: &str| users.as_ref().is_some_and(|users| users.has(name));
        self.accounts.mark_removed(exists) && config.closes_removed_users
    }

    /// Returns the keys of a user, or of a name that no user has.
    pub(crate) fn keys(&self, name: &str) -> Keys {
        let nobody = || Keys::of_nobody(&[], name, crate::config::limits::ITERATIONS);
        self.users().map_or_else(nobody, |users| users.keys(name))
    }

    /// Returns whether a user has a password that has not expired. The keys of an expired one are those of the user, so that a
    /// client cannot tell.
    pub(crate) fn has_password(&self, name: &str) -> bool {
        self.users().is_some_and(|users| users.has_password(name))
    }

    /// Begins to verify the password of a user. `None`: too many others are being verified.
    pub(crate) fn verify(&self, name: &str, password: Secret) -> Option<Verification> {
        self.verifier.begin(self.keys(name), password)
    }

    /// Returns the user of a token.
    #[cfg(feature = "http")]
    pub(crate) fn token_user(&self, token: &str) -> Option<String> {
        self.users()?.token_user(token).map(str::to_owned)
    }

    /// Returns a new cookie of a user.
    #[cfg(feature = "http")]
    pub(crate) fn new_cookie(&self, name: &str) -> Option<String> {
        self.users()?.new_cookie(name)
    }

    /// Returns the user of a cookie.
    ///
    /// # Errors
    ///
    /// If it is not valid.
    #[cfg(feature = "http")]
    pub(crate) fn cookie_user(&self, cookie: &str) -> Result<String, CookieError> {
        self.users().ok_or(CookieError::Wrong)?.cookie_user(cookie)
    }

    /// Returns a number that changes with the users: what was found before may no longer be true.
    #[cfg(feature = "http")]
    pub(crate) fn generation(&self) -> usize {
        self.generation.load(SeqCst)
    }

    /// Returns whether the certificate of a user logs the user in.
    pub(crate) fn has_certificate(&self, name: &str) -> bool {
        self.users().is_some_and(|users| users.has_certificate(name))
    }

    /// Opens a session of a user who has logged in.
    pub(crate) fn open_session(&self, name: &str) -> Result<Account, LoginError> {
        let exists = || self.users().is_some_and(|users| users.has(name));
        self.accounts.open(name, self.max_sessions.load(SeqCst), exists)
    }

    /// Returns whether a login must be refused without a look at it, after many that failed.
    pub(crate) fn is_refused(&self, source: Source, name: &str, now: Instant) -> bool {
        self.throttle().is_refused(source, name, now)
    }

    /// Counts a failed login. Returns the time by which its answer is delayed.
    pub(crate) fn count_failure(
        &self,
        source: Source,
        name: Option<&str>,
        now: Instant,
    ) -> Duration {
        self.throttle().count(source, name, now)
    }

    /// Returns whether sessions of removed users close.
    pub(crate) fn closes_removed(&self) -> bool {
        self.closes_removed.load(SeqCst)
    }

    fn users(&self) -> Option<Arc<Users>> {
        self.users.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;
    use crate::config::{Credential, User};

    #[test]
    fn a_reload_that_changes_no_user_asks_nobody_to_log_in_again() {
        let authenticator = Authenticator::default();
        let set = |names: &[&str]| {
            let users = names.iter().map(|name| User::new(name, Credential::Certificate));
            let users = Some(Arc::new(Users::new([1; 32], users)));
            authenticator.set(&Config { users, ..Config::default() });
            authenticator.generation()
        };
        let first = set(&["alice"]);
        assert_eq!(set(&["alice"]), first);
        assert_ne!(set(&["alice", "bob"]), first);
    }
}
