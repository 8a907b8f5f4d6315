//! The users who may log in.

#[cfg(feature = "http")]
use std::time::Duration;
use std::{collections::HashMap, fmt, time::SystemTime};

#[cfg(feature = "http")]
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use common::login::{Key, Keys, hmac};
#[cfg(feature = "http")]
use common::login::{hash, is_equal};

use super::limits;

/// The users of a server, and a secret that is theirs.
///
/// ```
/// use common::login::{Keys, prepare_password};
/// use server::{Credential, User, Users};
///
/// let keys = Keys::derive(&prepare_password("pencil")?, b"a salt of 16 byt", 4096);
/// let users = [User::new("alice", Credential::Password(keys))];
/// let users = Users::new([7; 32], users);
/// assert!(users.has("alice"));
/// # Ok::<(), common::login::PrepareError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Users {
    /// It decides what the server tells of names that no user has, and signs cookies.
    secret: Key,
    all: Vec<User>,
    /// Places in `all`, by name.
    by_name: HashMap<String, Vec<usize>>,
    /// Places in `all` of tokens, by the hash of the token.
    by_token: HashMap<Key, usize>,
    /// The different numbers of iterations of all passwords.
    iterations: Vec<u32>,
}

/// Reason for which a cookie is refused.
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieError {
    /// Its time is over.
    Expired,
    /// It is malformed, or its signature is not that of a user.
    Wrong,
}

/// One way in which a user logs in. A user may have several, each with an end of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The name, prepared by `SASLprep`.
    pub name: String,
    /// What the user shows.
    pub credential: Credential,
    /// The time from which the credential is refused. Default: never.
    pub expires: Option<SystemTime>,
}

/// What a user shows to log in.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A password, of which the server has keys that log nobody in.
    Password(Keys),
    /// A token, of which the server has the SHA-256 hash. Tokens are random, so they need no salt.
    Token(Key),
    /// A certificate of a client of TLS, with the user as its common name.
    Certificate,
}

impl User {
    /// Creates a user whose credential does not expire.
    #[must_use]
    pub fn new(name: &str, credential: Credential) -> Self {
        Self { name: name.to_owned(), credential, expires: None }
    }

