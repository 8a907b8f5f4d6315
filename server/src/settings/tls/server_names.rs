//! The choice of a certificate by the name of the server that the client asks for (SNI).

use std::sync::Arc;

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::certificate::Certificate;

/// The certificates of a listener; at least one. The first is for clients whose name is in none of them.
#[derive(Debug)]
pub(super) struct ServerNames(pub(super) Vec<Certificate>);

impl ResolvesServerCert for ServerNames {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let fits = |certificate: &&Certificate| {
            let key = &certificate.key.key;
            key.choose_scheme(hello.signature_schemes()).is_some()
        };
        let named = |matches: fn(&str, &str) -> bool| {
            let name = name.as_deref()?;
            let has_name =
                |certificate: &&Certificate| certificate.names.iter().any(|own| matches(own, name));
            self.0.iter().filter(fits).find(has_name)
        };
        let certificate = named(|own, name| own == name)
            .or_else(|| named(is_wildcard_of))
            .or_else(|| self.0.iter().find(fits))
            .or(self.0.first())?;
        Some(Arc::clone(&certificate.key))
    }
}

/// Returns whether `own` is a wildcard for `name`: it stands for one label.
fn is_wildcard_of(own: &str, name: &str) -> bool {
    let parent = |name: &str| name.split_once('.').map(|(_, parent)| parent.to_owned());
    own.strip_prefix("*.").is_some_and(|own| parent(name).is_some_and(|parent| parent == own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(is_wildcard_of("*.example.com", "a.example.com"));
        assert!(!is_wildcard_of("*.example.com", "a.b.example.com"));
        assert!(!is_wildcard_of("*.example.com", "example.com"));
        assert!(!is_wildcard_of("a.example.com", "a.example.com"));
    }
}
