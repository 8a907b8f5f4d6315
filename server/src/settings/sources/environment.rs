//! Settings from environment variables: `ECHO_SERVER_` and the name of the setting in capitals, as in
//! `ECHO_SERVER_IDLE_TIMEOUT`.
//!
//! Kubernetes and Docker links set variables with the same prefix for a service named echo-server: its address
//! in `ECHO_SERVER_PORT`, and names like `ECHO_SERVER_PORT_7_TCP`. So an unknown variable is not an error, and
//! a variable that a link has set is ignored.

use std::ffi::{OsStr, OsString};

use common::escape::Quoted;

use super::flags::{CONFIG, suggest};
use crate::settings::{
    diagnostic::{Assignment, Diagnostic, Origin, Value},
    schema::{SETTINGS, find},
    setting::Form,
};

/// The prefix of every variable of the server.
const PREFIX: &str = "ECHO_SERVER_";

/// Returns the variable of a setting.
pub(in crate::settings) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// The variables with the prefix of the server. A variable without a value counts as missing.
#[derive(Clone, Debug)]
pub(super) struct Environment(Vec<(String, OsString)>);

/// The content of the environment.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) assignments: Vec<Assignment>,
    pub(super) errors: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl Environment {
    pub(super) fn new(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let own = variables.filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !value.is_empty()).then_some((name, value))
        });
        let mut own: Vec<_> = own.collect();
        own.sort();
        Self(own)
    }

    pub(super) fn get(&self, variable: &str) -> Option<&OsStr> {
        self.0.iter().find(|(name, _)| name == variable).map(|(_, value)| value.as_ref())
    }

    pub(super) fn read(&self) -> Contents {
        let mut contents = Contents::default();
        for setting in &SETTINGS {
            let variable = variable(setting.name);
            let Some(value) = self.get(&variable) else { continue };
            let origin = Origin::Variable(variable);
            match self.service_link(&origin, value) {
                Some(ServiceLink::Certain(message)) => {
                    contents.warnings.push(Diagnostic { origin, message });
                }
                Some(ServiceLink::Likely(message)) => {
                    contents.errors.push(Diagnostic { origin, message });
                }
                None => {
                    let is_list = matches!(setting.form, Form::List);
                    let texts = if is_list { split(value) } else { vec![value.to_owned()] };
                    let value = |text| Value { text, origin: origin.clone() };
                    let values: Vec<_> = texts.into_iter().map(value).collect();
                    if !values.is_empty() {
                        contents.assignments.push(Assignment { name: setting.name, values });
                    }
                }
            }
        }
        contents.warnings.extend(self.0.iter().filter_map(|(name, _)| misspelled(name)));
        contents
    }

    /// Returns a message if a variable that should be a port is an address, as service links set it. They also
    /// set another variable to the same value, which makes it certain.
    fn service_link(&self, origin: &Origin, value: &OsStr) -> Option<ServiceLink> {
        let Origin::Variable(variable) = origin else { return None };
        let address = value.to_str().filter(|_| *variable == self::variable("port"))?;
        let (protocol, _) = address.split_once("://")?;
        let (prefix, suffix) =
            (format!("{variable}_"), format!("_{}", protocol.to_ascii_uppercase()));
        let has_twin = self.0.iter().any(|(name, other)| {
            name.starts_with(&prefix) && name.ends_with(&suffix) && other == value
        });
        let shown = Quoted(address.as_bytes());
        Some(if has_twin {
            ServiceLink::Certain(format!(
                "{shown} was set by Kubernetes or a Docker link for a service named echo-server, and is \
                 ignored; to remove it, set 'enableServiceLinks: false' in the pod, or rename the service"
            ))
        } else {
            ServiceLink::Likely(format!(
                "expected a port, from 0 to 65535, not the address {shown}; {} takes addresses. If you did \
                 not set it, Kubernetes or a Docker link did for a service named echo-server: set \
                 'enableServiceLinks: false' in the pod, or rename the service",
                self::variable("listen")
            ))
        })
    }
}

/// A variable that a service link has set.
enum ServiceLink {
    Certain(String),
    Likely(String),
}

/// Splits a list at white space, which no URL contains.
fn split(value: &OsStr) -> Vec<OsString> {
    match value.to_str() {
        Some(text) => text.split_whitespace().map(OsString::from).collect(),
        None => vec![value.to_owned()],
    }
}

/// Returns a warning for an unknown variable that resembles a setting and that no service link sets.
fn misspelled(variable: &str) -> Option<Diagnostic> {
    let rest = variable.strip_prefix(PREFIX)?;
    let name = rest.to_ascii_lowercase().replace('_', "-");
    let is_link = ["PORT_", "SERVICE_", "ENV_"].iter().any(|prefix| rest.starts_with(prefix));
    if is_link || rest == "NAME" || name == CONFIG || find(&name).is_some() {
        return None;
    }
    let suggested = self::variable(&suggest(&name)?);
    let message = format!("unknown variable; did you mean {suggested}?");
    Some(Diagnostic { origin: Origin::Variable(variable.to_owned()), message })
}