    fn is_valid(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl Users {
    /// Creates the users. `secret` has to stay the same across restarts, and to be unknown to clients.
    #[must_use]
    pub fn new(secret: Key, users: impl IntoIterator<Item = User>) -> Self {
        let all: Vec<User> = users.into_iter().collect();
        let mut by_name = HashMap::<String, Vec<usize>>::new();
        let mut by_token = HashMap::new();
        for (at, user) in all.iter().enumerate() {
            by_name.entry(user.name.clone()).or_default().push(at);
            if let Credential::Token(hash) = user.credential {
                by_token.insert(hash, at);
            }
        }
        let iterations = all.iter().filter_map(|user| match &user.credential {
            Credential::Password(keys) => Some(keys.iterations),
            _ => None,
        });
        let mut iterations: Vec<u32> = iterations.collect();
        iterations.sort_unstable();
        iterations.dedup();
        Self { secret, all, by_name, by_token, iterations }
    }

    /// Returns whether a user has this name and a credential that has not expired.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.valid(name).next().is_some()
    }

    /// Returns the keys of a user; for a name that no user has, keys with which nobody can log in. A client cannot tell them
    /// apart: neither by what it gets, nor by the time.
    pub(crate) fn keys(&self, name: &str) -> Keys {
        let nobody = Keys::of_nobody(&self.secret, name, self.plausible_iterations(name));
        let known = self.of(name).find_map(|user| match &user.credential {
            Credential::Password(keys) => Some(keys),
            _ => None,
        });
        known.unwrap_or(&nobody).clone()
    }

    /// Returns whether a user has a password that has not expired.
    pub(crate) fn has_password(&self, name: &str) -> bool {
        self.valid(name).any(|user| matches!(user.credential, Credential::Password(_)))
    }

    /// Returns the name of the user of a token.
    #[cfg(feature = "http")]
    pub(crate) fn token_user(&self, token: &str) -> Option<&str> {
        let user = &self.all[*self.by_token.get(&hash(token.as_bytes()))?];
        user.is_valid(today()).then_some(&user.name)
    }

    /// Returns a new cookie of a user: the name, the time until which it is valid, and a signature. A change of the password
    /// makes it invalid. `None`: there is no such user.
    #[cfg(feature = "http")]
    pub(crate) fn new_cookie(&self, name: &str) -> Option<String> {
        let until = today() + limits::LOGIN_COOKIE;
        let until = until.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let signature = self.sign_cookie(name, until);
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Some(format!("{}.{until}.{}", encode(name.as_bytes()), encode(&signature)))
    }

    /// Returns the user of a cookie.
    ///
    /// # Errors
    ///
    /// If it is not valid.
    #[cfg(feature = "http")]
    pub(crate) fn cookie_user(&self, cookie: &str) -> Result<String, CookieError> {
        let (name, until, signature) = parse_cookie(cookie).ok_or(CookieError::Wrong)?;
        // Also for a name that no user has, which then takes the same time.
        let is_signed = is_equal(&self.sign_cookie(&name, until), &signature);
        if !is_signed || !self.has(&name) {
            return Err(CookieError::Wrong);
        }
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until));
        if end.is_some_and(|end| today() < end) { Ok(name) } else { Err(CookieError::Expired) }
    }

    /// Signs a cookie. Every line of the user counts: after a change of one of them, the signature is another.
    #[cfg(feature = "http")]
    fn sign_cookie(&self, name: &str, until: u64) -> Key {
        let mut lines = Vec::new();
        for user in self.valid(name) {
            lines.extend_from_slice(match &user.credential {
                Credential::Password(keys) => &keys.stored_key,
                Credential::Token(hash) => hash,
                Credential::Certificate => b"certificate",
            });
        }
        let parts = [b"cookie\0", &until.to_be_bytes()[..], &hash(&lines), name.as_bytes()];
        hmac(&self.secret, &parts)
    }

    /// Returns whether the certificate of a user logs the user in.
    pub(crate) fn has_certificate(&self, name: &str) -> bool {
        self.valid(name).any(|user| user.credential == Credential::Certificate)
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &User> {
        let places = self.by_name.get(name).into_iter().flatten();
        places.map(|&at| &self.all[at])
    }

    fn valid(&self, name: &str) -> impl Iterator<Item = &User> {
        let now = today();
        self.of(name).filter(move |user| user.is_valid(now))
    }

    /// Returns iterations that a user with this name could have: of the numbers that users have, the one that a hash of both
    /// prefers. So a name keeps its number when another number comes or goes, except if it is that one.
    fn plausible_iterations(&self, name: &str) -> u32 {
        let preference = |iterations: &u32| {
            hmac(&self.secret, &[b"iterations\0", &iterations.to_be_bytes(), name.as_bytes()])
        };
        self.iterations.iter().copied().max_by_key(preference).unwrap_or(limits::ITERATIONS)
    }
}

/// Returns the name, the end and the signature in a cookie, as [`Users::new_cookie`] writes it.
#[cfg(feature = "http")]
fn parse_cookie(cookie: &str) -> Option<(String, u64, Vec<u8>)> {
    let mut parts = cookie.split('.');
    let (name, end, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let until: u64 = end.parse().ok()?;
    let is_whole = parts.next().is_none() && until.to_string() == end;
    let name = String::from_utf8(decode(name)?).ok()?;
    is_whole.then_some((name, until, decode(signature)?))
}

#[expect(clippy::disallowed_methods, reason = "the end of a credential is a date")]
fn today() -> SystemTime {
    SystemTime::now()
}

impl fmt::Debug for Users {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Users").field("count", &self.all.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::Token(_) => "Token(..)",
            Self::Certificate => "Certificate",
        })
    }
}
