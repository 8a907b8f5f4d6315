//! The effective settings: the value of each setting, and its source.

use std::fmt;
#[cfg(feature = "login")]
use std::sync::Arc;

use common::{endpoint::Endpoint, protocol::Protocol};

#[cfg(feature = "login")]
use super::users::load;
use super::{
    diagnostic::{Assignment, Diagnostic, Diagnostics, Origin, Value},
    listener_tls::load_listeners,
    schema::{SETTINGS, conflict},
    setting::{DefaultValue, Setting},
    values::Values,
};
#[cfg(feature = "tls")]
use super::{listener::ListenerUrl, tls::fingerprint, values::Switch};
#[cfg(feature = "tls")]
use crate::config::Tls;
#[cfg(feature = "login")]
use crate::config::Users;
use crate::{
    config::{Config, ListenerOptions},
    logging::Options,
};

/// The effective settings.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) effective: Vec<Effective>,
    pub(super) values: Values,
    pub(super) warnings: Vec<Diagnostic>,
    /// TLS of the listeners, in their order.
    #[cfg(feature = "tls")]
    tls: Vec<Option<Tls>>,
    #[cfg(feature = "login")]
    users: Option<Arc<Users>>,
}

/// The effective value of one setting.
#[derive(Clone)]
pub(super) struct Effective {
    pub(super) setting: &'static Setting,
    pub(super) values: Vec<Value>,
    /// The meaning of an empty list of values.
    pub(super) unset: String,
}

/// A setting that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The name of the setting, as in the file.
    pub name: &'static str,
    /// The previous value, for people.
    pub from: String,
    /// The present value, for people.
    pub to: String,
    /// The source of the present value.
    pub origin: Origin,
    /// A running program keeps the value from its start.
    pub needs_restart: bool,
}

impl fmt::Display for Change {
    /// Writes `idle-timeout: "off" -> "5m" (echo.toml:3)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {} ({})", self.name, self.from, self.to, self.origin)
    }
}

impl Settings {
    /// Applies assignments, of which there is at most one for each setting.
    ///
    /// # Errors
    ///
    /// If a value is invalid.
    pub(super) fn new(
        assignments: &[&Assignment],
        warnings: Vec<Diagnostic>,
    ) -> Result<Self, Diagnostics> {
        let effective: Vec<_> =
            SETTINGS.iter().map(|setting| Effective::new(setting, assignments)).collect();
        let mut values = Values::default();
        let mut errors = Vec::new();
        for Effective { setting, values: typed, .. } in &effective {
            for Value { text, origin } in typed {
                if let Err(message) = (setting.set)(&mut values, text) {
                    errors.push(Diagnostic { origin: origin.clone(), message });
                }
            }
        }
        if errors.is_empty() {
            Ok(Self {
                effective,
                values,
                warnings,
                #[cfg(feature = "tls")]
                tls: Vec::new(),
                #[cfg(feature = "login")]
                users: None,
            })
        } else {
            Err(Diagnostics(errors))
        }
    }

    /// Returns the configuration of the server and the options of the log.
    #[must_use]
    pub fn resolve(&self) -> (Config, Options) {
        self.resolve_with(&[])
    }

    /// Like [`resolve`](Self::resolve), with inherited sockets: each has a listener with the default options,
    /// unless `listen` has its endpoint. If no source sets an address, they are the only listeners.
    #[must_use]
    pub fn resolve_with(&self, inherited: &[Endpoint]) -> (Config, Options) {
        let has_address =
            ["host", "port"].iter().any(|name| self.origin(name, 0) != Origin::Default);
        let resolved = self.values.resolve(inherited, has_address);
        #[cfg(feature = "tls")]
        let resolved = {
            let (mut config, options) = resolved;
            for (listener, tls) in config.listeners.iter_mut().zip(&self.tls) {
                listener.options.tls.clone_from(tls);
            }
            (config, options)
        };
        #[cfg(feature = "login")]
        let resolved = {
            let (mut config, options) = resolved;
            config.users.clone_from(&self.users);
            (config, options)
        };
        #[cfg(feature = "admin")]
        let resolved = {
            let (mut config, options) = resolved;
            if let Some(admin) = &mut config.admin {
                admin.settings = Some(self.to_string().into());
            }
            (config, options)
        };
        resolved
    }

