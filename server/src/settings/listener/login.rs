//! The login parameters of a listener's URL.

#[cfg(feature = "login")]
use common::login::Mechanism;

#[cfg(feature = "login")]
use crate::{config::Login, settings::tls::TlsParameters};

/// The login parameters of a listener, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::settings) struct LoginParameters {
    is_required: bool,
    #[cfg(feature = "login")]
    mechanisms: Option<Vec<Mechanism>>,
}

impl LoginParameters {
    /// Returns whether a parameter of this name belongs to the login.
    pub(super) fn has(name: &str) -> bool {
        matches!(name, "login" | "mechanisms")
    }

    /// Returns whether clients have to log in.
    pub(in crate::settings) fn is_required(&self) -> bool {
        self.is_required
    }

    /// Sets a parameter.
    ///
    /// # Errors
    ///
    /// What was expected.
    #[cfg(feature = "login")]
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, value) {
            ("login", "required") => self.is_required = true,
            ("login", "off") => self.is_required = false,
            ("login", _) => return Err("expected required or off".to_owned()),
            _ => self.mechanisms = Some(mechanisms(value)?),
        }
        Ok(())
    }

    /// Sets a parameter.
    ///
    /// # Errors
    ///
    /// Always: this program has no login.
    #[cfg(not(feature = "login"))]
    pub(super) fn set(&mut self, _name: &str, _value: &str) -> Result<(), String> {
        Err("this program is built without login (cargo feature 'login')".to_owned())
    }

    /// Checks that clients of the listener can log in.
    ///
    /// # Errors
    ///
    /// Why they cannot.
    #[cfg(feature = "login")]
    pub(super) fn check(&self, tls: Option<&TlsParameters>, is_http: bool) -> Result<(), String> {
        let Some(mechanisms) = &self.mechanisms else { return Ok(()) };
        if !self.is_required {
            return Err("'mechanisms' needs login=required".to_owned());
        }
        let is_usable = |mechanism: &Mechanism| match mechanism {
            Mechanism::External => tls.is_some_and(TlsParameters::has_client_ca),
            Mechanism::Plain if is_http => true,
            _ => !is_http && (tls.is_some() || !mechanism.needs_tls()),
        };
        if mechanisms.iter().any(is_usable) {
            return Ok(());
        }
        let has_external = mechanisms.contains(&Mechanism::External);
        let why = match tls {
            None if is_http && has_external => "EXTERNAL needs TLS and client-ca=FILE",
            None if !is_http => "without TLS only SCRAM-SHA-256 can be used",
            Some(_) if has_external => "EXTERNAL needs client-ca=FILE, the CAs of the clients",
            _ => "over HTTP only PLAIN can be used, and EXTERNAL with TLS and client-ca=FILE",
        };
        Err(format!("'mechanisms': {why}"))
    }

    /// Returns the configuration, if clients have to log in.
    #[cfg(feature = "login")]
    pub(super) fn config(&self) -> Option<Login> {
        let mut login = Login::default();
        if let Some(mechanisms) = &self.mechanisms {
            login.mechanisms.clone_from(mechanisms);
        }
        self.is_required.then_some(login)
    }
}

/// Parses names of mechanisms.
#[cfg(feature = "login")]
fn mechanisms(value: &str) -> Result<Vec<Mechanism>, String> {
    let mut mechanisms = Vec::new();
    for name in value.split(',') {
        let mechanism = name.parse().map_err(|error| format!("{error}, joined by commas"))?;
        if mechanisms.contains(&mechanism) {
            return Err(format!("{mechanism} is listed twice"));
        }
        mechanisms.push(mechanism);
    }
    Ok(mechanisms)
}

#[cfg(all(test, feature = "http", feature = "login", feature = "tls"))]
mod tests {
    use super::super::ListenerUrl;

    #[test]
    fn mechanisms_are_refused_if_nobody_could_log_in_with_them() {
        let wrong = [
            ("tcp://h?login=required&mechanisms=PLAIN", "without TLS only SCRAM-SHA-256"),
            ("tcp://h?login=required&mechanisms=EXTERNAL,PLAIN", "without TLS only SCRAM-SHA-256"),
            ("tls://h?login=required&mechanisms=EXTERNAL", "EXTERNAL needs client-ca=FILE"),
            ("http://h?login=required&mechanisms=SCRAM-SHA-256", "over HTTP only PLAIN"),
            ("https://h?login=required&mechanisms=SCRAM-SHA-256-PLUS", "over HTTP only PLAIN"),
            (
                "http://h?login=required&mechanisms=EXTERNAL",
                "EXTERNAL needs TLS and client-ca=FILE",
            ),
            ("https://h?login=required&mechanisms=EXTERNAL", "EXTERNAL needs client-ca=FILE"),
            ("tls://h?login=required&mechanisms=PLAIN,plain", "PLAIN is listed twice"),
            ("tls://h?mechanisms=PLAIN", "'mechanisms' needs login=required"),
        ];
        for (typed, message) in wrong {
            let error = typed.parse::<ListenerUrl>().unwrap_err();
            assert!(error.contains(message), "{typed}: {error}");
        }
        for typed in [
            "tcp://h?login=required&mechanisms=SCRAM-SHA-256,PLAIN",
            "tls://h?login=required&mechanisms=PLAIN",
            "tls://h?login=required&mechanisms=EXTERNAL&client-ca=ca.pem",
            "http://h?login=required&mechanisms=PLAIN",
            "https://h?login=required&mechanisms=EXTERNAL&client-ca=ca.pem",
            "unix:s?tls=on&http=on&login=required&mechanisms=PLAIN",
        ] {
            assert!(typed.parse::<ListenerUrl>().is_ok(), "{typed}");
        }
    }
}
