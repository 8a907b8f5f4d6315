//! The credential in a request.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::login::{Secret, prepare_name, prepare_password};
use zeroize::Zeroizing;

use crate::http::head::Head;

/// Name of the cookie.
pub(super) const COOKIE: &str = "echo-login";

/// The credential in a request.
pub(super) enum Credential {
    Basic {
        name: String,
        password: Secret,
    },
    Token(String),
    Cookie(String),
    Certificate(String),
    /// An `Authorization` that is malformed, or of another scheme.
    Malformed,
}

/// Parses the value of `Authorization`.
pub(super) fn parse(header: &[u8]) -> Credential {
    let Some((scheme, rest)) =
        std::str::from_utf8(header).ok().and_then(|text| text.split_once(' '))
    else {
        return Credential::Malformed;
    };
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Credential::Token(rest.to_owned());
    }
    let is_basic = scheme.eq_ignore_ascii_case("Basic");
    let decoded = BASE64_STANDARD.decode(rest).ok().filter(|_| is_basic).map(Zeroizing::new);
    let text = decoded.as_deref().and_then(|decoded| std::str::from_utf8(decoded).ok());
    let credential = text.and_then(|text| text.split_once(':')).and_then(|(name, password)| {
        let (name, password) = (prepare_name(name).ok()?, prepare_password(password).ok()?);
        Some(Credential::Basic { name, password })
    });
    credential.unwrap_or(Credential::Malformed)
}

/// Returns the value of the cookie.
pub(super) fn cookie(head: &Head<'_>) -> Option<String> {
    let text = head.values("cookie").filter_map(|value| std::str::from_utf8(value).ok());
    let mut pairs = text.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    })
}
