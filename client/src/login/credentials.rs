//! Credentials of a login: from files, the environment, or the terminal.

use std::{
    env,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::{
    cli::ask_password,
    login::{Mechanism, prepare_name, prepare_password},
    reason::reason,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    error::{Source, Unusable},
    options::{Options, PASSWORD_VARIABLE},
    secret::SecretText,
};

/// Maximum length of the first line of a file. A password has at most 1024 bytes; a token may be longer.
const MAX_LINE: usize = 4096;

/// Bits of a mode that a file with a secret must not have: its group may read it, as on the server.
const OPEN_TO_OTHERS: u32 = 0o027;

/// What a client shows to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Credentials {
    /// A password.
    Password {
        /// Prepared name of the user.
        user: String,
        /// The password.
        password: SecretText,
        /// The only mechanism to use.
        #[serde(with = "mechanism_name")]
        mechanism: Option<Mechanism>,
    },
    /// The certificate of the TLS connection.
    Certificate {
        /// Prepared name that the certificate has to have.
        user: Option<String>,
    },
    /// A token.
    Token(SecretText),
}

impl Credentials {
    /// Reads the password or the token of a user. Without a file and without a variable, it asks for the password for this
    /// server on the terminal.
    ///
    /// # Errors
    ///
    /// A file cannot be used, there is no terminal, or the password has a prohibited character.
    pub(crate) fn read(options: &Options, server: &str) -> Result<Self, Unusable> {
        Ok(match options {
            Options::Password { user, file, mechanism } => {
                let (password, source) = read_password(user, file.as_deref(), server)?;
                prepare_password(&password)
                    .map_err(|error| Unusable::Password(source, error.to_string()))?;
                let password = String::clone(&password).into();
                Self::Password { user: user.clone(), password, mechanism: *mechanism }
            }
            Options::Certificate { user } => Self::Certificate { user: user.clone() },
            Options::Token(file) => {
                let token = read_first_line(file)?;
                if !is_token(&token) {
                    let reason = "its first line is not a token: letters, digits and -._~+/, then = (RFC 6750)";
                    return Err(unusable(file, reason));
                }
                Self::Token(String::clone(&token).into())
            }
        })
    }

    /// Returns the value of the header field `Authorization` of an HTTP request.
    pub(crate) fn authorization(&self) -> SecretText {
        match self {
            Self::Password { user, password, .. } => {
                let both = Zeroizing::new(format!("{user}:{}", password.expose()));
                format!("Basic {}", BASE64_STANDARD.encode(both.as_bytes())).into()
            }
            Self::Token(token) => format!("Bearer {}", token.expose()).into(),
            // HTTP has no scheme for the certificate of TLS, which speaks for itself.
            Self::Certificate { .. } => String::new().into(),
        }
    }
}

/// Prepares the name of a user that was typed.
///
/// # Errors
///
/// It is empty, too long, or has a prohibited character.
pub(crate) fn name(typed: &str) -> Result<String, String> {
    prepare_name(typed).map_err(|error| error.to_string())
}

fn read_password(
    user: &str,
    file: Option<&Path>,
    server: &str,
) -> Result<(Zeroizing<String>, Source), Unusable> {
    if let Some(file) = file {
        return Ok((read_first_line(file)?, Source::File(file.into())));
    }
    if let Some(password) = env::var_os(PASSWORD_VARIABLE) {
        let source = Source::Variable;
        return match password.into_string() {
            Ok(password) => Ok((Zeroizing::new(password), source)),
            Err(_) => Err(Unusable::Password(source, "it is not UTF-8".to_owned())),
        };
    }
    let password = ask_password(&format!("Password of {user} for {server}: "));
    password.map(|it| (Zeroizing::new(it), Source::Terminal)).map_err(Unusable::Terminal)
}

