//! The login parameters of a listener's URL.

#[cfg(feature = "login")]
use crate::config::Login;

/// The login parameters of a listener, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::settings) struct LoginParameters {
    is_required: bool,
    #[cfg(feature = "login")]
    mechanisms: Option<Vec<common::login::Mechanism>>,
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
            _ => {
                let all: Result<Vec<common::login::Mechanism>, _> =
                    value.split(',').map(str::parse).collect();
                self.mechanisms = Some(all.map_err(|error| format!("{error}, joined by commas"))?);
            }
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
    pub(super) fn check(&self, is_tls: bool) -> Result<(), String> {
        if let Some(mechanisms) = &self.mechanisms {
            if !self.is_required {
                return Err("'mechanisms' needs login=required".to_owned());
            }
            if !is_tls && mechanisms.iter().all(|mechanism| mechanism.needs_tls()) {
                return Err("'mechanisms': without TLS only SCRAM-SHA-256 can be used".to_owned());
            }
        }
        Ok(())
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
