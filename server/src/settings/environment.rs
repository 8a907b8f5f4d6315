//! What the environment says: `ECHO_SERVER_` and a setting's name in capitals, as in
//! `ECHO_SERVER_IDLE_TIMEOUT`.
//!
//! Others put variables there as well: for a service named echo-server, Kubernetes and Docker links say
//! where it is in `ECHO_SERVER_PORT` and in names like `ECHO_SERVER_PORT_7_TCP`. So a variable that is
//! not known is no mistake, and one that is set by a link says nothing.

use std::ffi::{OsStr, OsString};

use common::escape::Quoted;

use super::{
    origin::{Mistake, Origin, Said, Value},
    schema::{Definition, Form, form},
};

/// How every variable begins that is meant for the server.
pub(super) const PREFIX: &str = "ECHO_SERVER_";

/// The variable of a setting.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// Every variable that may be meant for the server. One without a value is as if it were not there.
#[derive(Clone, Debug)]
pub(super) struct Environment(Vec<(String, OsString)>);

/// What it says, what is wrong with that, and what is only strange.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) said: Vec<Said>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
}

impl Environment {
    pub(super) fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !value.is_empty()).then_some((name, value))
        });
        let mut ours: Vec<_> = ours.collect();
        ours.sort();
        Self(ours)
    }

    pub(super) fn get(&self, variable: &str) -> Option<&OsStr> {
        self.0.iter().find(|(name, _)| name == variable).map(|(_, value)| value.as_ref())
    }

    pub(super) fn read(&self, definition: &Definition) -> Found {
        let mut found = Found::default();
        for name in definition.names() {
            let variable = variable(name);
            let Some(value) = self.get(&variable) else { continue };
            let origin = Origin::Variable(variable);
            match self.link(&origin, value) {
                Some(Link::Certain(what)) => found.warnings.push(Mistake { origin, what }),
                Some(Link::Likely(what)) => found.mistakes.push(Mistake { origin, what }),
                None => {
                    let list = definition.argument(name).is_some_and(|arg| form(arg) == Form::List);
                    let values = if list { words(value) } else { vec![value.to_owned()] };
                    let value = |text| Value { text, origin: origin.clone() };
                    let values: Vec<_> = values.into_iter().map(value).collect();
                    if !values.is_empty() {
                        found.said.push(Said { name: name.to_owned(), values });
                    }
                }
            }
        }
        for (variable, _) in &self.0 {
            let near = near_miss(definition, variable);
            found.warnings.extend(near.map(|near| Mistake {
                origin: Origin::Variable(variable.clone()),
                what: format!("this variable is not known; did you mean {near}?"),
            }));
        }
        found
    }

    /// Whether a variable that should be a number is an address, as links set it. They set another one
    /// with the same value beside it, which makes it certain.
    fn link(&self, origin: &Origin, value: &OsStr) -> Option<Link> {
        let Origin::Variable(variable) = origin else { return None };
        let address = value.to_str().filter(|_| *variable == self::variable("port"))?;
        let (protocol, _) = address.split_once("://")?;
        let (start, end) = (format!("{variable}_"), format!("_{}", protocol.to_ascii_uppercase()));
        let mut others = self.0.iter();
        let twin = others.any(|(name, other)| {
            name.starts_with(&start) && name.ends_with(&end) && other == value
        });
        let shown = Quoted(address.as_bytes());
        Some(if twin {
            Link::Certain(format!(
                "{shown} is not ours but that of Kubernetes or a Docker link, for a service named \
                 echo-server; not used. 'enableServiceLinks: false' in the pod, or another name of the \
                 service, is rid of it"
            ))
        } else {
            Link::Likely(format!(
                "expected a port, from 0 to 65535, not the address {shown}; {} takes addresses. If \
                 you did not set it, a service named echo-server did, by Kubernetes or a Docker link: \
                 say 'enableServiceLinks: false' in the pod, or name the service otherwise",
                self::variable("listen")
            ))
        })
    }
}

enum Link {
    Certain(String),
    Likely(String),
}

/// The values of a list, which white space separates: there is none in a URL.
fn words(value: &OsStr) -> Vec<OsString> {
    match value.to_str() {
        Some(text) => text.split_whitespace().map(OsString::from).collect(),
        None => vec![value.to_owned()],
    }
}

/// What may have been meant by a variable that is not known and not of a link either.
fn near_miss(definition: &Definition, variable: &str) -> Option<String> {
    let rest = variable.strip_prefix(PREFIX)?;
    let name = rest.to_ascii_lowercase().replace('_', "-");
    let link = ["PORT_", "SERVICE_", "ENV_"].iter().any(|start| rest.starts_with(start));
    if link || rest == "NAME" || name == "config" || definition.knows(&name) {
        return None;
    }
    definition.near(&name).map(|near| self::variable(&near))
}
