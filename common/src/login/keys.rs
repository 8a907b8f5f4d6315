//! Keys that a server stores for a user instead of a password (RFC 5802, section 3; RFC 5803).

use std::fmt;

use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    digest::{Key, hash, hmac},
    prepare::Secret,
};

/// Minimum number of iterations (RFC 7677, section 4). A client refuses a server that asks for fewer.
pub const MIN_ITERATIONS: u32 = 4096;

/// Maximum number of iterations. The time of a login is in proportion to it, on a client with SCRAM, and on the server's only
/// thread for passwords with PLAIN. OWASP recommends 600,000.
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// Length of a salt, in bytes. Those of all users have it, as do those of names that no user has: another length would show
/// that a user exists.
pub const SALT_LENGTH: usize = 16;

/// Keys of a user for SCRAM-SHA-256. Nobody can log in with them: a client proves that it has the `ClientKey`, of which
/// this is a hash.
///
/// ```
/// use common::login::{Keys, prepare_password};
///
/// let password = prepare_password("pencil")?;
/// let keys = Keys::derive(&password, b"a salt of 16 byt", 4096);
/// assert!(keys.matches(&password));
/// assert!(!keys.matches(&prepare_password("pen")?));
/// # Ok::<(), common::login::PrepareError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Number of iterations of PBKDF2.
    pub iterations: u32,
    /// Salt of PBKDF2.
    pub salt: Vec<u8>,
    /// `H(ClientKey)`, which verifies a client.
    pub stored_key: Key,
    /// Key of the server's signature.
    pub server_key: Key,
}

impl Keys {
    /// Derives the keys from a password. It takes milliseconds of CPU time, in proportion to `iterations`.
    #[must_use]
    pub fn derive(password: &Secret, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: hash(&*client_key(&salted)),
            server_key: server_key(&salted),
        }
    }

    /// Returns the keys of a name that no user has: the same ones each time, with which nobody can log in.
    ///
    /// A server sends the salt and the iterations of a name to any client. If those of an unknown name were missing, or
    /// changed between two logins, they would show which names exist.
    #[must_use]
    pub fn of_nobody(secret: &[u8], name: &str, iterations: u32) -> Self {
        let value = |what: &[u8]| hmac(secret, &[what, b"\0", name.as_bytes()]);
        Self {
            iterations,
            salt: value(b"salt")[..SALT_LENGTH].to_vec(),
            stored_key: value(b"stored key"),
            server_key: value(b"server key"),
        }
    }

    /// Returns whether the password is that of the user, in a time that does not depend on the answer. It takes as long as
    /// [`derive`](Self::derive).
    #[must_use]
    pub fn matches(&self, password: &Secret) -> bool {
        let derived = Self::derive(password, &self.salt, self.iterations);
        derived.stored_key.ct_eq(&self.stored_key).into()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// Returns `SaltedPassword`.
pub(super) fn salted_password(password: &Secret, salt: &[u8], iterations: u32) -> Zeroizing<Key> {
    let mut salted = Zeroizing::new(Key::default());
    pbkdf2::pbkdf2_hmac::<Sha256>(password.expose().as_bytes(), salt, iterations, &mut *salted);
    salted
}

/// Returns `ClientKey`, with which a client proves that it knows the password.
pub(super) fn client_key(salted_password: &Key) -> Zeroizing<Key> {
    Zeroizing::new(hmac(salted_password, &[b"Client Key"]))
}

/// Returns `ServerKey`, with which a server proves that it knows the keys of the user.
pub(super) fn server_key(salted_password: &Key) -> Key {
    hmac(salted_password, &[b"Server Key"])
}