/// Returns the first line of a file that only its owner and its group can read. A pipe has no other readers.
fn read_first_line(path: &Path) -> Result<Zeroizing<String>, Unusable> {
    let failed = |error: io::Error| unusable(path, reason(&error));
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & OPEN_TO_OTHERS != 0 {
        let reason = format!("it is open to others (mode {mode:o}): chmod 600 {}", path.display());
        return Err(unusable(path, reason));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    file.take(MAX_LINE as u64).read_to_end(&mut bytes).map_err(failed)?;
    let is_cut = bytes.len() == MAX_LINE && !bytes.contains(&b'\n');
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        _ if is_cut => Err(unusable(path, "its first line is too long")),
        Ok("") => Err(unusable(path, "its first line is empty")),
        Ok(line) => Ok(Zeroizing::new(line.to_owned())),
        Err(_) => Err(unusable(path, "its first line is not UTF-8")),
    }
}

fn unusable(file: &Path, reason: impl Into<String>) -> Unusable {
    Unusable::File { file: file.into(), reason: reason.into() }
}

/// Returns whether a text is a token of the scheme Bearer (RFC 6750, section 2.1).
fn is_token(text: &str) -> bool {
    let token = text.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !token.is_empty() && token.bytes().all(is_allowed)
}

/// A mechanism in JSON, by its name.
mod mechanism_name {
    use common::login::Mechanism;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        mechanism: &Option<Mechanism>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        mechanism.map(Mechanism::name).serialize(serializer)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        deserializer: D,
    ) -> Result<Option<Mechanism>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        name.map(|name| name.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    /// Returns the path of a new file.
    fn file(directory: &Path, mode: u32, content: &[u8]) -> PathBuf {
        let path = directory.join(directory.read_dir().unwrap().count().to_string());
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn password(file: PathBuf) -> Result<Credentials, String> {
        let (user, file) = ("alice".to_owned(), Some(file));
        let options = Options::Password { user, file, mechanism: Some(Mechanism::ScramSha256) };
        Credentials::read(&options, "a server").map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_is_the_first_line_of_a_file_that_others_cannot_read() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, content) in [(0o600, "pencil\nmore\n"), (0o440, "pencil"), (0o600, "pencil\r\n")]
        {
            let read = password(file(directory.path(), mode, content.as_bytes())).unwrap();
            let Credentials::Password { password, .. } = &read else { panic!("{read:?}") };
            assert_eq!(password.expose(), "pencil");
            assert!(!format!("{read:?}").contains("pencil"), "{read:?}");
            let line = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<Credentials>(&line).unwrap(), read);
        }
        for (mode, content, text) in [
            (0o620, &b"pencil"[..], "it is open to others (mode 620): chmod 600 "),
            (0o604, b"pencil", "it is open to others (mode 604): chmod 600 "),
            (0o600, b"", "its first line is empty"),
            (0o600, b"\npencil", "its first line is empty"),
            (0o600, b"\xff", "its first line is not UTF-8"),
            (0o600, b"pen\tcil", "a character that SASLprep (RFC 4013) prohibits"),
            (0o600, &[b'x'; 5000], "its first line is too long"),
        ] {
            let error = password(file(directory.path(), mode, content)).unwrap_err();
            assert!(error.contains(text), "{error}");
            assert!(!error.contains("pencil"), "{error}");
        }
        let absent = password(directory.path().join("absent")).unwrap_err();
        assert!(absent.ends_with("no such file or directory"), "{absent}");
    }

    #[test]
    fn a_token_cannot_add_a_header_field() {
        let directory = tempfile::tempdir().unwrap();
        let token = |content: &[u8]| {
            let file = file(directory.path(), 0o600, content);
            let read = Credentials::read(&Options::Token(file), "a server");
            read.map_err(|error| error.to_string())
        };
        let read = token(b"aB-._~+/9==\n").unwrap();
        assert_eq!(read.authorization().expose(), "Bearer aB-._~+/9==");
        for invalid in [&b"a b"[..], b"a\rX: y", b"=", b"a\tb", b"a=b"] {
            assert!(token(invalid).unwrap_err().contains("is not a token"), "{invalid:?}");
        }
    }

    #[test]
    fn basic_has_the_name_and_the_password() {
        // The example of RFC 7617, section 2.
        let credentials = Credentials::Password {
            user: "Aladdin".to_owned(),
            password: "open sesame".to_owned().into(),
            mechanism: None,
        };
        assert_eq!(credentials.authorization().expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