    /// Returns whether a listener has TLS, so that a reload reads its files again.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.values.listen.iter().any(|url| url.tls.is_some())
    }

    /// Returns the SHA-256 of the self-signed certificate in hexadecimal, if this is the TLS of a listener that serves it.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn self_signed_fingerprint(&self, tls: &Tls) -> Option<String> {
        let serves_it = |(url, own): (&ListenerUrl, &Option<Tls>)| {
            url.has_no_cert() && own.as_ref() == Some(tls)
        };
        let is_used = self.values.tls_self_signed == Switch::On
            && self.values.listen.iter().zip(&self.tls).any(serves_it);
        is_used.then(fingerprint).flatten()
    }

    /// Loads the files of TLS listeners.
    ///
    /// # Errors
    ///
    /// If one cannot be used, or a setting of TLS has no listener.
    pub(super) fn load_tls(&mut self) -> Result<(), Vec<Diagnostic>> {
        let loaded = load_listeners(&self.values, &|name, index| self.origin(name, index))?;
        self.warnings.extend(loaded.warnings);
        #[cfg(feature = "tls")]
        {
            self.tls = loaded.tls;
        }
        Ok(())
    }

    /// Returns whether there is a file of users, so that a reload reads it again.
    #[must_use]
    pub fn has_users(&self) -> bool {
        self.values.users.is_some()
    }

    /// Loads the file of users.
    ///
    /// # Errors
    ///
    /// If it cannot be used, or a listener requires a login and there is none.
    pub(super) fn load_users(&mut self) -> Result<(), Vec<Diagnostic>> {
        let requires = self.values.listen.iter().position(|url| url.login.is_required());
        for (index, url) in self.values.listen.iter().enumerate() {
            let protocol = self.values.protocol;
            let base = ListenerOptions { protocol, ..ListenerOptions::default() };
            let is_raw = url.listener(&base).options.protocol == Protocol::Raw;
            if url.login.is_required() && url.http.is_none() && is_raw {
                let message = "'login=required' needs the protocol text or length, or HTTP: raw has no place for a login";
                let origin = self.origin("listen", index);
                return Err(vec![Diagnostic { origin, message: message.to_owned() }]);
            }
        }
        let fail = |name: &str, index, message: String| {
            Err(vec![Diagnostic { origin: self.origin(name, index), message }])
        };
        match (&self.values.users, requires) {
            (None, Some(index)) => {
                let message = "'login=required' needs 'users', the file of those who may log in";
                fail("listen", index, message.to_owned())
            }
            (Some(_), None) => {
                fail("users", 0, "'users' is set, and no listener has login=required".to_owned())
            }
            (None, None) => Ok(()),
            #[cfg(not(feature = "login"))]
            (Some(_), Some(_)) => Ok(()),
            #[cfg(feature = "login")]
            (Some(path), Some(_)) => match load(path) {
                Ok(file) => {
                    self.users = Some(Arc::new(file.users()));
                    Ok(())
                }
                Err(error) => fail("users", 0, error.to_string()),
            },
        }
    }

    /// Returns whether a source sets where to listen; otherwise the server listens on the default address.
    #[must_use]
    pub fn sets_listeners(&self) -> bool {
        ["listen", "host", "port"].iter().any(|name| self.origin(name, 0) != Origin::Default)
    }

    /// Returns warnings about the sources and about settings without effect, for the log.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Returns the settings that differ in `later`, in the order of the help.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<Change> {
        let pairs = self.effective.iter().zip(&later.effective);
        let described = pairs.map(|(old, new)| (old.describe(), new.describe(), new.setting));
        let change = |(from, to, setting): (String, String, &Setting)| {
            let &Setting { name, needs_restart, .. } = setting;
            (from != to).then(|| Change {
                name,
                from,
                to,
                origin: later.origin(name, 0),
                needs_restart,
            })
        };
        described.filter_map(change).collect()
    }

    /// Returns the source of a value of a setting.
    pub(super) fn origin(&self, name: &str, index: usize) -> Origin {
        let effective = self.effective.iter().find(|effective| effective.setting.name == name);
        let value = effective.and_then(|effective| effective.values.get(index));
        value.map_or(Origin::Default, |value| value.origin.clone())
    }
}

impl Effective {
    fn new(setting: &'static Setting, assignments: &[&Assignment]) -> Self {
        let assigned = assignments.iter().find(|assignment| assignment.name == setting.name);
        let rival = || assignments.iter().find(|other| conflict(setting.name, other.name));
        let (mut values, mut unset) = (Vec::new(), String::new());
        match (assigned, setting.default) {
            (Some(assignment), _) => values.clone_from(&assignment.values),
            (None, DefaultValue::Unset(words)) => words.clone_into(&mut unset),
            (None, DefaultValue::Text(text)) => match rival() {
                Some(rival) => unset = format!("not used, since '{}' is set", rival.name),
                None => values.push(Value { text: text.into(), origin: Origin::Default }),
            },
        }
        Self { setting, values, unset }
    }

    fn describe(&self) -> String {
        let values = self.values.iter().map(|value| self.setting.show(&value.text));
        let values: Vec<_> = values.collect();
        if values.is_empty() { self.unset.clone() } else { values.join(", ") }
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.setting.name, self.describe())
    }
}
